//! Streams, and what stands for `async with`: the table of `traits.rs` goes on.

use std::cell::Cell;
use std::future::Ready;
use std::rc::Rc;

use tenter::stream::{self, Ticks};

use super::NotUnpin;

type Body = Ready<()>;
type TryBody = Ready<Result<(), u8>>;
table! {
    stream::StreamFn<u8, Body> => + + +;
    stream::StreamFn<Cell<u8>, Body> => + + +;
    stream::StreamFn<Rc<u8>, Body> => - - +;
    stream::StreamFn<u8, NotUnpin> => + + -;
    stream::TryStreamFn<u8, TryBody> => + + +;
    stream::Yielder<u8> => + + +;
    stream::Yielder<Rc<u8>> => - - +;
    stream::Sending<'static, u8> => + + +;
    stream::Sending<'static, Rc<u8>> => - - +;
    stream::Close<'static, u8, Body> => + + +;
    stream::TryClose<'static, u8, TryBody> => + + +;
    stream::Next<'static, Ticks> => + + +;
    stream::Ticks => + + +;
    stream::Merge<Ticks> => + + +;
    stream::Merge<Rc<u8>> => - - +;
    stream::Timeout<Ticks> => + + -;
    stream::TimeoutRepeating<Ticks> => + + -;
    stream::Throttle<Ticks> => + + -;
    stream::ChunksTimeout<Ticks> => + + -;
    stream::Debounce<Ticks> => + + -;
    tenter::AsyncStack => + - +;
    tenter::Closing => + - +;
    tenter::CleanUpErrors => + + +;
}
