//! hyper and axum on tenter.
//!
//! [`serve()`] runs a tower service, such as an axum `Router`, on a listener of tenter:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use tenter::net::TcpListener;
//!
//! #[tenter::main]
//! async fn main() -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:8080").await?;
//!     let app = Router::new().route("/", get(|| async { "hello" }));
//!     let ctrl_c = async { drop(tenter::signal::ctrl_c().await) };
//!     let report = tenter_http::serve(listener, app).with_graceful_shutdown(ctrl_c).await?;
//!     println!("{report}");
//!     Ok(())
//! }
//! ```
//!
//! [`Client`] asks servers, and keeps its connections:
//!
//! ```no_run
//! # async fn example() -> Result<(), tenter_http::Error> {
//! let client = tenter_http::Client::new();
//! let response = client.get("http://127.0.0.1:8080/").await?;
//! println!("{}: {}", response.status(), response.text().await?);
//! # Ok(())
//! # }
//! ```
//!
//! For other uses of hyper there are the adapters that it asks for: [`TenterExecutor`],
//! [`TenterTimer`] and [`TenterIo`]. None of them brings another runtime into the process: of the
//! crate `tokio` only the channels are compiled, which hyper uses inside.
//!
//! # Map
//!
//! | file | what |
//! |---|---|
//! | `serve` | the server, on the accept loop of `tenter::net` |
//! | `connection` | one connection, as a task |
//! | `peer` | the peer's address on every request |
//! | `client/` | the client |
//! | `dial` | connections that are opened |
//! | `connector` | the same for the client of hyper-util |
//! | `executor`, `timer`, `stream` | hyper's traits for tenter's types |
#![deny(unsafe_code)]

pub use bytes::Bytes;
pub use http;

pub use crate::client::{
    Client, ClientBuilder, Error, ErrorKind, RequestBuilder, Response, ResponseFuture,
};
#[cfg(feature = "connector")]
pub use crate::connector::{Connecting, Connector, client};
pub use crate::dial::ConnectError;
pub use crate::executor::TenterExecutor;
pub use crate::peer::Peer;
pub use crate::serve::{Serve, ServeFuture, ServeReport, serve};
pub use crate::stream::TenterIo;
pub use crate::timer::{TenterSleep, TenterTimer};

mod client;
mod connection;
#[cfg(feature = "connector")]
mod connector;
mod dial;
mod executor;
mod peer;
mod serve;
#[expect(
    unsafe_code,
    reason = "hyper hands out uninitialised buffers to read into"
)]
mod stream;
#[expect(
    unsafe_code,
    reason = "pins the sleep inside the type that carries hyper's trait"
)]
mod timer;

/// An error of any type, as tower and hyper pass them on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
