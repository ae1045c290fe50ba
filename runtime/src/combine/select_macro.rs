//! `select!`.
//!
//! The arms are taken one after the other, and put into one list of branches, which then is expanded at
//! once:
//!
//! ```text
//!  @arm   reads what is before `=>`          @body  reads what is behind it
//!  @add   gives a branch its name and number @emit  expands
//! ```
//!
//! A name stands for three things, each where only one can be meant: the variable of the future, the
//! variant of the output, and the parameter that is its type. No name of the macro can be seen by the
//! expressions of the user.
//!
//! Whether a pattern matches is asked without a move: the guard of an arm sees what the pattern binds, and
//! then refuses it. So every pattern that a `match` takes can be used, and is matched once more, for good,
//! when the futures are gone.
//!
//! Rejected: a procedural macro, which would have to know patterns to take the bindings out of them.
//! Rejected: dropping the futures in the order of their variables, last first. They are declared from the
//! last to the first.

/// Waits for several futures in the caller's task, takes the branch of the first that completes with an
/// output that its pattern matches, and drops the others.
///
/// ```text
/// select! {
///     biased;                                         // optional
///     pattern = future => handler,
///     pattern = future, if precondition => handler,   // up to 32 branches
///     else => handler,                                // optional
///     complete => handler,                            // optional
/// }
/// ```
///
/// First all preconditions are evaluated, then all expressions of futures, in order, also those of branches
/// that are not wanted. Then the branches that are wanted are polled. When one completes and its pattern
/// matches, all futures are dropped, in order, and then its handler runs: it may use whatever the futures
/// had borrowed, and `break`, `return`, `?` and `.await`. Its value is that of `select!`. When the
/// pattern does not match, that branch is out, and the others go on.
///
/// - Which branch is polled first is left to chance at each poll, so that none of several which are always
///   ready starves another. On the deterministic flavour the seed decides. With `biased;` it is the order
///   in which they are written.
/// - `else` runs when no branch can be chosen any more: the preconditions of all are false, or none of the
///   patterns has matched. With `complete` as well, that one runs in the latter case: all branches that
///   were wanted have completed. Either stands for both if it is alone.
/// - A branch that is a [`FusedFuture`](https://docs.rs/futures-core/0.3/futures_core/future/trait.FusedFuture.html)
///   and is over counts as one that has completed.
/// - After the first poll, a branch is polled only when it has been woken. Branches borrow, and need not be
///   [`Send`]. One that shall go on later is given by reference, `&mut future`, and has to be [`Unpin`],
///   as a pinned one is.
///
/// # Cancel safety
///
/// The futures of all branches but the chosen one are dropped at whatever they were waiting for. What
/// that means is written with each function. If `select!` itself is dropped while it waits, so are all of
/// them, in order.
///
/// # Panics
///
/// When no branch can be chosen, and there is neither `else` nor `complete`. A panic of a branch goes on
/// through `select!`.
///
/// # If you know tokio
///
/// It is written in the same way. There are `complete` and fused futures in addition, and branches
/// that were not woken are not polled again.
///
/// # Examples
///
/// ```
/// use tenter::sync::channel;
/// use tenter::time::{Duration, interval};
///
/// # tenter::run(async {
/// let (sender, jobs) = channel::unbounded();
/// let mut ticks = interval(Duration::from_millis(1));
/// tenter::spawn(async move {
///     for job in 1..=3 {
///         sender.send(job).await.expect("somebody receives");
///     }
/// });
/// let mut sum = 0;
/// loop {
///     tenter::select! {
///         Ok(job) = jobs.recv() => sum += job,
///         _ = ticks.tick(), if sum < 6 => println!("waiting"),
///         else => break, // the sender is gone, and the sum is there
///     }
/// }
/// assert_eq!(sum, 6);
/// # });
/// ```
#[macro_export]
macro_rules! select {
    (biased; $($arms:tt)+) => {
        $crate::__select!(@begin true $($arms)+)
    };
    (biased $(;)?) => {
        ::core::compile_error!("`select!` needs at least one branch: `pattern = future => handler`")
    };
    () => {
        ::core::compile_error!("`select!` needs at least one branch: `pattern = future => handler`")
    };
    ($($arms:tt)+) => {
        $crate::__select!(@begin false $($arms)+)
    };
}

/// The work of [`select!`](crate::select!).
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    (@begin $biased:tt $($arms:tt)+) => {
        $crate::__select!(@arm [$biased {} {} {} {} (
            _0 0 _1 1 _2 2 _3 3 _4 4 _5 5 _6 6 _7 7
            _8 8 _9 9 _10 10 _11 11 _12 12 _13 13 _14 14 _15 15
            _16 16 _17 17 _18 18 _19 19 _20 20 _21 21 _22 22 _23 23
            _24 24 _25 25 _26 26 _27 27 _28 28 _29 29 _30 30 _31 31
        )] $($arms)+)
    };

    // What is before `=>`. The state is: biased, branches, names from the last to the first, else,
    // complete, names that are left.
    (@arm [$($state:tt)*]) => {
        $crate::__select!(@emit $($state)*)
    };
    (@arm $state:tt else => $($rest:tt)+) => {
        $crate::__select!(@body $state (else) $($rest)+)
    };
    (@arm $state:tt complete => $($rest:tt)+) => {
        $crate::__select!(@body $state (complete) $($rest)+)
    };
    (@arm $state:tt $pattern:pat = $future:expr, if $wanted:expr => $($rest:tt)+) => {
        $crate::__select!(@body $state (branch ($pattern) ($future) ($wanted)) $($rest)+)
    };
    (@arm $state:tt $pattern:pat = $future:expr => $($rest:tt)+) => {
        $crate::__select!(@body $state (branch ($pattern) ($future) (true)) $($rest)+)
    };

    // What is behind it.
    (@body $state:tt $head:tt $handler:block, $($rest:tt)*) => {
        $crate::__select!(@add $state $head ($handler) $($rest)*)
    };
    (@body $state:tt $head:tt $handler:block $($rest:tt)*) => {
        $crate::__select!(@add $state $head ($handler) $($rest)*)
    };
    (@body $state:tt $head:tt $handler:expr, $($rest:tt)*) => {
        $crate::__select!(@add $state $head ($handler) $($rest)*)
    };
    (@body $state:tt $head:tt $handler:expr) => {
        $crate::__select!(@add $state $head ($handler))
    };

    (@add [$biased:tt {$($branches:tt)*} {$($last:ident)*} $else:tt $complete:tt
        ($name:ident $index:literal $($names:tt)*)]
        (branch $pattern:tt $future:tt $wanted:tt) $handler:tt $($rest:tt)*
    ) => {
        $crate::__select!(@arm [
            $biased
            {$($branches)* ($name $index $pattern $future $wanted $handler)}
            {$name $($last)*}
            $else $complete ($($names)*)
        ] $($rest)*)
    };
    (@add [$biased:tt $branches:tt $last:tt {} $complete:tt $names:tt] (else) $handler:tt $($rest:tt)*) => {
        $crate::__select!(@arm [$biased $branches $last {$handler} $complete $names] $($rest)*)
    };
    (@add [$biased:tt $branches:tt $last:tt $else:tt {} $names:tt] (complete) $handler:tt $($rest:tt)*) => {
        $crate::__select!(@arm [$biased $branches $last $else {$handler} $names] $($rest)*)
    };
    (@add $state:tt (else) $($rest:tt)*) => {
        ::core::compile_error!("`select!` has `else` twice")
    };
    (@add $state:tt (complete) $($rest:tt)*) => {
        ::core::compile_error!("`select!` has `complete` twice")
    };
    (@add $state:tt (branch $($head:tt)*) $($rest:tt)*) => {
        ::core::compile_error!("`select!` takes at most 32 branches; one of them may be a `select!` in an \
                                async block, or a `race` of many futures")
    };

    (@emit $biased:tt {} $($state:tt)*) => {
        ::core::compile_error!("`select!` needs at least one branch: `pattern = future => handler`")
    };
    (@emit $biased:tt
        {$(($name:ident $index:literal ($pattern:pat) ($future:expr) ($wanted:expr) ($handler:expr)))+}
        {$($last:ident)+} $else:tt $complete:tt $names:tt
    ) => {{
        #[allow(non_camel_case_types, reason = "the names stand for variables too")]
        enum __TenterSelected<$($name),+> {
            $($name($name),)+
            __Over($crate::__private::select::Over),
        }
        #[allow(unused_mut, reason = "a pattern may bind by `ref mut`")]
        let mut selected = {
            let mut select = $crate::__private::select::Select::new($biased, &[$($wanted),+]);
            $(let $name = $future;)+
            {
                #[allow(unused_imports, reason = "one of them is enough for most")]
                use $crate::__private::select::{Fused as _, NotFused as _};
                $(if (&$crate::__private::select::Ask(&$name)).is_over() {
                    select.off($index);
                })+
            }
            $(let mut $last = ::core::pin::pin!(
                $crate::__private::combine::IntoFuture::into_future($last)
            );)+
            ::core::future::poll_fn(|cx| {
                if let ::core::option::Option::Some(held) = select.open(cx) {
                    return held;
                }
                while let ::core::option::Option::Some(index) = select.turn() {
                    match index {
                        $($index => {
                            let polled = select.poll($index, |cx| {
                                ::core::future::Future::poll($name.as_mut(), cx)
                            });
                            #[allow(unused_mut, reason = "a pattern may bind by `ref mut`")]
                            let ::core::task::Poll::Ready(mut output) = polled else {
                                continue;
                            };
                            let mut matches = false;
                            #[allow(unused_variables, unused_mut, reason = "only the match is asked for")]
                            #[allow(unreachable_patterns, reason = "the pattern may match everything")]
                            {
                                match output {
                                    $pattern if { matches = true; false } => {
                                        ::core::unreachable!("the guard refuses")
                                    }
                                    _ => {}
                                }
                            }
                            if matches {
                                return select.choose(cx, __TenterSelected::$name(output));
                            }
                            select.off($index);
                        })+
                        _ => ::core::unreachable!("there is no such branch"),
                    }
                }
                match select.end(cx) {
                    ::core::option::Option::Some(over) => {
                        ::core::task::Poll::Ready(__TenterSelected::__Over(over))
                    }
                    ::core::option::Option::None => ::core::task::Poll::Pending,
                }
            })
            .await
        };
        match selected {
            $(__TenterSelected::$name($pattern) => $handler,)+
            __TenterSelected::__Over(over) => $crate::__select!(@over over $else $complete),
            _ => ::core::unreachable!("the pattern matched before"),
        }
    }};

    (@over $over:ident {} {}) => {
        ::core::panic!(
            "select!: no branch can be chosen ({:?}): every precondition is false, or no pattern has \
             matched; add `else => ..` for that",
            $over
        )
    };
    (@over $over:ident {($handler:expr)} {}) => { $handler };
    (@over $over:ident {} {($handler:expr)}) => { $handler };
    (@over $over:ident {($else:expr)} {($complete:expr)}) => {
        match $over {
            $crate::__private::select::Over::Else => $else,
            $crate::__private::select::Over::Complete => $complete,
        }
    };

    (@$($wrong:tt)*) => {
        ::core::compile_error!(
            "`select!` is written `pattern = future => handler,` or \
             `pattern = future, if precondition => handler,`; then perhaps `else => handler` and \
             `complete => handler`"
        )
    };
}
