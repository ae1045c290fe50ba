//! What a row of the table is checked with.

/// Whether a type has a trait: of two constants of one name, the one of the type itself comes before
/// that of a trait, if its bounds hold.
macro_rules! implements {
    ($type:ty, $trait:path) => {{
        #[allow(dead_code, reason = "used for the types that have it not")]
        trait Otherwise {
            const ANSWER: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Ask<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "used for the types that have the trait")]
        impl<T: ?Sized + $trait> Ask<T> {
            const ANSWER: bool = true;
        }
        <Ask<$type>>::ANSWER
    }};
}

macro_rules! expect {
    ($type:ty, $trait:path, +) => {
        assert!(
            implements!($type, $trait),
            concat!(stringify!($type), " is not ", stringify!($trait))
        );
    };
    ($type:ty, $trait:path, -) => {
        assert!(
            !implements!($type, $trait),
            concat!(stringify!($type), " is ", stringify!($trait))
        );
    };
}

macro_rules! table {
    ($($type:ty => $send:tt $sync:tt $unpin:tt $(, $unwind:tt)?;)*) => { $(
        const _: () = {
            expect!($type, Send, $send);
            expect!($type, Sync, $sync);
            expect!($type, Unpin, $unpin);
            $(expect!($type, std::panic::UnwindSafe, $unwind);)?
        };
    )* };
}
