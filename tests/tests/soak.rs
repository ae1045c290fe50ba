//! Soaks: two hours of virtual time with exact totals, and as long as wanted on real sockets.
//!
//! The real one takes 3 s, or as many as the environment variable `TENTER_SOAK_SECONDS` says.

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tenter::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tenter::net::{Connection, ServeOptions, TcpListener, TcpStream, serve};
use tenter::task::yield_now;
use tenter::time::{Instant, interval, now, sleep, timeout};
use tenter::{Builder, Runtime, spawn};
use tenter_tests::support::{Slot, alone, ends};

/// Counts the bytes in use, and the allocations.
struct Counting;

static IN_USE: AtomicIsize = AtomicIsize::new(0);
static MADE: AtomicU64 = AtomicU64::new(0);

// SAFETY: all is left to the system's allocator, which keeps the contract; the count touches nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        MADE.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.roll(below))
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.roll(256) as u8).collect()
    }
}

/// How a connection ended, as the server sees it.
#[derive(Debug)]
enum Ended {
    Clean,
    Broken,
    TimedOut,
}

/// What became of all connections.
#[derive(Debug, Default)]
struct Totals {
    clean: AtomicU64,
    broken: AtomicU64,
    timed_out: AtomicU64,
    bytes: AtomicU64,
}

impl Totals {
    fn count(&self, ended: &Ended, bytes: u64) {
        let total = match ended {
            Ended::Clean => &self.clean,
            Ended::Broken => &self.broken,
            Ended::TimedOut => &self.timed_out,
        };
        total.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn get(&self) -> [u64; 4] {
        [&self.clean, &self.broken, &self.timed_out, &self.bytes]
            .map(|total| total.load(Ordering::Relaxed))
    }
}

/// Sends back what it gets, and gives up on a peer that neither sends nor reads for `patience`.
async fn echo<S>(mut stream: S, patience: Duration) -> (Ended, u64)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = [0; 4096];
    let mut bytes = 0;
    let result: io::Result<()> = async {
        loop {
            let count = timeout(patience, stream.read(&mut buffer)).await??;
            if count == 0 {
                return timeout(patience, stream.close()).await?;
            }
            timeout(patience, stream.write_all(&buffer[..count])).await??;
            bytes += count as u64;
        }
    }
    .await;
    let ended = match result {
        Ok(()) => Ended::Clean,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ended::TimedOut,
        Err(_) => Ended::Broken,
    };
    (ended, bytes)
}

/// Sends bytes and reads them back, both at a time.
async fn there_and_back<S>(stream: &mut S, bytes: &[u8])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut answer = vec![0; bytes.len()];
    for (sent, read) in bytes.chunks(1024).zip(answer.chunks_mut(1024)) {
        stream.write_all(sent).await.expect("the server is there");
        stream.read_exact(read).await.expect("the server answers");
    }
    assert!(answer == bytes, "every byte comes back as it was");
}

const HOURS: Duration = Duration::from_secs(2 * 60 * 60);
const PATIENCE: Duration = Duration::from_secs(30);
const CAPACITY: usize = 256;

/// What the clients of the virtual soak did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    clean: u64,
    dropped: u64,
    stalled: u64,
    silent: u64,
    /// Those that were sent back and checked.
    bytes: u64,
}

/// One client after another, of a kind that the dice choose, for two hours.
async fn generations(seed: u64, totals: Arc<Totals>) -> Done {
    let (mut dice, mut done) = (Dice::new(seed), Done::default());
    let end = now() + HOURS;
    while now() < end {
        sleep(dice.millis(20_000)).await;
        let (mut client, server) = duplex(CAPACITY);
        let begun = now();
        let totals = Arc::clone(&totals);
        let served = spawn(async move {
            let (ended, bytes) = echo(server, PATIENCE).await;
            totals.count(&ended, bytes);
            (ended, now())
        });
        match dice.roll(8) {
            // Silent: the server loses its patience to the nanosecond.
            0 => {
                let (ended, at) = served.await.expect("no panic");
                assert!(matches!(ended, Ended::TimedOut), "{ended:?}");
                assert_eq!(at.duration_since(begun), PATIENCE);
                done.silent += 1;
            }
            // Stalled: writes until nothing goes on any more, and reads nothing.
            1 => {
                let flood = async { while client.write_all(&[1; 64]).await.is_ok() {} };
                timeout(2 * PATIENCE, flood)
                    .await
                    .expect("the server gives up");
                let (ended, at) = served.await.expect("no panic");
                assert!(matches!(ended, Ended::TimedOut), "{ended:?}");
                assert_eq!(at.duration_since(begun), PATIENCE);
                done.stalled += 1;
            }
            // Dropped in the middle, with an answer on its way: nobody says goodbye.
            2 => {
                let length = CAPACITY + 1 + dice.roll(64) as usize;
                client
                    .write_all(&dice.bytes(length))
                    .await
                    .expect("the server is there");
                sleep(dice.millis(1_000)).await;
                drop(client);
                let (ended, _) = served.await.expect("no panic");
                assert!(matches!(ended, Ended::Broken), "{ended:?}");
                done.dropped += 1;
            }
            _ => {
                for _ in 0..dice.roll(6) {
                    let length = 1 + dice.roll(600) as usize;
                    let bytes = dice.bytes(length);
                    for part in bytes.chunks(CAPACITY) {
                        there_and_back(&mut client, part).await;
                    }
                    done.bytes += bytes.len() as u64;
                    sleep(dice.millis(25_000)).await;
                }
                client.close().await.expect("the server is there");
                let mut rest = Vec::new();
                client
                    .read_to_end(&mut rest)
                    .await
                    .expect("the server closes");
                assert_eq!(rest, b"");
                let (ended, _) = served.await.expect("no panic");
                assert!(matches!(ended, Ended::Clean), "{ended:?}");
                done.clean += 1;
            }
        }
    }
    done
}

/// Two hours with sixty clients at a time. Returns what they did, and what the server saw.
fn two_hours(seed: u64) -> (Done, [u64; 4]) {
    let runtime = Builder::deterministic(seed)
        .build()
        .expect("nothing is refused");
    let totals = Arc::new(Totals::default());
    let done = runtime.block_on(async {
        let begun = now();
        let ticks = spawn(async move {
            let mut every_second = interval(Duration::from_secs(1));
            let mut ticks = 0;
            while every_second.tick().await < begun + HOURS {
                ticks += 1;
            }
            ticks
        });
        let clients: Vec<_> = (0..60)
            .map(|number| spawn(generations(seed << 8 | number, Arc::clone(&totals))))
            .collect();
        let mut sum = Done::default();
        for client in clients {
            let done = client.await.expect("no panic");
            sum.clean += done.clean;
            sum.dropped += done.dropped;
            sum.stalled += done.stalled;
            sum.silent += done.silent;
            sum.bytes += done.bytes;
        }
        assert_eq!(ticks.await.expect("no panic"), HOURS.as_secs());
        assert!(now().duration_since(begun) >= HOURS);
        sum
    });
    let metrics = runtime.metrics();
    assert_eq!(
        (metrics.alive_tasks, metrics.armed_timers),
        (0, 0),
        "nothing is left"
    );
    let all = done.clean + done.dropped + done.stalled + done.silent;
    assert_eq!(metrics.spawned_tasks, metrics.completed_tasks);
    assert!(
        metrics.completed_tasks >= all + 61,
        "each connection was a task"
    );
    (done, totals.get())
}

/// Goal: over two hours of churn, timers and stalled peers nothing is lost, late or left, and the
/// same seed does the same again.
#[test]
fn two_hours_of_virtual_time_add_up() {
    ends("two hours", || {
        let (done, seen) = two_hours(1);
        let [clean, broken, timed_out, bytes] = seen;
        assert!(
            done.clean > 5_000 && done.silent > 1_000 && done.stalled > 1_000,
            "{done:?}"
        );
        assert_eq!(timed_out, done.silent + done.stalled);
        assert_eq!(clean + broken, done.clean + done.dropped);
        assert!(
            clean >= done.clean && bytes >= done.bytes,
            "{done:?}, {seen:?}"
        );
        assert_eq!(two_hours(1), (done, seen));
        assert_ne!(two_hours(2), (done, seen), "the seed matters");
    });
}

const CONNECTIONS: u64 = 1_000;

/// How long the real soak takes.
fn soak_time() -> Duration {
    let seconds = std::env::var("TENTER_SOAK_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("TENTER_SOAK_SECONDS is a number"));
    Duration::from_secs(seconds.unwrap_or(3))
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// One of many addresses of this machine, so that the ports do not run out.
fn some_address(port: u16, dice: &mut Dice) -> SocketAddr {
    let host = Ipv4Addr::new(127, 0, 0, 1 + dice.roll(20) as u8);
    SocketAddr::from((host, port))
}

/// One client after another until the time is over. Returns how many there were.
async fn churn(number: u64, port: u16, end: Instant) -> u64 {
    let (mut dice, mut count) = (Dice::new(number), 0);
    let is_lasting = number % 5 == 0;
    while count == 0 || now() < end {
        let address = some_address(port, &mut dice);
        let mut client = TcpStream::connect(address)
            .await
            .expect("the server listens");
        count += 1;
        loop {
            let length = dice.roll(16 * 1024) as usize;
            let bytes = dice.bytes(length);
            there_and_back(&mut client, &bytes).await;
            sleep(dice.millis(300)).await;
            if now() >= end || (!is_lasting && dice.roll(3) == 0) {
                break;
            }
        }
        match dice.roll(5) {
            0 => reset(client, &mut dice).await,
            1 => stall(client, &mut dice).await,
            2 => drop(client),
            _ => half_close(client, &mut dice).await,
        }
    }
    count
}

/// With data on its way in both directions, so that the server finds out in the middle.
async fn reset(mut client: TcpStream, dice: &mut Dice) {
    client.set_linger(Some(Duration::ZERO)).expect("connected");
    client
        .write_all(&dice.bytes(1_000))
        .await
        .expect("the server is there");
}

/// Writes until nothing goes on any more, and leaves without having read.
async fn stall(mut client: TcpStream, dice: &mut Dice) {
    let flood = async { while client.write_all(&[0; 16 * 1024]).await.is_ok() {} };
    let _ = timeout(Duration::from_millis(50) + dice.millis(500), flood).await;
}

/// Says that there is no more, and reads what was on its way.
async fn half_close(mut client: TcpStream, dice: &mut Dice) {
    let bytes = dice.bytes(10_000);
    client.write_all(&bytes).await.expect("the server is there");
    client.shutdown(Shutdown::Write).expect("connected");
    let mut answer = Vec::new();
    client
        .read_to_end(&mut answer)
        .await
        .expect("the server answers");
    assert!(answer == bytes, "every byte comes back as it was");
}

/// A server and its clients, for so long.
async fn round(length: Duration, totals: &Arc<Totals>) -> u64 {
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let handler = {
        let totals = Arc::clone(totals);
        move |connection: Connection<TcpStream, SocketAddr>| {
            let totals = Arc::clone(&totals);
            async move {
                let (ended, bytes) = echo(connection.stream, Duration::from_secs(10)).await;
                totals.count(&ended, bytes);
            }
        }
    };
    let options = ServeOptions::new().drain_timeout(Duration::from_secs(30));
    let server = serve(listener, handler, options);
    let end = now() + length;
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|number| spawn(churn(number, port, end)))
        .collect();
    let mut count = 0;
    for client in clients {
        count += client.await.expect("no panic");
    }
    server.close();
    let report = server.closed().await.expect("closed on request");
    assert_eq!(
        (report.completed, report.cancelled, report.stuck),
        (count, 0, 0),
        "{report}"
    );
    count
}

/// Waits until only the caller is left.
async fn alone_again() {
    while tenter::Handle::current().metrics().alive_tasks > 1 {
        yield_now().await;
    }
}

fn soak() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the maximum anybody may");
    let runtime: Runtime = Builder::multi_thread().build().expect("nothing is refused");
    let totals = Arc::new(Totals::default());
    let run = |length| {
        let count = runtime.block_on(async {
            let count = round(length, &totals).await;
            alone_again().await;
            count
        });
        (count, descriptors(), IN_USE.load(Ordering::Relaxed))
    };
    // What is kept for ever is made in the first round: as many connections as at any time.
    let (first, fds, bytes) = run(Duration::from_millis(500));
    let (second, fds_after, bytes_after) = run(soak_time());
    assert_eq!(fds_after, fds, "descriptors are given back");
    let grown = bytes_after - bytes;
    assert!(
        grown < 512 << 10,
        "{grown} bytes more are in use after {second} connections"
    );
    let metrics = runtime.metrics();
    assert_eq!((metrics.armed_timers, metrics.waiting_io), (0, 0));
    let [clean, broken, timed_out, echoed] = totals.get();
    assert_eq!(clean + broken + timed_out, first + second);
    assert!(first >= CONNECTIONS && second >= CONNECTIONS && broken > 0 && clean > broken);
    println!(
        "{} connections: {clean} ended well, {broken} were broken off, {timed_out} stalled for too \
         long; {echoed} bytes; {grown} bytes grown",
        first + second
    );
}

/// Goal: under churn, resets, half-closes and stalled peers every surviving byte is right, nothing
/// hangs, and no descriptor, task, timer or memory is left.
#[test]
fn a_thousand_connections_in_churn_leave_nothing_behind() {
    if !alone("a_thousand_connections_in_churn_leave_nothing_behind") {
        return;
    }
    within(soak_time() + Duration::from_secs(120), soak);
}

/// Fails if `body` does not end in time.
fn within(limit: Duration, body: impl FnOnce() + Send + 'static) {
    let ended = Slot::new();
    let tells = ended.clone();
    let thread = std::thread::spawn(move || {
        body();
        tells.put(());
    });
    let in_time = ended.take_within(limit).is_some();
    assert!(in_time || thread.is_finished(), "hung for {limit:?}");
    thread.join().expect("the soak passes");
}

/// Accepts so many connections one after the other, each read to its end by a task, in a loop of
/// the test's own or in a server. Returns the allocations after the first few.
async fn allocations(is_served: bool) -> u64 {
    const WARM_UP: u64 = 50;
    const COUNTED: u64 = 200;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    async fn handle(mut stream: TcpStream) {
        let mut buffer = [0; 64];
        while let Ok(1..) = stream.read(&mut buffer).await {}
    }
    let handler = |connection: Connection<TcpStream, SocketAddr>| handle(connection.stream);
    let server = if is_served {
        spawn(async move {
            let limit = ServeOptions::new().max_connections(10);
            let server = serve(listener, handler, limit);
            while server.report().completed < WARM_UP + COUNTED {
                yield_now().await;
            }
            server.abort();
            server.closed().await.expect("closed on request");
        })
    } else {
        spawn(async move {
            for _ in 0..WARM_UP + COUNTED {
                let (stream, _) = listener.accept().await.expect("a connection");
                drop(spawn(handle(stream)));
            }
        })
    };
    let mut before = 0;
    for number in 0..WARM_UP + COUNTED {
        if number == WARM_UP {
            before = MADE.load(Ordering::Relaxed);
        }
        let client = TcpStream::connect(address).await.expect("listens");
        client.shutdown(Shutdown::Write).expect("connected");
        while !is_at_end(&client).await {}
    }
    let made = MADE.load(Ordering::Relaxed) - before;
    server.await.expect("no panic");
    made
}

/// Reads from a stream on which nothing is sent.
async fn is_at_end(mut stream: &TcpStream) -> bool {
    stream.read(&mut [0]).await.expect("no reset") == 0
}

/// Goal: a server costs a connection no allocation that a loop of one's own does not.
#[test]
fn serving_allocates_no_more_than_accepting() {
    if !alone("serving_allocates_no_more_than_accepting") {
        return;
    }
    let runtime = Builder::current_thread()
        .build()
        .expect("nothing is refused");
    let (by_hand, served) =
        runtime.block_on(async { (allocations(false).await, allocations(true).await) });
    // The list of connections may grow once or twice.
    assert!(served <= by_hand + 4, "by hand {by_hand}, served {served}");
}

/// The futures of the soak can be spawned.
#[test]
fn the_clients_can_move_between_threads() {
    fn is_send<T: Future + Send>(_: T) {}
    is_send(churn(0, 0, Instant::from_nanos(0)));
}
