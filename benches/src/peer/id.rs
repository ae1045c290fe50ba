//! Who takes part: a runtime with its own primitives, or a primitive as the guest of another's executor.

use std::fmt;
use std::str::FromStr;

/// The name of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerId {
    /// This project: `current_thread`, or `multi_thread` with two workers.
    Tenter,
    /// tokio: `current_thread`, or `multi_thread` with two workers.
    Tokio,
    /// smol: `LocalExecutor`, or `Executor` run by two threads, on `async-io`.
    Smol,
    /// The `StaticExecutor` of async-executor run by two threads, on `async-io`.
    AsyncExecutor,
    /// Go with `GOMAXPROCS=2`.
    Go,
    /// No runtime: an echo server on one thread, pinned, around one epoll.
    Epoll,
    /// compio, with the feature `completion`.
    Compio,
    /// monoio, with the feature `completion`.
    Monoio,
    /// A primitive on an executor of somebody else, with two workers.
    Guest(Maker, Host),
}

/// Whose executor runs a primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// This project's.
    Tenter,
    /// tokio's.
    Tokio,
}

/// Declares the makers, their names and what each is called as a guest.
macro_rules! makers {
    ($($(#[$doc:meta])* $maker:ident $name:literal: $($host:ident),+;)+) => {
        /// Who made a primitive.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Maker {
            $($(#[$doc])* $maker,)+
        }

        impl Maker {
            /// Its name in `targets.toml`, where it stands for the better of its two hosts.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$maker => $name,)+
                }
            }

            const fn as_guest(self, host: Host) -> &'static str {
                match (self, host) {
                    $((Self::$maker, Host::Tenter) => concat!($name, "@tenter"),
                    (Self::$maker, Host::Tokio) => concat!($name, "@tokio"),)+
                }
            }
        }

        impl PeerId {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[
                Self::Tenter,
                Self::Tokio,
                Self::Smol,
                Self::AsyncExecutor,
                Self::Go,
                Self::Epoll,
                Self::Compio,
                Self::Monoio,
                $($(Self::Guest(Maker::$maker, Host::$host),)+)+
            ];
        }
    };
}

makers! {
    /// This project: at home as [`PeerId::Tenter`].
    Tenter "tenter": Tokio;
    /// tokio: at home as [`PeerId::Tokio`].
    Tokio "tokio": Tenter;
    /// Locks and semaphores of the family of smol.
    AsyncLock "async-lock": Tokio, Tenter;
    /// What the family of smol waits with.
    EventListener "event-listener": Tokio, Tenter;
    /// `futures-util` and `futures-channel`.
    Futures "futures": Tokio, Tenter;
    /// The channel of the family of smol.
    AsyncChannel "async-channel": Tokio, Tenter;
    /// A channel around a lock.
    Flume "flume": Tokio, Tenter;
    /// A channel that hands over from stack to stack.
    Kanal "kanal": Tokio, Tenter;
    /// Lock-free channels for each number of ends.
    Crossfire "crossfire": Tokio, Tenter;
    /// A bounded channel with one consumer.
    Tachyonix "tachyonix": Tokio, Tenter;
}

impl PeerId {
    /// Those that have tasks and channels, with two workers.
    pub const WITH_TASKS: &[Self] = &[
        Self::Tenter,
        Self::Tokio,
        Self::Smol,
        Self::AsyncExecutor,
        Self::Go,
    ];

    /// Those that run on one thread.
    pub const ON_ONE_THREAD: &[Self] = &[Self::Tenter, Self::Tokio, Self::Smol];

    /// The one that is judged: the first of [`PeerId::ALL`].
    pub const JUDGED: Self = Self::ALL[0];

    /// A primitive on an executor: at home where both are of the same make.
    pub const fn at(maker: Maker, host: Host) -> Self {
        match (maker, host) {
            (Maker::Tenter, Host::Tenter) => Self::Tenter,
            (Maker::Tokio, Host::Tokio) => Self::Tokio,
            _ => Self::Guest(maker, host),
        }
    }

    /// Whose primitives it uses, if it takes part in the rows about them.
    pub const fn maker(self) -> Option<Maker> {
        match self {
            Self::Tenter => Some(Maker::Tenter),
            Self::Tokio => Some(Maker::Tokio),
            Self::Guest(maker, _) => Some(maker),
            _ => None,
        }
    }

    /// Whose executor runs its primitives, if it takes part in the rows about them.
    pub const fn host(self) -> Option<Host> {
        match self {
            Self::Tenter => Some(Host::Tenter),
            Self::Tokio => Some(Host::Tokio),
            Self::Guest(_, host) => Some(host),
            _ => None,
        }
    }

    /// Whether its primitives are where they belong: those that come with a runtime on that one, the
    /// others anywhere. What is not at home is shown and sets no target.
    pub fn is_at_home(self) -> bool {
        !matches!(self, Self::Guest(Maker::Tenter | Maker::Tokio, _))
    }

    /// Whether a name on the command line or in `targets.toml` means it: its own, or, for a primitive
    /// that belongs to no runtime, the one of its maker.
    pub fn answers_to(self, name: &str) -> bool {
        let of_maker = matches!(self, Self::Guest(maker, _) if maker.name() == name);
        self.name() == name || (of_maker && self.is_at_home())
    }

    /// Its name in tables, commands and `targets.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tenter => "tenter",
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::AsyncExecutor => "async-executor",
            Self::Go => "go",
            Self::Epoll => "epoll",
            Self::Compio => "compio",
            Self::Monoio => "monoio",
            Self::Guest(maker, host) => maker.as_guest(host),
        }
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PeerId {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|peer| peer.name() == name);
        found.copied().ok_or_else(|| unknown(name))
    }
}

/// What to say of a name that nobody answers to.
pub fn unknown(name: &str) -> String {
    let names: Vec<&str> = PeerId::ALL.iter().map(|peer| peer.name()).collect();
    format!("no peer is called {name:?}; there are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{Host, Maker, PeerId};

    #[test]
    fn a_name_leads_back_to_its_peer() {
        for &peer in PeerId::ALL {
            assert_eq!(peer.name().parse(), Ok(peer));
        }
    }

    #[test]
    fn a_maker_answers_for_both_hosts_unless_it_has_a_home() {
        let answering = |name| PeerId::ALL.iter().filter(move |p| p.answers_to(name));
        assert_eq!(answering("async-lock").count(), 2);
        assert!(answering("tokio").eq(&[PeerId::Tokio]));
        assert_eq!(PeerId::at(Maker::Tokio, Host::Tokio), PeerId::Tokio);
        assert!(!PeerId::at(Maker::Tokio, Host::Tenter).is_at_home());
    }
}
