//! The traits of `tokio::io` on every stream.
