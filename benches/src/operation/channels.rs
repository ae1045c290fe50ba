//! What is done with queues and with channels of every kind.

use std::hint::black_box;
use std::sync::Arc;

use super::Countdown;
use crate::peer::Peer;
use crate::primitive::{Bounded, Broadcast, Channel, Oneshot, Unbounded, Watch};

/// What a bounded channel of a row holds.
pub const CAPACITY: usize = 100;
/// Producers where there are many, and consumers.
const MANY: u64 = 4;
/// Receivers of a broadcast.
pub const LISTENERS: u64 = 100;
/// Tells a consumer to end.
const END: u64 = u64::MAX;

/// Puts a number in and takes it out, in one task.
pub async fn put_and_get<C: Bounded>(n: u64) {
    put_and_get_of::<C>(C::new(CAPACITY), n).await;
}

/// The same without bounds.
pub async fn put_and_get_unbounded<C: Unbounded>(n: u64) {
    put_and_get_of::<C>(C::new(), n).await;
}

async fn put_and_get_of<C: Channel>((mut put, mut get): (C::Sender, C::Receiver), n: u64) {
    for i in 0..n {
        C::send(&mut put, i).await;
        black_box(C::receive(&mut get).await);
    }
}

/// One producer, one consumer.
pub async fn one_to_one<P: Peer, C: Bounded>(n: u64) {
    to_one::<P, C>(1, C::new(CAPACITY), n).await;
}

/// The same with room for one.
pub async fn one_to_one_of_one<P: Peer, C: Bounded>(n: u64) {
    to_one::<P, C>(1, C::new(1), n).await;
}

/// Four producers, one consumer.
pub async fn four_to_one<P: Peer, C: Bounded>(n: u64) {
    to_one::<P, C>(MANY, C::new(CAPACITY), n).await;
}

/// One producer, one consumer, no bounds.
pub async fn one_to_one_unbounded<P: Peer, C: Unbounded>(n: u64) {
    to_one::<P, C>(1, C::new(), n).await;
}

/// Four producers, one consumer, no bounds.
pub async fn four_to_one_unbounded<P: Peer, C: Unbounded>(n: u64) {
    to_one::<P, C>(MANY, C::new(), n).await;
}

/// Four producers, four consumers.
pub async fn four_to_four<P: Peer, C: Bounded>(n: u64)
where
    C::Receiver: Clone,
{
    let (put, get) = C::new(CAPACITY);
    transfer::<P, C>(put, MANY, vec![get; MANY as usize], n).await;
}

async fn to_one<P: Peer, C: Channel>(producers: u64, (put, get): (C::Sender, C::Receiver), n: u64) {
    transfer::<P, C>(put, producers, vec![get], n).await;
}

/// `producers` tasks put `n` numbers in, and one for each of `receivers` takes them out.
async fn transfer<P: Peer, C: Channel>(
    mut put: C::Sender,
    producers: u64,
    receivers: Vec<C::Receiver>,
    n: u64,
) {
    let consumers = receivers.len() as u64;
    let (sent, received) = (Countdown::new(producers), Countdown::new(consumers));
    for mut get in receivers {
        let received = Arc::clone(&received);
        P::spawn_detached(async move {
            while black_box(C::receive(&mut get).await) != END {}
            received.tick();
        });
    }
    for i in 0..producers {
        let (mut put, sent) = (put.clone(), Arc::clone(&sent));
        let share = n / producers + u64::from(i < n % producers);
        P::spawn_detached(async move {
            for i in 0..share {
                C::send(&mut put, i).await;
            }
            sent.tick();
        });
    }
    sent.zero().await;
    for _ in 0..consumers {
        C::send(&mut put, END).await;
    }
    received.zero().await;
}

/// Two tasks exchange a number over two channels; a round trip is one operation.
pub async fn queue_round_trip<P: Peer, C: Bounded>(n: u64) {
    let (mut ping, mut pinged) = C::new(CAPACITY);
    let (mut pong, mut ponged) = C::new(CAPACITY);
    let other = P::spawn(async move {
        for _ in 0..n {
            let value = C::receive(&mut pinged).await;
            C::send(&mut pong, value).await;
        }
    });
    for i in 0..n {
        C::send(&mut ping, i).await;
        black_box(C::receive(&mut ponged).await);
    }
    other.await;
}

/// Makes a channel for one number, sends and receives, all in one task.
pub async fn oneshot_in_task<O: Oneshot>(n: u64) {
    for i in 0..n {
        let (sender, receiver) = O::new();
        O::send(sender, i);
        black_box(O::receive(receiver).await);
    }
}

/// Makes a channel for one number and receives what a fresh task sends.
pub async fn oneshot_across_tasks<P: Peer, O: Oneshot>(n: u64) {
    for i in 0..n {
        let (sender, receiver) = O::new();
        P::spawn_detached(async move { O::send(sender, i) });
        black_box(O::receive(receiver).await);
    }
}

/// A number is sent to a hundred tasks that wait for it, and the next when all have it; a number that
/// one of them has is one operation.
pub async fn broadcast<P: Peer, B: Broadcast>(n: u64) {
    let sender = B::new(16);
    let rounds = n.div_ceil(LISTENERS);
    // One countdown a round: each listener ticks those that it has seen.
    let seen: Arc<[_]> = (0..rounds).map(|_| Countdown::from(LISTENERS)).collect();
    for _ in 0..LISTENERS {
        let (seen, mut receiver) = (Arc::clone(&seen), B::subscribe(&sender));
        P::spawn_detached(async move {
            for countdown in &*seen {
                black_box(B::receive(&mut receiver).await);
                countdown.tick();
            }
        });
    }
    for (i, countdown) in seen.iter().enumerate() {
        B::send(&sender, i as u64);
        countdown.zero().await;
    }
}

/// Two tasks show each other numbers over two watches; a round trip is one operation.
pub async fn watch_round_trip<P: Peer, W: Watch>(n: u64) {
    let (ping, mut pinged) = W::new();
    let (pong, mut ponged) = W::new();
    let other = P::spawn(async move {
        for _ in 0..n {
            let value = W::changed(&mut pinged).await;
            W::send(&pong, value);
        }
        // The last number is seen before its sender goes.
        pong
    });
    for i in 1..=n {
        W::send(&ping, i);
        black_box(W::changed(&mut ponged).await);
    }
    drop(other.await);
}
