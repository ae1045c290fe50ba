//! The accept loop of one listener.

use core::future::Future;
use core::panic::Location;
use core::pin::pin;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tenter_timer::sleep;

use super::connection::Connection;
use super::handling::{Handling, Seat};
use super::listener::Listener;
use super::options::OnAcceptError;
use super::shared::{Shared, until};
use super::trouble::{Next, Trouble};
use crate::handle::Handle;
use crate::hooks::say;
use crate::task::payload::drop_payload;

/// What accepts at one listener.
pub struct Acceptor<L, H> {
    pub server: Arc<Shared>,
    pub listener: L,
    pub handler: H,
    /// Which of the server's listeners this is.
    pub shard: u16,
    pub on_error: Option<OnAcceptError>,
    pub runtime: Handle,
    pub served_at: &'static Location<'static>,
}

impl<L, H, F> Acceptor<L, H>
where
    L: Listener,
    H: FnMut(Connection<L::Stream, L::Address>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    /// Accepts until the server closes. The listener is closed when this returns.
    ///
    /// # Errors
    ///
    /// The listener can accept no more.
    pub async fn run(mut self) -> io::Result<()> {
        let server = Arc::clone(&self.server);
        let mut closing = pin!(server.closing.wait());
        let mut trouble = Trouble::default();
        loop {
            // The place first: at the limit connections stay in the backlog.
            let place = server.place(self.shard.into());
            let Some(place) = until(closing.as_mut(), place).await else {
                return Ok(());
            };
            let Some(accepted) = until(closing.as_mut(), self.listener.next()).await else {
                return Ok(());
            };
            match accepted {
                Ok((stream, peer)) => {
                    trouble.is_over();
                    // The connection's from here on: its seat puts it back.
                    if let Some(place) = place {
                        place.forget();
                    }
                    self.admit(stream, peer);
                }
                Err(error) => {
                    drop(place);
                    let pause = match trouble.after(&error) {
                        Next::GiveUp => return Err(error),
                        Next::Again => None,
                        Next::Pause(length) => Some(length),
                    };
                    self.survived(&error, &mut trouble);
                    if let Some(length) = pause {
                        // If the server closes meanwhile, the loop finds that out.
                        let _ = until(closing.as_mut(), sleep(length)).await;
                    }
                }
            }
        }
    }

    /// Makes a connection a task.
    fn admit(&mut self, stream: L::Stream, peer: L::Address) {
        let key = self.server.enter(L::peer(&peer));
        let seat = Seat::new(Arc::clone(&self.server), key, self.shard);
        let connection = Connection::new(stream, peer, Arc::clone(&self.server));
        let (runtime, at) = (&self.runtime, self.served_at);
        let handler = &mut self.handler;
        let task = match catch_unwind(AssertUnwindSafe(|| handler(connection))) {
            Ok(future) => runtime.spawn_with(Handling::new(future, seat), None, at),
            Err(payload) => runtime.spawn_with(seat.panic(payload), None, at),
        };
        self.server.started(key, task);
    }

    /// Counts and tells a failed accept.
    #[cold]
    fn survived(&self, error: &io::Error, trouble: &mut Trouble) {
        let count = self.server.accept_failed();
        match &self.on_error {
            None if trouble.is_to_be_told(tenter_timer::now()) => {
                say(&format!("tenter: {error} ({count} failed so far)"));
            }
            None => {}
            Some(report) => {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| report(error))) {
                    drop_payload(payload);
                    say(
                        "tenter: the function given to ServeOptions::on_accept_error panicked, \
                         which it must not; the server goes on",
                    );
                }
            }
        }
    }
}
