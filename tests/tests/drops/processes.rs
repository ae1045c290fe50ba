//! Children, signals and servers: a child goes on or ends as was asked, and is reaped; what it said is not lost.

use std::io::{Read, Write};
use std::net;
use std::os::fd::OwnedFd;
use std::os::unix::net as unix;
use std::time::Duration;

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::{Connection, ServeOptions, Server, TcpListener, TcpStream, serve};
use tenter::process::{Child, Command, OnDrop, Stdio};
use tenter::signal::{SignalKind, ctrl_c, signals};
use tenter_tests::support::poll_once;

use crate::harness::{Case, case, of_streams};

/// A child that ends when what it reads does, and our end of that.
fn cat() -> (Command, unix::UnixStream) {
    let (ours, theirs) = unix::UnixStream::pair().expect("two sockets");
    let mut command = Command::new("cat");
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    (command, ours)
}

/// Whatever the first push is, it ends the child.
fn ends(ours: &mut Option<unix::UnixStream>) -> impl FnMut(usize) {
    |_| drop(ours.take())
}

async fn reaped(child: &mut Child, ours: Option<unix::UnixStream>) {
    drop(ours);
    assert!(child.wait().await.expect("it is ours").success());
}

pub fn children() -> Vec<Case> {
    let mut cases = waiting();
    cases.extend(talking());
    of_streams(cases)
}

fn waiting() -> Vec<Case> {
    vec![
        case("process::child::Child::wait", 1, |cut| async move {
            let (mut command, ours) = cat();
            let mut child = command.spawn().unwrap();
            drop(command);
            let mut ours = Some(ours);
            let ended = cut.pushed(child.wait(), ends(&mut ours)).await;
            assert!(ended.is_none_or(|status| status.unwrap().success()));
            reaped(&mut child, ours).await;
        }),
        // By the signal that tells of children, which all of them share.
        case("process::child::Child::wait", 1, |cut| async move {
            let (mut command, ours) = cat();
            let mut child = command.watch_by_sigchld(true).spawn().unwrap();
            drop(command);
            let mut ours = Some(ours);
            let ended = cut.pushed(child.wait(), ends(&mut ours)).await;
            assert!(ended.is_none_or(|status| status.unwrap().success()));
            reaped(&mut child, ours).await;
        }),
        // It was asked to end, and does, whether or not somebody waits.
        case("process::child::Child::end", 1, |cut| async move {
            let (mut command, _ours) = cat();
            command.on_drop(OnDrop::terminate().grace(Duration::MAX));
            let mut child = command.spawn().unwrap();
            drop(command);
            let ended = cut.of(child.end()).await;
            assert!(ended.is_none_or(|status| !status.unwrap().success()));
            assert!(!child.end().await.unwrap().success());
        }),
        // The child of a dropped future goes on, is reaped, and ends when its input does.
        case(
            "process::command::Command::status process::command::Command::output",
            1,
            |cut| async move {
                let (mut command, ours) = cat();
                let status = command.status();
                drop(command);
                let mut ours = Some(ours);
                let ended = cut.pushed(status, ends(&mut ours)).await;
                assert!(ended.is_none_or(|status| status.unwrap().success()));
                let (mut command, mut ours) = cat();
                let output = command.output();
                drop(command);
                ours.write_all(b"said").unwrap();
                let mut ours = Some(ours);
                let ended = cut.pushed(output, ends(&mut ours)).await;
                assert!(ended.is_none_or(|output| output.unwrap().stdout == b"said"));
            },
        ),
        // It is ended with the future.
        case("process::command::Command::run", 1, |cut| async move {
            let (mut command, ours) = cat();
            let run = command.run(OnDrop::kill());
            drop(command);
            let mut ours = Some(ours);
            let ended = cut.pushed(run, ends(&mut ours)).await;
            if ended.is_none()
                && let Some(mut ours) = ours
            {
                // Nobody has the other end any more.
                assert_eq!(ours.read(&mut [0]).unwrap_or(0), 0);
            }
        }),
    ]
}

fn talking() -> Vec<Case> {
    vec![
        // A later call goes on.
        case("process::child::Child::communicate", 1, |cut| async move {
            let mut command = Command::new("cat");
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let input = (0..=250).collect::<Vec<u8>>().repeat(1_000);
            let mut begun = false;
            let talk = async {
                begun = true;
                child.communicate(input.clone()).await
            };
            let output = match cut.of(talk).await {
                Some(output) => output,
                None if begun => child.communicate([]).await,
                None => child.communicate(input.clone()).await,
            };
            assert!(output.unwrap().stdout == input);
        }),
        case(
            "process::child::Child::wait_with_output",
            1,
            |cut| async move {
                let (mut command, mut ours) = cat();
                let child = command.stdout(Stdio::piped()).spawn().unwrap();
                drop(command);
                ours.write_all(b"said").unwrap();
                let mut ours = Some(ours);
                let output = cut.pushed(child.wait_with_output(), ends(&mut ours)).await;
                assert!(output.is_none_or(|output| output.unwrap().stdout == b"said"));
            },
        ),
        // The pipes are streams as any other.
        case(
            "ext::read::AsyncReadExt::read ext::write::AsyncWriteExt::write_all",
            1,
            |cut| async move {
                let mut command = Command::new("cat");
                command.stdin(Stdio::piped()).stdout(Stdio::piped());
                let mut child = command.spawn().unwrap();
                let mut stdin = child.stdin.take().unwrap();
                let mut stdout = child.stdout.take().unwrap();
                let (mut sent, mut seen, mut four) = (0, Vec::new(), [0; 4]);
                let read = cut
                    .pushed(stdout.read(&mut four), |_| {
                        assert!(poll_once(&mut stdin.write_all(b"abcd")).is_ready());
                        sent += 4;
                    })
                    .await;
                seen.extend(&four[..read.map_or(0, |count| count.unwrap())]);
                let data = (0..=250).collect::<Vec<u8>>().repeat(1_500);
                // Behind what the pipes hold, a write waits for whoever reads what comes back.
                let write = async {
                    stdin.write_all(&data).await.unwrap();
                    drop(stdin);
                };
                let both = async { tenter::gather!(write, stdout.read_to_end(&mut seen)).await };
                let written = cut.of(both).await;
                stdout.read_to_end(&mut seen).await.unwrap();
                assert_eq!(seen[..sent], b"abcd"[..].repeat(sent / 4));
                assert!(data.starts_with(&seen[sent..]));
                assert!(written.is_none() || seen.len() == sent + data.len());
                assert!(child.wait().await.unwrap().success());
            },
        ),
    ]
}

/// Sends a signal to this process.
fn raise(signal: i32) {
    // SAFETY: numbers only; the signal has a handler by now.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

pub fn signalling() -> Vec<Case> {
    vec![
        // What arrived stays for the next call.
        case("signal::Signals::recv", 1, |cut| async move {
            let kind = SignalKind::user_defined1();
            let mut signals = signals([kind]).unwrap();
            let mut raised = 0;
            let got = cut
                .pushed(signals.recv(), |_| {
                    raise(libc::SIGUSR1);
                    raised += 1;
                })
                .await;
            if got.is_none() && raised == 0 {
                raise(libc::SIGUSR1);
            }
            let got = match got {
                Some(got) => got,
                None => signals.recv().await,
            };
            assert_eq!(got, Some(kind));
        })
        .keeps_waker(),
        case("signal::ctrl_c", 1, |cut| async move {
            // Somebody else listens, so that one that is lost with its future ends nothing.
            let _others = signals([SignalKind::interrupt()]).unwrap();
            cut.pushed(ctrl_c(), |_| raise(libc::SIGINT)).await;
        }),
    ]
}

/// Says hello to one connection, and waits for its end.
async fn greet(mut connection: Connection<TcpStream, net::SocketAddr>) {
    let _ = connection.stream.write_all(b"hello").await;
    let _ = connection.stream.read(&mut [0]).await;
}

pub fn serving() -> Vec<Case> {
    vec![
        // Dropped, it closes its listener and cancels its connections.
        case("serve::server::Server::new", 1, |cut| async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = Server::new(listener, greet, ServeOptions::new());
            let handle = server.handle();
            let mut clients = vec![net::TcpStream::connect(address).unwrap()];
            let served = cut
                .pushed(server, |n| {
                    if n == 1 {
                        clients.push(net::TcpStream::connect(address).unwrap());
                        handle.close();
                        clients.clear();
                    }
                })
                .await;
            assert!(served.is_none_or(|report| report.is_ok()));
            for client in clients {
                // The hello may have come; behind it there is an end.
                client.set_nonblocking(true).unwrap();
                let mut client = TcpStream::from_std(client).unwrap();
                let _ = client.read_to_end(&mut Vec::new()).await;
            }
            net::TcpStream::connect(address).unwrap_err();
        }),
        case("serve::handle::ServerHandle::closed", 1, |cut| async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = serve(listener, greet, ServeOptions::new());
            let _client = net::TcpStream::connect(address).unwrap();
            let closed = cut.pushed(server.closed(), |_| server.abort()).await;
            assert!(closed.is_none() || server.is_closed());
            server.abort();
            let _ = server.closed().await;
        }),
        case(
            "serve::connection::Closing::requested",
            1,
            |cut| async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let (give, take) = tenter::sync::oneshot::oneshot();
                let mut give = Some(give);
                let keep = move |connection: Connection<TcpStream, net::SocketAddr>| {
                    let closing = connection.closing.clone();
                    let _ = give.take().expect("one connection").send(closing);
                    async move {
                        connection.closing.requested().await;
                    }
                };
                let server = serve(listener, keep, ServeOptions::new());
                let _client = net::TcpStream::connect(address).unwrap();
                let closing = take.await.unwrap();
                cut.pushed(closing.requested(), |_| server.close()).await;
                server.close();
                closing.requested().await;
                server.closed().await.unwrap();
            },
        ),
    ]
}
