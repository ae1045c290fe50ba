//! `gather!` and `try_gather!`: a fixed number of futures of any types.

use core::fmt;
use core::future::Future;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::ready::Ready;
use super::slot::Slot;

/// Runs up to 16 futures of different types concurrently in the caller's task, and gives the tuple of
/// their outputs: `gather!(a, b, c).await`.
///
/// They are first polled in the order of the arguments, and then only when they are woken. They may
/// borrow, and need not be [`Send`]. For any number of futures of one type, see
/// [`gather`](crate::gather()).
///
/// The futures are part of the future that this gives. It allocates nothing if they are ready at once, and
/// else once.
///
/// # Cancel safety
///
/// If the future is dropped, those that have not ended are dropped with it, in order, and outputs that are
/// there already are lost.
///
/// # Panics
///
/// A panic of one of the futures goes on through the gathering one, and the others are dropped. Who polls
/// after that gets a panic that says so.
///
/// # If you know tokio
///
/// `tokio::join!` awaits by itself; here an `.await` follows, or the future goes somewhere else first.
/// `join!` also polls every future whenever one of them is woken.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, sleep};
///
/// # tenter::run(async {
/// let name = String::from("Anna");
/// let (length, _, double) = tenter::gather!(
///     async { name.len() }, // borrows
///     sleep(Duration::from_millis(1)),
///     async { 2 * 21 },
/// )
/// .await;
/// assert_eq!((length, double), (4, 42));
/// # });
/// ```
#[doc(alias = "join")]
#[macro_export]
macro_rules! gather {
    ($($future:expr),* $(,)?) => {
        $crate::__private::combine::gather_tuple(
            ($($crate::__private::combine::IntoFuture::into_future($future),)*)
        )
    };
}

/// Like [`gather!`](crate::gather!), for futures that may fail: `Ok` of the tuple of their values if all
/// succeed, else the first error.
///
/// At the first error the other futures are dropped, in order, before this returns. The errors are all of
/// one type.
///
/// # Errors
///
/// The error of the future that fails first. Of several that fail at one moment, it is the one that was
/// woken first, or comes first in the arguments.
///
/// # Cancel safety
///
/// That of [`gather!`](crate::gather!).
///
/// # Panics
///
/// As [`gather!`](crate::gather!).
///
/// # Examples
///
/// ```
/// # tenter::run(async {
/// let good = tenter::try_gather!(async { "1".parse::<u8>() }, async { Ok('x') }).await;
/// assert_eq!(good, Ok((1, 'x')));
/// let bad = tenter::try_gather!(async { "one".parse::<u8>() }, std::future::pending::<Result<(), _>>());
/// assert!(bad.await.is_err());
/// # });
/// ```
#[doc(alias = "try_join")]
#[macro_export]
macro_rules! try_gather {
    ($($future:expr),* $(,)?) => {
        $crate::__private::combine::try_gather_tuple(
            ($($crate::__private::combine::IntoFuture::into_future($future),)*)
        )
    };
}

/// A tuple of futures.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`gather!` takes at most 16 futures",
    note = "a `gather!` may be one of the futures of another, and `gather` takes any number of one type"
)]
pub trait Tuple {
    /// Where they and their outputs are.
    type Slots;
    /// The outputs.
    type Output;
    /// How many.
    const LEN: usize;
    /// Begins.
    fn into_slots(self) -> Self::Slots;
    /// Polls one. `Ready`, once: its output is in its place.
    fn poll(slots: Pin<&mut Self::Slots>, index: u32, cx: &mut Context<'_>) -> Poll<()>;
    /// Takes the outputs, if all of them are there.
    fn take(slots: Pin<&mut Self::Slots>) -> Option<Self::Output>;
}

/// A tuple of futures that may fail.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`try_gather!` takes at most 16 futures of results with one type of error"
)]
pub trait TryTuple: Tuple {
    /// The values.
    type Values;
    /// The error.
    type Error;
    /// Whether the output of one is there and is an error.
    fn is_error(slots: &Self::Slots, index: u32) -> bool;
    /// Takes an error.
    fn take_error(slots: Pin<&mut Self::Slots>, index: u32) -> Option<Self::Error>;
    /// Takes the values, if all of them are there.
    fn take_values(slots: Pin<&mut Self::Slots>) -> Option<Self::Values>;
    /// Drops what is left, in order.
    fn clear(slots: Pin<&mut Self::Slots>);
}

/// What is behind `gather!`.
#[doc(hidden)]
pub fn gather_tuple<T: Tuple>(futures: T) -> GatherTuple<T> {
    GatherTuple {
        ready: Ready::new(T::LEN),
        slots: futures.into_slots(),
    }
}

/// What is behind `try_gather!`.
#[doc(hidden)]
pub fn try_gather_tuple<T: TryTuple>(futures: T) -> TryGatherTuple<T> {
    TryGatherTuple {
        ready: Ready::new(T::LEN),
        failed: None,
        slots: futures.into_slots(),
    }
}

/// The future of [`gather!`](crate::gather!).
#[must_use = "futures do nothing unless they are awaited"]
pub struct GatherTuple<T: Tuple> {
    ready: Ready,
    slots: T::Slots,
}

impl<T: Tuple> Future for GatherTuple<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        // SAFETY: `slots` is pinned with the struct, which has no `Drop`, and is `Unpin` only if they are;
        // `ready` is not pinned.
        let (ready, mut slots) = unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.ready, Pin::new_unchecked(&mut this.slots))
        };
        ready.open();
        ready.round(cx, |index, cx| {
            T::poll(slots.as_mut(), index, cx).map(ControlFlow::Continue)
        });
        if ready.left() > 0 {
            return Poll::Pending;
        }
        ready!(ready.pay(cx));
        ready.set_ended();
        let Some(outputs) = T::take(slots) else {
            unreachable!("all of them have ended")
        };
        Poll::Ready(outputs)
    }
}

impl<T: Tuple> fmt::Debug for GatherTuple<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GatherTuple").field(&self.ready).finish()
    }
}

/// The future of [`try_gather!`](crate::try_gather!).
#[must_use = "futures do nothing unless they are awaited"]
pub struct TryGatherTuple<T: TryTuple> {
    ready: Ready,
    failed: Option<u32>,
    slots: T::Slots,
}

impl<T: TryTuple> Future for TryGatherTuple<T> {
    type Output = Result<T::Values, T::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: as for `GatherTuple`; `failed` is not pinned.
        let (ready, failed, mut slots) = unsafe {
            let this = self.get_unchecked_mut();
            let slots = Pin::new_unchecked(&mut this.slots);
            (&mut this.ready, &mut this.failed, slots)
        };
        ready.open();
        if failed.is_none() {
            ready.round(cx, |index, cx| {
                T::poll(slots.as_mut(), index, cx).map(|()| {
                    if !T::is_error(&slots, index) {
                        return ControlFlow::Continue(());
                    }
                    *failed = Some(index);
                    ControlFlow::Break(())
                })
            });
        }
        if failed.is_none() && ready.left() > 0 {
            return Poll::Pending;
        }
        ready!(ready.pay(cx));
        ready.set_ended();
        if let Some(error) = failed.and_then(|index| T::take_error(slots.as_mut(), index)) {
            T::clear(slots);
            return Poll::Ready(Err(error));
        }
        let Some(values) = T::take_values(slots) else {
            unreachable!("all of them have ended, and none has failed")
        };
        Poll::Ready(Ok(values))
    }
}

impl<T: TryTuple> fmt::Debug for TryGatherTuple<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TryGatherTuple").field(&self.ready).finish()
    }
}

/// Nothing to wait for.
impl Tuple for () {
    type Slots = ();
    type Output = ();
    const LEN: usize = 0;

    fn into_slots(self) {}

    fn poll(_: Pin<&mut ()>, index: u32, _: &mut Context<'_>) -> Poll<()> {
        unreachable!("there is no member {index}")
    }

    fn take(_: Pin<&mut ()>) -> Option<()> {
        Some(())
    }
}

/// A part of a pinned tuple.
macro_rules! part {
    ($slots:expr, $index:tt) => {
        // SAFETY: each part of a pinned tuple is pinned: it is moved no more than the tuple is.
        unsafe { $slots.as_mut().map_unchecked_mut(|slots| &mut slots.$index) }
    };
}

macro_rules! tuples {
    ($($future:ident $value:ident $index:tt),*) => {
        impl<$($future: Future),*> Tuple for ($($future,)*) {
            type Slots = ($(Slot<$future>,)*);
            type Output = ($($future::Output,)*);
            const LEN: usize = [$($index),*].len();

            fn into_slots(self) -> Self::Slots {
                ($(Slot::Running(self.$index),)*)
            }

            fn poll(mut slots: Pin<&mut Self::Slots>, index: u32, cx: &mut Context<'_>) -> Poll<()> {
                match index {
                    $($index => part!(slots, $index).poll(cx),)*
                    _ => unreachable!("there is no member {index}"),
                }
            }

            fn take(mut slots: Pin<&mut Self::Slots>) -> Option<Self::Output> {
                Some(($(part!(slots, $index).take()?,)*))
            }
        }

        impl<Z, $($value, $future: Future<Output = Result<$value, Z>>),*> TryTuple for ($($future,)*) {
            type Values = ($($value,)*);
            type Error = Z;

            fn is_error(slots: &Self::Slots, index: u32) -> bool {
                match index {
                    $($index => matches!(slots.$index.output(), Some(Err(_))),)*
                    _ => unreachable!("there is no member {index}"),
                }
            }

            fn take_error(mut slots: Pin<&mut Self::Slots>, index: u32) -> Option<Z> {
                match index {
                    $($index => part!(slots, $index).take()?.err(),)*
                    _ => unreachable!("there is no member {index}"),
                }
            }

            fn take_values(mut slots: Pin<&mut Self::Slots>) -> Option<Self::Values> {
                Some(($(part!(slots, $index).take()?.ok()?,)*))
            }

            fn clear(mut slots: Pin<&mut Self::Slots>) {
                $(part!(slots, $index).set(Slot::Gone);)*
            }
        }
    };
}

tuples!(A VA 0);
tuples!(A VA 0, B VB 1);
tuples!(A VA 0, B VB 1, C VC 2);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8, J VJ 9);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8, J VJ 9, K VK 10);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8, J VJ 9, K VK 10, L VL 11);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8, J VJ 9, K VK 10, L VL 11, M VM 12);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8, J VJ 9, K VK 10, L VL 11, M VM 12, N VN 13);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8, J VJ 9, K VK 10, L VL 11, M VM 12, N VN 13, O VO 14);
tuples!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8, J VJ 9, K VK 10, L VL 11, M VM 12, N VN 13, O VO 14, P VP 15);
