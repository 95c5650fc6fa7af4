//! The names that clients give to files.

use http::{HeaderMap, header};

use crate::azure::percent_decoded;

/// The last component of a name, without controls: a path says where a file lay on the client's disk, which is
/// nobody's business.
pub(crate) fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|c| !c.is_control()).collect();
    if name.is_empty() { "upload".to_owned() } else { name }
}

/// The name that a part of a form carries: `filename*=UTF-8''…` (RFC 8187) if it has one, `filename="…"` otherwise.
/// What is not UTF-8 is replaced, so that the rest of the name stays.
pub(crate) fn of_part(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(header::CONTENT_DISPOSITION)?.as_bytes()).into_owned();
    let (mut plain, mut extended) = (None, None);
    let mut rest = value.split_once(';')?.1;
    while let Some((name, after)) = rest.split_once('=') {
        let (text, after) = parameter(after.trim_start());
        match name.trim_matches(|c: char| c == ';' || c.is_whitespace()).to_ascii_lowercase().as_str() {
            "filename" => plain = Some(text),
            "filename*" => extended = text.splitn(3, '\'').nth(2).map(percent_decoded),
            _ => {}
        }
        rest = after;
    }
    extended.or(plain)
}

/// The value that `text` begins with, and what comes behind it. Only quotes are escaped: browsers send the backslashes
/// of a path as they are.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        return (value.trim_end().to_owned(), rest);
    };
    let closing = |(at, _): &(usize, &str)| !quoted[..*at].ends_with('\\');
    let end = quoted.match_indices('"').find(closing).map_or(quoted.len(), |(at, _)| at);
    (quoted[..end].replace("\\\"", "\""), quoted.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_part_keeps_its_name_however_it_is_written() {
        for (sent, expected) in [
            (&b"form-data; name=\"file\""[..], None),
            (b"form-data", None),
            (b"form-data; name=\"file\"; filename=\"a b.txt\"", Some("a b.txt")),
            (b"form-data; filename=a.txt; name=file", Some("a.txt")),
            (b"form-data; filename=\"a;\\\"b=c.txt\"; name=file", Some("a;\"b=c.txt")),
            (b"form-data; FileName*=utf-8''na%C3%AFve+%26.txt", Some("na\u{ef}ve+&.txt")),
            (b"form-data; filename*=UTF-8'en'b%FF.txt; filename=\"a.md\"", Some("b\u{fffd}.txt")),
            (b"form-data; filename*=nonsense; filename=\"a.md\"", Some("a.md")),
            (b"form-data; name=file; filename=\"caf\xe9.txt\"", Some("caf\u{fffd}.txt")),
            (b"form-data; name=file; filename=\"open.txt", Some("open.txt")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_bytes(sent).unwrap());
            assert_eq!(of_part(&headers).as_deref(), expected, "{}", String::from_utf8_lossy(sent));
        }
    }

    #[test]
    fn a_name_loses_its_folders_and_controls() {
        for (given, expected) in
            [("a/b.txt", "b.txt"), ("C:\\x\\b\u{7}.txt", "b.txt"), ("..//", "upload"), ("\n", "upload")]
        {
            assert_eq!(clean(given), expected);
        }
    }
}
