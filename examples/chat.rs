//! Run: `cargo run --release --example chat -- 7000`; try: `nc 127.0.0.1 7000` in two terminals
//!
//! Every line is sent to everybody else. A client that does not read what it is sent is dropped, so
//! that it holds up nobody. Ctrl-C says goodbye and ends.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tenter::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tenter::net::{Closing, Connection, OwnedWriteHalf, ServeOptions, TcpStream, serve};
use tenter::select;
use tenter::signal::{SignalKind, signals};
use tenter::sync::{Notify, Permit, Semaphore};
use tenter::time::timeout;

/// The most lines that wait for one client.
const MAILBOX_MAX: usize = 64;
/// How long a full mailbox is borne with.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest line, in bytes.
const LINE_MAX: usize = 1024;
/// The longest name, in characters.
const NAME_MAX: usize = 20;
/// How long a client may take to say its name.
const NAME_TIMEOUT: Duration = Duration::from_secs(60);
/// How long goodbyes may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
const CLIENTS_MAX: usize = 1_000;

#[tenter::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tenter_examples::listen().await?;
    let mut end = signals([SignalKind::interrupt(), SignalKind::terminate()])?;
    // Whoever started this may have closed the other end; that is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "{}", listener.local_addr()?);

    let room = Arc::new(Room::default());
    let handler = move |connection| attend(connection, Arc::clone(&room));
    let options = ServeOptions::new()
        .max_connections(CLIENTS_MAX)
        .drain_timeout(DRAIN_TIMEOUT);
    let server = serve(listener, handler, options);
    end.recv().await;
    server.close();
    let report = server.closed().await?;
    let _ = writeln!(std::io::stdout(), "{report}");
    Ok(())
}

/// One client, from its first line to its last.
async fn attend(connection: Connection<TcpStream, SocketAddr>, room: Arc<Room>) {
    let Connection {
        stream, closing, ..
    } = connection;
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines().limit(LINE_MAX);
    if say(&mut writer, "* your name?").await.is_err() {
        return;
    }
    let named = select! {
        biased;
        named = timeout(NAME_TIMEOUT, lines.next_line()) => Some(named),
        () = closing.requested() => None,
    };
    let Some(Ok(Ok(Some(name)))) = named else {
        let _ = say(&mut writer, "* goodbye").await;
        return;
    };
    let member = match room.join(name.trim()) {
        Ok(member) => member,
        Err(refusal) => {
            let _ = say(&mut writer, &refusal).await;
            return;
        }
    };
    let talk = async {
        // A line that is too long ends the conversation like a connection that fails.
        while let Ok(Some(line)) = lines.next_line().await {
            member
                .tell_others(&format!("{}: {}", member.name, line.trim_end()))
                .await;
        }
    };
    // Whatever ends first ends the others.
    select! {
        biased;
        () = talk => {}
        () = deliver(&member.mailbox, writer, &closing) => {}
        () = member.mailbox.slow() => {}
    }
}

/// Sends what is in the mailbox, until the server closes.
async fn deliver(mailbox: &Mailbox, mut writer: OwnedWriteHalf, closing: &Closing) {
    loop {
        let line = select! {
            biased;
            line = mailbox.next() => line,
            () = closing.requested() => break,
        };
        if say(&mut writer, &line).await.is_err() {
            return;
        }
    }
    let _ = say(&mut writer, "* the server closes").await;
}

async fn say(writer: &mut OwnedWriteHalf, line: &str) -> std::io::Result<()> {
    writer.write_all(format!("{line}\n").as_bytes()).await
}

/// Everybody who has a name.
#[derive(Default)]
struct Room {
    members: Mutex<BTreeMap<String, Arc<Mailbox>>>,
}

impl Room {
    fn members(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Mailbox>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets somebody in, or says why not.
    fn join(self: &Arc<Self>, name: &str) -> Result<Member, String> {
        let is_plain = name.chars().all(char::is_alphanumeric);
        if !is_plain || !(1..=NAME_MAX).contains(&name.chars().count()) {
            return Err(format!("* a name has 1 to {NAME_MAX} letters or digits"));
        }
        let mailbox = Arc::new(Mailbox::default());
        let mut members = self.members();
        if members.contains_key(name) {
            return Err(format!("* {name} is here already: take another name"));
        }
        let others: Vec<_> = members.keys().cloned().collect();
        members.insert(name.to_owned(), Arc::clone(&mailbox));
        drop(members);
        mailbox.put_now(&match others.len() {
            0 => "* you are alone".into(),
            _ => format!("* here are: {}", others.join(", ")).into(),
        });
        let member = Member {
            room: Arc::clone(self),
            name: name.to_owned(),
            mailbox,
        };
        member.notify_others(&format!("* {name} has joined"));
        Ok(member)
    }
}

/// Somebody in the room. Dropping it is leaving.
struct Member {
    room: Arc<Room>,
    name: String,
    mailbox: Arc<Mailbox>,
}

impl Member {
    /// Says a line to everybody else. Whoever is slow holds this up for a moment, and once.
    async fn tell_others(&self, line: &str) {
        let line: Arc<str> = line.into();
        for mailbox in self.others() {
            mailbox.put(&line).await;
        }
    }

    /// The same, but those whose mailbox is full miss it.
    fn notify_others(&self, line: &str) {
        let line: Arc<str> = line.into();
        self.others()
            .iter()
            .for_each(|mailbox| mailbox.put_now(&line));
    }

    fn others(&self) -> Vec<Arc<Mailbox>> {
        let members = self.room.members();
        let others = members.iter().filter(|(name, _)| **name != self.name);
        others.map(|(_, mailbox)| Arc::clone(mailbox)).collect()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.room.members().remove(&self.name);
        let how = match self.mailbox.is_slow.load(Ordering::Relaxed) {
            true => "was dropped: too slow",
            false => "has left",
        };
        self.notify_others(&format!("* {} {how}", self.name));
    }
}

/// What waits for a client. Bounded: who leaves it full for too long is dropped.
struct Mailbox {
    lines: Mutex<VecDeque<Arc<str>>>,
    has_line: Notify,
    /// A permit for each line that it still has room for.
    room: Semaphore,
    is_slow: AtomicBool,
    has_slowed: Notify,
}

impl Default for Mailbox {
    fn default() -> Self {
        Mailbox {
            lines: Mutex::default(),
            has_line: Notify::new(),
            room: Semaphore::new(MAILBOX_MAX),
            is_slow: AtomicBool::new(false),
            has_slowed: Notify::new(),
        }
    }
}

impl Mailbox {
    fn lines(&self) -> MutexGuard<'_, VecDeque<Arc<str>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a line there, and gives up on a client that leaves no room for it.
    async fn put(&self, line: &Arc<str>) {
        match timeout(PATIENCE, self.room.acquire()).await {
            Ok(Ok(permit)) => self.push(permit, line),
            _ => {
                self.is_slow.store(true, Ordering::Relaxed);
                self.has_slowed.notify_one();
            }
        }
    }

    fn put_now(&self, line: &Arc<str>) {
        if let Ok(permit) = self.room.try_acquire() {
            self.push(permit, line);
        }
    }

    fn push(&self, permit: Permit<'_>, line: &Arc<str>) {
        // It comes back when the line is taken.
        permit.forget();
        self.lines().push_back(Arc::clone(line));
        self.has_line.notify_one();
    }

    /// The next line. There is one reader, so a notification that is kept is never too few.
    async fn next(&self) -> Arc<str> {
        loop {
            let line = self.lines().pop_front();
            if let Some(line) = line {
                // It cannot be more than there were.
                let _ = self.room.add_permits(1);
                return line;
            }
            self.has_line.notified().await;
        }
    }

    /// Waits until somebody has given up on the client.
    async fn slow(&self) {
        self.has_slowed.notified().await;
    }
}
