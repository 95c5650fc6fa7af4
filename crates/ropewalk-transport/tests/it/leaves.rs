use std::time::Duration;

use axum::Router;
use axum::extract::Request as AxumRequest;
use axum::routing::any;
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use ropewalk_transport::{Body, BoxError, Transport, TransportErrorKind};
#[cfg(all(feature = "direct", feature = "reqwest"))]
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::server::{listen, read_request, serve, write};

/// Every leaf that ends in a socket, by name.
fn leaves() -> Vec<(&'static str, Transport)> {
    vec![
        #[cfg(feature = "direct")]
        ("direct", Transport::new(ropewalk_transport::DirectLeaf::new())),
        #[cfg(feature = "reqwest")]
        ("reqwest", Transport::new(ropewalk_transport::HttpLeaf::new().unwrap())),
        #[cfg(all(feature = "direct", feature = "reqwest"))]
        ("scheme", Transport::new(ropewalk_transport::SchemeLeaf::new())),
    ]
}

fn get_request(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

/// A body that ends when the sender is dropped.
fn piped()
-> (mpsc::UnboundedSender<&'static str>, impl http_body::Body<Data = bytes::Bytes, Error = BoxError>) {
    let (sender, mut pieces) = mpsc::unbounded_channel::<&'static str>();
    let pieces = stream::poll_fn(move |cx| pieces.poll_recv(cx));
    (sender, StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece.into())))))
}

#[tokio::test]
async fn a_request_arrives_whole_and_so_does_the_answer() {
    async fn tell(request: AxumRequest) -> String {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let header = |name| parts.headers.get(name).map_or("-", |value| value.to_str().unwrap());
        let length = header("content-length");
        format!(
            "{} {} {} {length} {}",
            parts.method,
            parts.uri,
            header("x-own"),
            String::from_utf8_lossy(&body)
        )
    }
    let url = serve(Router::new().fallback(any(tell))).await;
    for (name, transport) in leaves() {
        let request = Request::put(format!("{url}/v1/x%20y?a=b&c")).header("x-own", "1").body("rope".into());
        let response = transport.send(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        assert_eq!(
            response.into_body().collect(100).await.unwrap(),
            "PUT /v1/x%20y?a=b&c 1 4 rope",
            "{name}"
        );
    }
}

#[tokio::test]
async fn pieces_flow_both_ways_as_they_come() {
    let echo = |request: AxumRequest| async { Response::new(request.into_body()) };
    let url = serve(Router::new().fallback(any(echo))).await;
    for (name, transport) in leaves() {
        let (sender, body) = piped();
        let response = transport.send(Request::post(&url).body(Body::new(body)).unwrap()).await.unwrap();
        let mut data = response.into_body().into_data_stream();
        for piece in ["one", "two", "three"] {
            sender.send(piece).unwrap();
            assert_eq!(data.next().await.unwrap().unwrap(), piece, "{name}");
        }
        drop(sender);
        assert!(data.next().await.is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_dropped_body_closes_the_connection() {
    for (name, transport) in leaves() {
        let (listener, url) = listen().await;
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await.unwrap();
            write(&mut socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nro\r\n").await;
            read_request(&mut socket).await
        });
        let response = transport.send(get_request(&url)).await.unwrap();
        let mut data = response.into_body().into_data_stream();
        assert_eq!(data.next().await.unwrap().unwrap(), "ro");
        assert!(!server.is_finished(), "{name}");
        drop(data);
        assert_eq!(timeout(Duration::from_secs(10), server).await.expect(name).unwrap(), None);
    }
}

#[tokio::test]
async fn a_dropped_body_is_not_read_on_though_the_server_never_stops() {
    for (name, transport) in leaves() {
        let (listener, url) = listen().await;
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await.unwrap();
            write(&mut socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            // Ends only when the other side has closed.
            while socket.write_all(b"4\r\nrope\r\n").await.is_ok() {}
        });
        let mut data = transport.send(get_request(&url)).await.unwrap().into_body().into_data_stream();
        assert!(data.next().await.unwrap().is_ok(), "{name}");
        drop(data);
        timeout(Duration::from_secs(10), server).await.expect(name).unwrap();
    }
}

#[tokio::test]
async fn giving_up_before_the_answer_closes_the_connection() {
    for (name, transport) in leaves() {
        let (listener, url) = listen().await;
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await.unwrap();
            socket
        };
        let mut socket = tokio::select! {
            socket = server => socket,
            response = transport.send(get_request(&url)) => panic!("{response:?}"),
        };
        let next = timeout(Duration::from_secs(10), read_request(&mut socket)).await.expect(name);
        assert_eq!(next, None);
    }
}

/// What a server sends, and what the reader says to it.
const STALLS: [(&str, TransportErrorKind); 4] = [
    ("", TransportErrorKind::Timeout),
    ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", TransportErrorKind::Timeout),
    ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nro", TransportErrorKind::Timeout),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", TransportErrorKind::Interrupted),
];

#[tokio::test]
async fn a_connection_that_stalled_or_broke_is_closed_at_once_and_never_used_again() {
    for (sent, expected) in STALLS {
        for (name, leaf) in leaves() {
            let is_stall = expected == TransportErrorKind::Timeout;
            let limit = if is_stall { Duration::from_millis(100) } else { Duration::from_secs(60) };
            let hasty =
                Transport::builder(leaf.clone()).first_byte_timeout(limit).idle_timeout(limit).build();
            let (listener, url) = listen().await;
            let server = tokio::spawn(async move {
                let (mut stalled, _) = listener.accept().await.unwrap();
                if read_request(&mut stalled).await.is_some() {
                    write(&mut stalled, sent).await;
                }
                // It waits for the next request, which never comes; another connection brings it.
                assert_eq!(read_request(&mut stalled).await, None);
                let (mut fresh, _) = listener.accept().await.unwrap();
                read_request(&mut fresh).await.unwrap();
                write(&mut fresh, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nrope").await;
            });
            let read = async {
                let response = hasty.send(get_request(&url)).await?;
                response.into_body().collect(100).await
            };
            assert_eq!(read.await.unwrap_err().kind(), expected, "{name} {sent:?}");
            let again = leaf.send(get_request(&url)).await.unwrap();
            assert_eq!(again.into_body().collect(4).await.unwrap(), "rope", "{name} {sent:?}");
            timeout(Duration::from_secs(10), server).await.expect(name).unwrap();
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_interrupted_and_says_which_request() {
    for framing in ["transfer-encoding: chunked\r\n\r\n2\r\nro\r\n", "content-length: 4\r\n\r\nro"] {
        for (name, transport) in leaves() {
            let (listener, url) = listen().await;
            tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                read_request(&mut socket).await.unwrap();
                write(&mut socket, &format!("HTTP/1.1 200 OK\r\nx-request-id: req_5\r\n{framing}")).await;
            });
            let response = transport.send(get_request(&url)).await.unwrap();
            let error = response.into_body().collect(100).await.unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::Interrupted, "{name} {framing}");
            assert_eq!(error.request_id(), Some("req_5"), "{name} {framing}");
        }
    }
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_whole() {
    for (name, transport) in leaves() {
        let (listener, url) = listen().await;
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await.unwrap();
            write(&mut socket, "HTTP/1.0 200 OK\r\n\r\nrope").await;
        });
        let response = transport.send(get_request(&url)).await.unwrap();
        assert_eq!(response.into_body().collect(100).await.unwrap(), "rope", "{name}");
    }
}

#[tokio::test]
async fn a_server_that_closes_without_an_answer_may_have_seen_the_request() {
    for (name, transport) in leaves() {
        for answer in ["", "HTTP/1.1 2", "SSH-2.0-server\r\n\r\n"] {
            let (listener, url) = listen().await;
            tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                read_request(&mut socket).await.unwrap();
                write(&mut socket, answer).await;
            });
            let error = transport.send(get_request(&url)).await.unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::Closed, "{name} {error:?}");
            assert!(error.may_have_been_sent() && error.is_retryable(), "{name}");
        }
    }
}

#[tokio::test]
async fn without_a_server_nothing_was_sent() {
    let (listener, url) = listen().await;
    drop(listener);
    for (name, transport) in leaves() {
        let error = transport.send(get_request(&url)).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Connect, "{name} {error:?}");
        assert!(!error.may_have_been_sent() && error.is_retryable(), "{name}");
    }
}

#[tokio::test]
async fn a_url_without_a_host_is_an_invalid_request() {
    for (name, transport) in leaves() {
        let error = transport.send(get_request("/v1/models")).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::InvalidRequest, "{name}");
    }
}

#[tokio::test]
async fn a_redirect_is_the_callers_to_follow() {
    let moved = || async { (StatusCode::TEMPORARY_REDIRECT, [("location", "http://127.0.0.1:1/")]) };
    let url = serve(Router::new().fallback(any(moved))).await;
    for (name, transport) in leaves() {
        let response = transport.send(get_request(&url)).await.unwrap();
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT, "{name}");
    }
}

#[tokio::test]
async fn a_closed_idle_connection_does_not_fail_the_next_request() {
    for (name, transport) in leaves() {
        let (listener, url) = listen().await;
        let (closed, mut is_closed) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                read_request(&mut socket).await.unwrap();
                write(&mut socket, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nrope").await;
                drop(socket);
                closed.send(()).unwrap();
            }
        });
        for _ in 0..3 {
            let response = transport.send(get_request(&url)).await.unwrap();
            assert_eq!(response.into_body().collect(4).await.unwrap(), "rope", "{name}");
            is_closed.recv().await.unwrap();
        }
    }
}

#[cfg(all(feature = "direct", feature = "reqwest"))]
#[tokio::test]
async fn the_scheme_leaf_speaks_tls_to_an_https_url() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.read_u8().await.unwrap()
    });
    let transport = Transport::new(ropewalk_transport::SchemeLeaf::new());
    let error = transport.send(get_request(&url.replace("http", "https"))).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Connect, "{error:?}");
    assert_eq!(server.await.unwrap(), 0x16, "the first byte of a TLS handshake");
}
