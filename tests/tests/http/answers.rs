//! What the client of `tenter-http` gets, and what it says when it gets nothing.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Redirect;
use axum::routing::any;
use rustix::net::{AddressFamily, SocketType};
use tenter_http::{Client, ErrorKind};

use crate::client::{run, url};
use crate::harness::{Scripted, Server};
use crate::hello;

/// Goal: what a redirect does to the method, the body and the secrets.
#[test]
fn redirects_are_followed() {
    let told = |headers: HeaderMap, body: Bytes| async move {
        let secret = headers.contains_key(header::AUTHORIZATION);
        format!("{} bytes, secret: {secret}", body.len())
    };
    let mut other = Server::start(Router::new().route("/told", any(told)));
    let away = url(other.address, "/told");
    let app = Router::new()
        .route("/a/told", any(told))
        .route("/a/b", any(|| async { Redirect::to("told?x") }))
        .route(
            "/a/keep",
            any(|| async { Redirect::temporary("../a/told") }),
        )
        .route("/away", any(|| async move { Redirect::permanent(&away) }))
        .route("/tls", any(|| async { Redirect::to("https://x/") }))
        .route("/loop", any(|| async { Redirect::to("/loop") }));
    let mut server = Server::start(app);
    let (address, other_address) = (server.address, other.address);
    run(async move {
        let client = Client::new();
        let send = |path| {
            let request = client.post(url(address, path)).body("12345");
            request.header("authorization", "secret")
        };
        let response = send("/a/b").await.unwrap();
        assert_eq!(response.url(), url(address, "/a/told?x"));
        assert_eq!(response.text().await.unwrap(), "0 bytes, secret: true");
        let response = send("/a/keep").await.unwrap();
        assert_eq!(response.text().await.unwrap(), "5 bytes, secret: true");
        let response = send("/away").await.unwrap();
        assert_eq!(response.peer(), other_address);
        assert_eq!(response.text().await.unwrap(), "5 bytes, secret: false");

        let error = send("/loop").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirects);
        let target = url(address, "/loop");
        assert_eq!(
            error.to_string(),
            format!("GET {target}: more than 10 redirects, the last to {target}")
        );
        let error = send("/tls").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(
            error
                .to_string()
                .contains("redirects to `https://x/`: https needs TLS")
        );

        let stays = Client::builder().max_redirects(0).build();
        let response = stays.get(url(address, "/loop")).await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
    });
    // The client that follows nothing is a second one.
    assert_eq!((server.finish().accepted, other.finish().accepted), (2, 1));
}

/// Goal: bodies of a known length, in chunks, and up to the end of the connection; whole, in parts,
/// as text of two encodings.
#[test]
fn bodies_of_every_kind_are_read() {
    let address = Scripted::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            match request.split(' ').nth(1).unwrap() {
                "/length" => connection.text("h\u{e4}llo"),
                "/chunks" => connection.answer(
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                     3\r\nabc\r\n2;x=y\r\nde\r\n0\r\ntrailer: x\r\n\r\n",
                ),
                "/latin" => {
                    connection.answer(
                        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\
                          content-type: text/plain; charset=ISO-8859-1\r\n\r\n\xe4\x44",
                    );
                }
                _ => return connection.answer("HTTP/1.1 200 OK\r\n\r\nto the end"),
            }
        }
    });
    run(async move {
        let client = Client::new();
        let get = |path| client.get(url(address, path)).into_future();
        assert_eq!(
            get("/length").await.unwrap().text().await.unwrap(),
            "h\u{e4}llo"
        );
        assert_eq!(get("/chunks").await.unwrap().text().await.unwrap(), "abcde");
        assert_eq!(
            get("/latin").await.unwrap().text().await.unwrap(),
            "\u{e4}D"
        );
        assert_eq!(get("/").await.unwrap().text().await.unwrap(), "to the end");
        let mut response = get("/chunks").await.unwrap();
        let mut whole = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            whole.extend_from_slice(&chunk);
        }
        assert_eq!(whole, b"abcde");
        assert!(
            response.chunk().await.unwrap().is_none(),
            "the end stays the end"
        );
    });
}

/// Goal: a server that does not answer costs 300 s by default, which the error says, and whom it
/// waited for. Method: the virtual clock jumps when nothing else is left to do.
#[tenter::test]
async fn the_time_for_the_whole_is_bounded() {
    let address = Scripted::start(|_, mut connection| while connection.request().is_some() {});
    let start = tenter::time::now();
    let silent = url(address, "/silent");
    let error = Client::new().get(&silent).await.unwrap_err();
    assert!(error.is_timeout() && !error.is_connect());
    assert_eq!(error.url(), silent);
    assert_eq!(
        error.to_string(),
        format!("GET {silent}: timed out after 300s, waiting for the answer of {address}")
    );
    assert_eq!(start.elapsed(), Duration::from_secs(300));
}

/// Goal: an address that does not answer costs 10 s by default, and the error names it. Method: the
/// backlog of a listener is full, and the virtual clock jumps.
#[tenter::test]
async fn the_time_for_connecting_is_bounded() {
    let listener = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    rustix::net::bind(&listener, &any_port).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = rustix::net::getsockname(&listener).unwrap();
    let address = SocketAddr::try_from(address).unwrap();
    let fillers = [(); 4].map(|()| {
        let filler = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::io::ioctl_fionbio(&filler, true).unwrap();
        let _ = rustix::net::connect(&filler, &address);
        filler
    });
    let start = tenter::time::now();
    let asked = url(address, "/");
    let error = Client::new().get(&asked).await.unwrap_err();
    assert!(error.is_timeout() && error.is_connect());
    assert_eq!(
        error.to_string(),
        format!("cannot connect to {asked}: {address} has not answered: timed out after 10s")
    );
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    // The time for the whole counts too.
    let limit = Duration::from_secs(1);
    let error = Client::new().get(&asked).timeout(limit).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("GET {asked}: timed out after 1s, connecting to {address}")
    );
    drop(fillers);
}

/// Goal: the time for the whole is up while the body is read.
#[test]
fn a_body_that_stops_is_bounded() {
    let address = Scripted::start(|_, mut connection| {
        while connection.request().is_some() {
            connection.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart");
        }
    });
    run(async move {
        let asked = url(address, "/");
        let limit = Duration::from_secs(1);
        let response = Client::new().get(&asked).timeout(limit).await.unwrap();
        let error = response.text().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "GET {asked}: timed out after 1s, reading the body from {address}, 4 bytes so \
                 far"
            )
        );
    });
}

#[test]
fn a_status_is_an_error_only_if_asked_for() {
    let server = Server::start(hello());
    let address = server.address;
    run(async move {
        let client = Client::new();
        let asked = url(address, "/nothing?q");
        let response = client.get(&asked).await.unwrap();
        assert!(!response.ok());
        assert_eq!(response.status(), 404);
        let error = response.error_for_status().unwrap_err();
        assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
        assert_eq!(
            error.to_string(),
            format!("GET {asked}: {address} answered 404 Not Found")
        );
        let response = client.get(url(address, "/")).await.unwrap();
        assert!(response.error_for_status().is_ok());
    });
}

/// Goal: nobody listens; the error says where, and why.
#[test]
fn a_refused_connection_names_its_address() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    drop(holder);
    run(async move {
        let error = Client::new().get(url(address, "/x")).await.unwrap_err();
        assert!(error.is_connect() && !error.is_timeout());
        let text = format!(
            "cannot connect to http://{address}/x: {address}: Connection refused (os error 111)"
        );
        assert_eq!(
            (error.to_string(), format!("{error:?}")),
            (text.clone(), format!("{text:?}"))
        );
        let cause = std::error::Error::source(&error).unwrap();
        let cause = cause.downcast_ref::<tenter_http::ConnectError>().unwrap();
        assert_eq!(cause.attempts()[0].0, address);

        let error = Client::new()
            .get("http://nobody.invalid/")
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("cannot connect to http://nobody.invalid/: cannot look up host"),
            "{text}"
        );
    });
}

/// Goal: addresses and headers that cannot be sent are refused before anything is sent.
#[tenter::test]
async fn what_cannot_be_asked_for_is_refused() {
    let client = Client::new();
    let error = client.get("https://localhost/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    let text = error.to_string();
    assert!(
        text.starts_with(
            "GET https://localhost/: the address cannot be asked for: https needs TLS"
        ),
        "{text}"
    );
    let error = client.get("http://me:secret@localhost/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(!format!("{error} {error:?} {}", error.url()).contains("secret"));
    let request = client.get("http://localhost/").header("a b", "c");
    assert!(
        request
            .await
            .unwrap_err()
            .to_string()
            .contains("the header `a b`")
    );
    let request = client.get("http://localhost/").header("a", "b\nc");
    assert!(
        request
            .await
            .unwrap_err()
            .to_string()
            .contains("the value of `a`")
    );
}

/// Goal: a body that is too large is an error, announced or not; what is allowed is read.
#[test]
fn bodies_have_a_limit() {
    let address = Scripted::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            match request.starts_with("GET /chunks ") {
                true => connection.answer(
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n1\r\nf\r\n0\r\n\r\n",
                ),
                false => connection.text("abcdef"),
            }
        }
    });
    run(async move {
        for path in ["/length", "/chunks"] {
            let asked = url(address, path);
            let exact = Client::builder().max_body(6).build();
            let response = exact.get(&asked).await.unwrap();
            assert_eq!(response.text().await.unwrap(), "abcdef");
            let short = Client::builder().max_body(5).build();
            let error = short.get(&asked).await.unwrap().text().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BodyLimit);
            assert_eq!(
                error.to_string(),
                format!(
                    "GET {asked}: the body from {address} is larger than 5 bytes, which is the \
                     most that `ClientBuilder::max_body` allows"
                )
            );
        }
    });
}

/// Goal: what is no HTTP, and a body that breaks off, are errors that say so.
#[test]
fn what_breaks_is_told() {
    let address = Scripted::start(move |_, mut connection| match connection.request() {
        Some(request) if request.starts_with("GET /cut ") => {
            connection.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart");
        }
        Some(_) => connection.answer("nothing that is known\r\n\r\n"),
        None => {}
    });
    run(async move {
        let client = Client::new();
        let error = client.get(url(address, "/")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exchange);
        assert!(error.to_string().contains(": invalid HTTP"), "{error}");
        let response = client.get(url(address, "/cut")).await.unwrap();
        let error = response.bytes().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exchange);
        let text = error.to_string();
        assert!(
            text.contains(&format!("from {address} broke off after 4 bytes: ")),
            "{text}"
        );
    });
}
