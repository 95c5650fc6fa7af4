use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::app::App;

const PURPOSE: &str = "--rope\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n";

async fn send(app: &App, form: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::post("/v1/files").header("authorization", "Bearer sk-a");
    let request = request.header("content-type", "multipart/form-data; boundary=rope");
    app.raw(request.body(form.into()).unwrap()).await
}

fn file(disposition: &[u8]) -> Vec<u8> {
    let begin = format!("{PURPOSE}--rope\r\nContent-Disposition: form-data; name=\"file\"; ");
    [begin.as_bytes(), disposition, b"\r\n\r\nhello\r\n--rope--\r\n"].concat()
}

#[tokio::test]
async fn a_file_keeps_its_name_and_its_extension_is_looked_at() {
    let app = App::new([]);
    for (disposition, status, name) in [
        (&b"filename*=UTF-8''na%C3%AFve.txt"[..], StatusCode::OK, "na\u{ef}ve.txt"),
        (b"filename=\"caf\xe9.txt\"", StatusCode::OK, "caf\u{fffd}.txt"),
        (b"filename=\"C:\\notes\\a.txt\"", StatusCode::OK, "a.txt"),
        (b"filename*=UTF-8''caf%C3%A9.exe", StatusCode::BAD_REQUEST, ""),
    ] {
        let (got, reply) = send(&app, file(disposition)).await;
        assert_eq!((got, reply["filename"].as_str().unwrap_or_default()), (status, name), "{reply}");
    }
    let upload = json!({ "filename": "x/../a\u{1}.txt", "purpose": "assistants", "bytes": 5, "mime_type": "text/plain" });
    let (_, upload) = app.send(Method::POST, "/v1/uploads", &upload.to_string()).await;
    assert_eq!(upload["filename"], "a.txt");
}

#[tokio::test]
async fn a_form_without_parts_or_with_too_much_to_it_is_told_what_is_wrong() {
    let app = App::new([]);
    let long = "x".repeat(2 * 1024 * 1024);
    let name = |length: usize| {
        let name = "x".repeat(length);
        format!("--rope\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n1\r\n{PURPOSE}--rope--\r\n")
    };
    for (form, status, said) in [
        (long.clone(), StatusCode::PAYLOAD_TOO_LARGE, "The form has no part within its first 1048576 bytes"),
        (
            format!("{PURPOSE}--rope\r\nx: {long}"),
            StatusCode::PAYLOAD_TOO_LARGE,
            "The headers of a part of the form are too long.",
        ),
        (
            name(70_000),
            StatusCode::PAYLOAD_TOO_LARGE,
            "The text fields of the form and their names have more",
        ),
        (name(10_000), StatusCode::BAD_REQUEST, "Unknown parameter: 'xxx"),
    ] {
        // In pieces, as a socket gives them.
        let pieces: Vec<_> =
            form.as_bytes().chunks(8192).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
        let (got, reply) = send(&app, Body::from_stream(futures_util::stream::iter(pieces))).await;
        let message = reply["error"]["message"].as_str().unwrap_or_default();
        assert!(got == status && message.starts_with(said) && message.len() < 500, "{got} {message}");
    }
}
