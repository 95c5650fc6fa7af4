use axum::Router;
use axum::extract::Request as AxumRequest;
use axum::response::Response as AxumResponse;
use axum::routing::any;
use futures_util::stream;
use http::Request;
use http::header::HOST;
use http_body::Frame;
use http_body_util::StreamBody;
use ropewalk_transport::{Body, BoxError, InProcess, Transport, TransportErrorKind};

#[tokio::test]
async fn a_router_sees_what_it_would_see_behind_a_socket() {
    async fn tell(request: AxumRequest) -> String {
        let host = request.headers()[HOST].to_str().unwrap();
        format!("{} {} {host}", request.method(), request.uri())
    }
    let transport = Transport::new(InProcess::new(Router::new().route("/v1/{name}", any(tell))));
    let request = Request::post("http://ropewalk.test/v1/threads?limit=1").body(Body::empty()).unwrap();
    let response = transport.send(request).await.unwrap();
    assert_eq!(response.into_body().collect(100).await.unwrap(), "POST /v1/threads?limit=1 ropewalk.test");
}

#[tokio::test]
async fn a_router_that_breaks_off_a_body_interrupts_it() {
    let broken = || async {
        let frames = [Ok(Frame::data("ro".into())), Err(BoxError::from("out of hemp"))];
        AxumResponse::new(axum::body::Body::new(StreamBody::new(stream::iter(frames))))
    };
    let transport = Transport::new(InProcess::new(Router::new().fallback(any(broken))));
    let response = transport.send(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    let error = response.into_body().collect(100).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Interrupted);
}
