//! Run: `cargo run --release --example guest`: prints what a window shows while a task works in its loop
//!
//! A toolkit for windows has a loop of its own, which must not be blocked, and what it shows may be touched by
//! its thread alone. tenter is a guest in that loop: its tasks run on the very same thread, a turn at a time,
//! so they change what is shown without locks. While nothing is ready, no turn is posted.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tenter::time::sleep;
use tenter::{Builder, Guest, JoinError, Turn, spawn_blocking};

/// What the loop of the toolkit gets. A real one has its own type for "call this on the thread of the
/// windows": an event of the user, an idle function, a message.
enum Event {
    /// Somebody pressed a button.
    Pressed(&'static str),
    /// The guest wants to go on.
    Turn(Turn),
    /// The last window was closed.
    Quit,
}

/// A window. It is not `Send`.
#[derive(Clone)]
struct Window {
    label: Rc<RefCell<String>>,
    events: Sender<Event>,
}

impl Window {
    fn show(&self, text: &str) {
        println!("label: {text}");
        text.clone_into(&mut self.label.borrow_mut());
    }

    /// In a real program the user does this.
    fn press(&self, button: &'static str) {
        // Without a loop nothing happens.
        let _ = self.events.send(Event::Pressed(button));
    }
}

/// The main future of the guest: what the program does beside the handlers of its buttons.
async fn work(window: Window) -> u64 {
    window.show("counting");
    // What computes or blocks does so elsewhere, and the window stays alive.
    let sum = spawn_blocking(|| (1..=1_000_000_u64).sum());
    let sum = sum.await.expect("no panic");
    window.show(&format!("the sum is {sum}"));
    sleep(Duration::from_millis(5)).await;
    window.press("greet");
    sleep(Duration::from_secs(3_600)).await;
    sum
}

/// What a button does. The handler itself returns at once; what takes time is a task of the guest.
fn pressed(button: &str, window: &Window, guest: &Guest) {
    println!("pressed: {button}");
    if button == "close" {
        guest.cancel("the window was closed");
        return;
    }
    let window = window.clone();
    let greeting = async move {
        sleep(Duration::from_millis(1)).await;
        window.show("hello");
        window.press("close");
    };
    // Nobody waits for it: it ends by itself, or with the guest.
    drop(guest.spawn_local(greeting));
}

fn run_loop(events: &Receiver<Event>, window: &Window, guest: &Guest) {
    for event in events {
        match event {
            Event::Pressed(button) => pressed(button, window, guest),
            Event::Turn(turn) => turn.run(),
            Event::Quit => return,
        }
    }
}

fn main() -> std::io::Result<()> {
    let (sender, events) = channel();
    let window = Window {
        label: Rc::default(),
        events: sender.clone(),
    };
    let runtime = Builder::current_thread().build()?;
    // Called from any thread: it only leaves the turn to the loop.
    let poster = {
        let sender = sender.clone();
        move |turn| drop(sender.send(Event::Turn(turn)))
    };
    let done = move |ended: Result<u64, JoinError>| {
        match ended {
            Ok(sum) => println!("done: {sum}"),
            Err(error) if error.is_cancelled() => println!("done: {error}"),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
        // The guest has cleaned up; now the loop may end.
        let _ = sender.send(Event::Quit);
    };
    let guest = runtime.guest(poster);
    let guest = guest.start(work(window.clone()), done)?;
    run_loop(&events, &window, &guest);
    println!("the label says: {}", window.label.borrow());
    Ok(())
}
