use std::future::poll_fn;
use std::pin::pin;

use futures_util::StreamExt;
use http::{Method, Request};
use ropewalk_transport::{Body, DirectLeaf, Transport, TransportErrorKind};
use tokio::sync::mpsc;

use crate::server::{listen, read_request, write};

const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nrope";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nro\r\n2\r\npe\r\n0\r\n\r\n";
const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

fn request(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

async fn read(transport: &Transport, url: &str) -> bytes::Bytes {
    transport.send(request(url)).await.unwrap().into_body().collect(100).await.unwrap()
}

/// A server whose n-th connection answers as many requests as the n-th list has answers, and then closes: at once,
/// or only when it has read one more request, if `late`.
async fn script(connections: &'static [&'static [&'static str]], late: bool) -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        for answers in connections {
            let (mut socket, _) = listener.accept().await.unwrap();
            for answer in *answers {
                read_request(&mut socket).await.unwrap();
                write(&mut socket, answer).await;
            }
            if late {
                read_request(&mut socket).await;
            }
        }
    });
    url
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection() {
    let url = script(&[&[WHOLE, CHUNKED, EMPTY, CHUNKED, WHOLE]], true).await;
    let transport = Transport::new(DirectLeaf::new());
    for body in ["rope", "rope", "", "rope", "rope"] {
        assert_eq!(read(&transport, &url).await, body);
    }
}

#[tokio::test]
async fn a_connection_that_the_server_announced_to_close_is_not_kept() {
    const LAST: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nrope";
    let url = script(&[&[WHOLE, LAST], &[WHOLE]], true).await;
    let transport = Transport::new(DirectLeaf::new());
    for _ in 0..3 {
        assert_eq!(read(&transport, &url).await, "rope");
    }
}

#[tokio::test]
async fn a_request_that_meets_a_closing_connection_is_sent_once_more() {
    let url = script(&[&[WHOLE], &[WHOLE]], true).await;
    let transport = Transport::new(DirectLeaf::new());
    assert_eq!(read(&transport, &url).await, "rope");
    assert_eq!(read(&transport, &url).await, "rope");
}

#[tokio::test]
async fn a_post_that_was_sent_is_not_sent_once_more_as_it_may_be_done_already() {
    let url = script(&[&[WHOLE], &[WHOLE]], true).await;
    let transport = Transport::new(DirectLeaf::new());
    assert_eq!(read(&transport, &url).await, "rope");
    let mut post = request(&url);
    *post.method_mut() = Method::POST;
    let error = transport.send(post).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Closed);
    assert!(error.may_have_been_sent());
}

#[tokio::test]
async fn a_request_is_not_sent_once_more_after_the_first_byte_of_an_answer() {
    let url = script(&[&[WHOLE, "HTTP/1.1"], &[WHOLE]], false).await;
    let transport = Transport::new(DirectLeaf::new());
    assert_eq!(read(&transport, &url).await, "rope");
    let error = transport.send(request(&url)).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Closed);
}

#[tokio::test]
async fn an_unread_body_takes_its_connection_with_it() {
    let url = script(&[&[CHUNKED], &[WHOLE]], false).await;
    let transport = Transport::new(DirectLeaf::new());
    drop(transport.send(request(&url)).await.unwrap());
    assert_eq!(read(&transport, &url).await, "rope");
}

#[tokio::test]
async fn the_answer_to_head_has_no_body_whatever_its_length() {
    let url = script(&[&["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", WHOLE]], true).await;
    let transport = Transport::new(DirectLeaf::new());
    let mut asked = request(&url);
    *asked.method_mut() = Method::HEAD;
    let response = transport.send(asked).await.unwrap();
    assert_eq!(response.into_body().collect(0).await.unwrap(), "");
    assert_eq!(read(&transport, &url).await, "rope");
}

#[tokio::test]
async fn each_piece_of_a_stream_wakes_its_reader_once() {
    const PIECES: usize = 100;
    let (listener, url) = listen().await;
    let (next, mut wanted) = mpsc::unbounded_channel::<()>();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await.unwrap();
        write(&mut socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while wanted.recv().await.is_some() {
            write(&mut socket, "4\r\nrope\r\n").await;
        }
    });
    let response = Transport::new(DirectLeaf::new()).send(request(&url)).await.unwrap();
    let mut reading = pin!(async {
        let mut data = response.into_body().into_data_stream();
        for _ in 0..PIECES {
            next.send(()).unwrap();
            assert_eq!(data.next().await.unwrap().unwrap(), "rope");
        }
    });
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        reading.as_mut().poll(cx)
    })
    .await;
    assert!(polls <= PIECES + PIECES / 10, "{polls} polls for {PIECES} pieces");
}

#[tokio::test]
async fn https_is_refused_and_nothing_is_sent() {
    let error = Transport::new(DirectLeaf::new()).send(request("https://127.0.0.1:1/")).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::InvalidRequest);
    assert!(!error.may_have_been_sent());
}
