//! The pooled client of hyper-util over connections of tenter.

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use tenter_http::{Bytes, ConnectError, Connector, Peer, client};

use crate::harness::{HANG, Server};
use crate::hello;

fn run<T>(test: impl Future<Output = T>) -> T {
    tenter::run(async { tenter::time::timeout(HANG, test).await.expect("it hangs") })
}

/// The connector's own error, inside that of the client.
fn cause(error: &dyn Error) -> &ConnectError {
    let cause = error.source().expect("it has a cause");
    cause.downcast_ref().expect("it is that of the connector")
}

/// Goal: requests one after the other are answered, and each says who has answered.
#[test]
fn the_client_of_hyper_util_runs_on_tenter() {
    let mut server = Server::start(hello());
    let address = server.address;
    run(async move {
        let client = client::<Empty<Bytes>>();
        for _ in 0..10 {
            let uri: Uri = format!("http://{address}/").parse().unwrap();
            let response = client.get(uri).await.unwrap();
            assert_eq!(response.extensions().get::<Peer>(), Some(&Peer(address)));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "hello");
        }
    });
    assert!(server.finish().accepted < 10, "connections are used again");
}

/// Goal: every address that was tried is in the error.
#[test]
fn a_refused_connection_lists_every_attempt() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    drop(holder);
    run(async move {
        let uri: Uri = format!("http://localhost:{port}/").parse().unwrap();
        let error = client::<Empty<Bytes>>().get(uri).await.unwrap_err();
        let cause = cause(&error);
        assert!(!cause.is_timeout());
        assert_eq!(cause.target(), format!("http://localhost:{port}"));
        let text = cause.to_string();
        assert!(text.starts_with(&format!("cannot connect to http://localhost:{port}: ")));
        let attempts = cause.attempts();
        assert!(!attempts.is_empty());
        for (address, cause) in attempts {
            assert!(text.contains(&format!("{address}: {cause}")), "{text}");
        }
    });
}

/// Goal: what would go over the line unprotected is refused, unless somebody protects it.
#[test]
fn https_needs_somebody_who_speaks_it() {
    let server = Server::start(hello());
    let address = server.address;
    run(async move {
        use tower_service::Service;
        let uri: Uri = format!("https://{address}/").parse().unwrap();
        let refused = Connector::new().call(uri.clone()).await.unwrap_err();
        assert!(
            refused.to_string().contains("`enforce_http(false)`"),
            "{refused}"
        );
        let mut open = Connector::new()
            .enforce_http(false)
            .connect_timeout(Duration::MAX);
        let stream = open.call(uri).await.unwrap();
        assert_eq!(stream.get_ref().peer_addr().unwrap(), address);
        let nowhere = Connector::new()
            .call(Uri::from_static("/path"))
            .await
            .unwrap_err();
        assert_eq!(
            nowhere.to_string(),
            "cannot connect to `/path`: the address has no host"
        );
    });
}
