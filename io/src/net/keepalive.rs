//! How an idle connection is probed.

use std::time::Duration;

/// How an idle TCP connection is probed, so that a peer that has vanished is noticed. What is not
/// set stays as the system has it: on Linux after two hours, every 75 s, nine times.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_io::net::Keepalive;
///
/// let seconds = Duration::from_secs;
/// let keepalive = Keepalive::new().idle(seconds(60)).interval(seconds(10)).count(3);
/// assert_eq!(keepalive.get_idle(), Some(seconds(60)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "SO_KEEPALIVE")]
#[doc(alias = "TcpKeepalive")]
pub struct Keepalive {
    idle: Option<Duration>,
    interval: Option<Duration>,
    count: Option<u32>,
}

impl Keepalive {
    /// As the system has it.
    pub const fn new() -> Keepalive {
        Keepalive {
            idle: None,
            interval: None,
            count: None,
        }
    }

    /// How long nothing has come before the first probe is sent, in whole seconds.
    #[must_use]
    #[doc(alias = "TCP_KEEPIDLE")]
    pub const fn idle(self, idle: Duration) -> Keepalive {
        Keepalive {
            idle: Some(idle),
            ..self
        }
    }

    /// The time between two probes, in whole seconds.
    #[must_use]
    #[doc(alias = "TCP_KEEPINTVL")]
    pub const fn interval(self, interval: Duration) -> Keepalive {
        Keepalive {
            interval: Some(interval),
            ..self
        }
    }

    /// After how many probes without an answer the connection is given up.
    #[must_use]
    #[doc(alias = "TCP_KEEPCNT")]
    pub const fn count(self, count: u32) -> Keepalive {
        Keepalive {
            count: Some(count),
            ..self
        }
    }

    /// See [`idle`](Self::idle).
    pub const fn get_idle(&self) -> Option<Duration> {
        self.idle
    }

    /// See [`interval`](Self::interval).
    pub const fn get_interval(&self) -> Option<Duration> {
        self.interval
    }

    /// See [`count`](Self::count).
    pub const fn get_count(&self) -> Option<u32> {
        self.count
    }
}
