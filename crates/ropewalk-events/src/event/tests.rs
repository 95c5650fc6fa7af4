use super::*;

fn read(event: &str, data: &str) -> Event {
    Event::from_frame(&Frame { event: event.into(), data: data.into(), ..Frame::default() }).unwrap()
}

#[test]
fn an_event_is_small_on_the_stack() {
    assert!(size_of::<Event>() <= 80, "{}", size_of::<Event>());
}

#[test]
fn an_error_is_read_in_every_form() {
    let error = |message: &str| Event::Error(Box::new(ErrorObject::server(message)));
    let bare = r#"{"message":"m","type":"server_error","param":null,"code":null}"#;
    assert_eq!(read("error", bare), error("m"));
    assert_eq!(read("error", &format!(r#"{{"error":{bare}}}"#)), error("m"));
    assert_eq!(read("message", r#"{"error":{"message":"m"}}"#), error("m"));
    assert_eq!(read("error", "out of luck"), error("out of luck"));
    let coded = ErrorObject::server("m").code("503");
    assert_eq!(read("error", r#"{"message":"m","code":503}"#), Event::Error(Box::new(coded)));
}

#[test]
fn an_error_is_sent_in_both_forms() {
    let mut out = Vec::new();
    Event::Error(Box::new(ErrorObject::server("m"))).encode(&mut out, None);
    let both = r#"{"error":{"message":"m","type":"server_error","param":null,"code":null},"message":"m","type":"server_error","param":null,"code":null}"#;
    assert_eq!(String::from_utf8(out).unwrap(), format!("event: error\ndata: {both}\n\n"));
}

#[test]
fn the_end_is_known_with_and_without_a_name() {
    assert_eq!(read("done", "[DONE]"), Event::Done);
    assert_eq!(read("message", "[DONE]"), Event::Done);
}

#[test]
fn an_unknown_event_is_passed_on_word_for_word() {
    for (name, data) in
        [("thread.run.novel", r#"{"error":true}"#), ("ping", "a\nb"), ("message", r#"{"error":null}"#)]
    {
        let event = read(name, data);
        assert_eq!(event, Event::Unknown { event: name.into(), data: data.into() });
        assert_eq!(event.name(), name);
        let mut out = Vec::new();
        event.encode(&mut out, Some(3));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("event: {name}\nid: 3\ndata: {}\n\n", data.replace('\n', "\ndata: "))
        );
    }
}

#[test]
fn a_known_event_with_a_strange_body_is_an_error() {
    let frame = Frame { event: "thread.run.queued".into(), data: "{}".into(), ..Frame::default() };
    assert_eq!(Event::from_frame(&frame).unwrap_err().event, "thread.run.queued");
}
