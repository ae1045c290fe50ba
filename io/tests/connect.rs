//! Happy Eyeballs: addresses race, on a virtual clock; and what the errors say.

mod rig;

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rig::Rig;
use socket2::{Domain, Socket, Type};
use tenter_io::net::{AttemptErrors, Connect, TcpSocket, TcpStream};
use tenter_timer::{Clock, EnterGuard, Instant, Timers};

on_every_backend! {
    the_second_family_wins_when_the_first_does_not_answer,
    a_failure_begins_the_next_attempt_at_once,
    a_failure_that_comes_late_begins_the_next_attempt,
    attempts_go_on_beside_each_other_and_the_first_answer_wins,
    nothing_is_armed_and_nothing_left_once_it_is_connected,
    an_error_comes_after_all_have_failed_and_names_all,
    a_timeout_names_who_has_not_answered_and_who_has_failed,
    a_single_address_arms_no_timer,
    a_prepared_socket_connects,
    dropped_at_every_stage_nothing_is_left,
}

const DELAY: Duration = Duration::from_millis(250);

/// A clock that stands still until it is told.
struct Time {
    clock: Clock,
    timers: Timers,
    _entered: EnterGuard,
}

impl Time {
    fn new() -> Time {
        let clock = Clock::virtual_from_zero();
        let timers = Timers::new(clock.clone(), Waker::noop().clone());
        let _entered = timers.enter();
        Time {
            clock,
            timers,
            _entered,
        }
    }

    fn pass(&self, duration: Duration) {
        self.clock.advance_to(self.clock.now() + duration);
        self.timers.fire_due(self.clock.now());
    }

    fn next(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }
}

/// An address that does not answer: a listener whose queue is full.
struct Mute {
    address: SocketAddr,
    listener: Socket,
    fillers: Vec<Socket>,
}

impl Mute {
    fn new(at: &str) -> Mute {
        let at: SocketAddr = at.parse().expect("an address");
        let listener = Socket::new(Domain::for_address(at), Type::STREAM, None).expect("a socket");
        listener.bind(&at.into()).expect("bound");
        listener.listen(0).expect("listens");
        let address = listener.local_addr().expect("bound").as_socket();
        let address = address.expect("IP");
        let fillers = (0..4)
            .map(|_| {
                let filler = Socket::new(Domain::for_address(at), Type::STREAM, None);
                let filler = filler.expect("a socket");
                filler.set_nonblocking(true).expect("non-blocking");
                let _ = filler.connect(&address.into());
                filler
            })
            .collect();
        Mute {
            address,
            listener,
            fillers,
        }
    }

    /// Answers from now on: who knocks again finds the door open.
    fn answer(&mut self) {
        self.fillers.clear();
        self.listener.set_nonblocking(true).expect("non-blocking");
        while self.listener.accept().is_ok() {}
    }
}

/// An address that refuses: a port that was free a moment ago.
fn refusing(at: &str) -> SocketAddr {
    let listener = StdListener::bind(at).expect("a port");
    listener.local_addr().expect("bound")
}

/// Whether this machine has IPv6 on its loopback interface.
fn second_family() -> &'static str {
    match StdListener::bind("[::1]:0") {
        Ok(_) => "[::1]:0",
        Err(_) => "127.0.0.2:0",
    }
}

fn poll(connect: &mut Connect) -> Poll<io::Result<TcpStream>> {
    Pin::new(connect).poll(&mut Context::from_waker(Waker::noop()))
}

fn sources(rig: &Rig) -> Option<usize> {
    match rig {
        Rig::Turned(driver) => Some(driver.handle().sources()),
        Rig::Fallback => None,
    }
}

fn the_second_family_wins_when_the_first_does_not_answer(rig: &mut Rig) {
    let time = Time::new();
    let _inside = rig.enter();
    let mute = Mute::new(second_family());
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    let good = listener.local_addr().expect("bound");
    let mut connect = TcpStream::connect(&[mute.address, good]);
    assert!(poll(&mut connect).is_pending());
    // Not a moment too early.
    time.pass(DELAY - Duration::from_nanos(1));
    assert!(poll(&mut connect).is_pending());
    time.pass(Duration::from_nanos(1));
    let stream = rig.block_on(&mut connect).expect("the second answers");
    assert_eq!(stream.peer_addr().expect("a peer"), good);
}

fn a_failure_begins_the_next_attempt_at_once(rig: &mut Rig) {
    let time = Time::new();
    let _inside = rig.enter();
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    let good = listener.local_addr().expect("bound");
    // Two that refuse, one of each family. Nobody turns the clock.
    let addresses = [refusing(second_family()), refusing("127.0.0.1:0"), good];
    let stream = rig
        .block_on(TcpStream::connect(&addresses))
        .expect("the third");
    assert_eq!(stream.peer_addr().expect("a peer"), good);
    assert_eq!(time.clock.now(), Instant::from_nanos(0));
    // Also behind one that goes on.
    let mute = Mute::new("127.0.0.1:0");
    let mut connect = TcpStream::connect(&[mute.address, refusing("127.0.0.1:0"), good]);
    assert!(poll(&mut connect).is_pending());
    time.pass(DELAY);
    let stream = rig.block_on(&mut connect).expect("the third");
    assert_eq!(stream.peer_addr().expect("a peer"), good);
    assert_eq!(time.clock.now(), Instant::from_nanos(0) + DELAY);
}

/// The refusal comes when the system knocks again, a second later. Nobody turns the clock.
fn a_failure_that_comes_late_begins_the_next_attempt(rig: &mut Rig) {
    let time = Time::new();
    let _inside = rig.enter();
    let (mute, dying) = (Mute::new("127.0.0.1:0"), Mute::new(second_family()));
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    let good = listener.local_addr().expect("bound");
    let mut connect = TcpStream::connect(&[mute.address, dying.address, good]);
    assert!(poll(&mut connect).is_pending());
    time.pass(DELAY);
    assert!(poll(&mut connect).is_pending());
    drop(dying);
    let stream = rig.block_on(&mut connect).expect("the third");
    assert_eq!(stream.peer_addr().expect("a peer"), good);
    assert_eq!(time.clock.now(), Instant::from_nanos(0) + DELAY);
}

fn attempts_go_on_beside_each_other_and_the_first_answer_wins(rig: &mut Rig) {
    let time = Time::new();
    let _inside = rig.enter();
    let (mut one, two) = (Mute::new("127.0.0.1:0"), Mute::new(second_family()));
    let three = Mute::new("127.0.0.1:0");
    let before = sources(rig);
    let mut connect = TcpStream::connect(&[one.address, two.address, three.address]);
    for _ in 0..2 {
        assert!(poll(&mut connect).is_pending());
        assert_eq!(time.next(), Some(time.clock.now() + DELAY));
        time.pass(DELAY);
    }
    assert!(poll(&mut connect).is_pending());
    // All three are under way, and there is no other to wait for.
    assert_eq!(time.next(), None);
    assert_eq!(sources(rig), before.map(|count| count + 3));
    // The first one was not given up when the others began. The system knocks again by itself.
    one.answer();
    let stream = rig.block_on(&mut connect).expect("the first");
    assert_eq!(stream.peer_addr().expect("a peer"), one.address);
    // The future is still here, the losers are not.
    assert_eq!(sources(rig), before.map(|count| count + 1));
}

fn nothing_is_armed_and_nothing_left_once_it_is_connected(rig: &mut Rig) {
    let time = Time::new();
    let _inside = rig.enter();
    let mute = Mute::new("127.0.0.1:0");
    let listeners = [0; 2].map(|_| StdListener::bind("127.0.0.1:0").expect("a port"));
    let good = listeners.map(|listener| {
        let address = listener.local_addr().expect("bound");
        rig::leak(listener);
        address
    });
    let before = sources(rig);
    let mut connect = TcpStream::connect(&[mute.address, good[0], good[1]]);
    assert!(poll(&mut connect).is_pending());
    time.pass(DELAY);
    let stream = rig.block_on(&mut connect).expect("the second");
    assert_eq!(time.timers.armed(), 0);
    assert_eq!(sources(rig), before.map(|count| count + 1));
    assert_eq!(stream.peer_addr().expect("a peer"), good[0]);
    drop(stream);
    assert_eq!(sources(rig), before);
}

fn an_error_comes_after_all_have_failed_and_names_all(rig: &mut Rig) {
    let time = Time::new();
    let addresses = [refusing("127.0.0.1:0"), refusing(second_family())];
    let error = rig
        .block_on(TcpStream::connect(&addresses))
        .expect_err("both refuse");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let inside = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<AttemptErrors>());
    let attempts = inside.expect("they are inside").attempts();
    let tried: Vec<_> = attempts.iter().map(|(address, _)| *address).collect();
    assert_eq!(tried, addresses);
    for (address, cause) in attempts {
        assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
        assert!(
            error.to_string().contains(&format!("{address}: {cause}")),
            "{error}"
        );
    }
    assert_eq!(time.timers.armed(), 0);
}

fn a_timeout_names_who_has_not_answered_and_who_has_failed(rig: &mut Rig) {
    let time = Time::new();
    let _inside = rig.enter();
    let (refusing, mute, other) = (
        refusing("127.0.0.1:0"),
        Mute::new("127.0.0.1:0"),
        Mute::new(second_family()),
    );
    let addresses = [refusing, mute.address, other.address];
    // Shorter than the least that each address has.
    let limit = Duration::from_millis(5);
    let mut connect = TcpStream::connect_timeout(&addresses, limit);
    let mut cx = Context::from_waker(Waker::noop());
    // The refusal comes by itself.
    while time.next() != Some(Instant::from_nanos(0) + limit)
        || !format!("{connect:?}").contains("ConnectionRefused")
    {
        assert!(Pin::new(&mut connect).poll(&mut cx).is_pending());
        if let Rig::Turned(driver) = rig {
            driver.turn(Some(Duration::ZERO)).expect("a turn");
        }
    }
    time.pass(limit);
    let error = rig.block_on(connect).expect_err("time is up");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let text = error.to_string();
    for part in [
        format!("{} has not answered", mute.address),
        format!("{refusing}: "),
        "one more address was not tried".to_owned(),
        "timed out after 5ms".to_owned(),
    ] {
        assert!(text.contains(&part), "`{part}` is not in `{text}`");
    }
}

fn a_single_address_arms_no_timer(rig: &mut Rig) {
    let time = Time::new();
    let _inside = rig.enter();
    let mute = Mute::new("127.0.0.1:0");
    let mut connect = TcpStream::connect(mute.address);
    assert!(poll(&mut connect).is_pending());
    assert_eq!(time.timers.armed(), 0);
    // And one that is there is connected by the first poll.
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    let mut connect = TcpStream::connect(listener.local_addr().expect("bound"));
    assert!(matches!(poll(&mut connect), Poll::Ready(Ok(_))));
}

fn a_prepared_socket_connects(rig: &mut Rig) {
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.3:0".parse().expect("an address"))
        .expect("bound");
    let local = socket.local_addr().expect("bound");
    let stream = rig.block_on(socket.connect(address)).expect("connected");
    assert_eq!(stream.local_addr().expect("bound"), local);
    let (_, peer) = listener.accept().expect("accepted");
    assert_eq!(peer, local);
    let socket = TcpSocket::new_v4().expect("a socket");
    let nowhere = refusing("127.0.0.1:0");
    let error = rig.block_on(socket.connect(nowhere)).expect_err("refused");
    assert!(error.to_string().contains(&nowhere.to_string()), "{error}");
}

fn dropped_at_every_stage_nothing_is_left(rig: &mut Rig) {
    let time = Time::new();
    let _inside = rig.enter();
    let mutes = [0; 3].map(|_| Mute::new("127.0.0.1:0"));
    let addresses = mutes.each_ref().map(|mute| mute.address);
    let before = sources(rig);
    for stage in 0..6 {
        let mut connect = pin!(TcpStream::connect(&addresses));
        for _ in 0..stage {
            assert!(poll(&mut connect).is_pending());
            time.pass(DELAY / 2);
        }
        let begun = usize::div_ceil(stage, 2);
        assert_eq!(sources(rig), before.map(|count| count + begun));
        connect.set(TcpStream::connect(&addresses));
        assert_eq!(sources(rig), before);
        assert_eq!(time.timers.armed(), 0);
    }
}
