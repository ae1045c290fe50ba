//! Sending, receiving and waiting allocate nothing once a channel is warm.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use support::poll;
use tenter_sync::channel::{self, Receiver, Sender};

struct Counting;

std::thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator, whose contract it keeps unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One of everything, with waits on both sides.
fn round(sender: &Sender<u64>, receiver: &mut Receiver<u64>) {
    let second = sender.clone();
    if sender.try_send(1).is_ok() {
        assert_eq!(receiver.try_recv(), Ok(1));
    }
    {
        let mut recv = pin!(receiver.recv());
        assert!(poll(recv.as_mut()).is_pending());
        assert_eq!(poll(pin!(second.send(2))), Poll::Ready(Ok(())));
        assert_eq!(poll(recv), Poll::Ready(Ok(2)));
    }
    {
        let mut sends = [pin!(sender.send(3)), pin!(second.send(4))];
        let sent = sends.each_mut().map(|send| poll(send.as_mut()).is_ready());
        assert_eq!([(); 2].map(|()| receiver.try_recv()), [Ok(3), Ok(4)]);
        for (send, sent) in sends.into_iter().zip(sent) {
            assert!(sent || poll(send).is_ready());
        }
    }
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut *receiver).poll_next(&mut cx).is_pending());
    assert_eq!(sender.try_send(5), Ok(()));
    let next = Pin::new(receiver).poll_next(&mut cx);
    assert_eq!(next, Poll::Ready(Some(5)));
}

#[test]
fn a_warm_channel_allocates_nothing() {
    for (sender, mut receiver) in [
        channel::bounded(1),
        channel::bounded(8),
        channel::unbounded(),
        channel::rendezvous(),
    ] {
        let mut before = 0;
        for number in 0..400 {
            if number == 200 {
                before = ALLOCATIONS.with(Cell::get);
            }
            round(&sender, &mut receiver);
        }
        let capacity = sender.capacity();
        let after = ALLOCATIONS.with(Cell::get);
        assert_eq!(after - before, 0, "of capacity {capacity:?}");
    }
}
