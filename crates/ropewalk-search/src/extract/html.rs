use memchr::{memchr, memchr_iter, memmem};

use super::entity::resolve;

/// Elements whose content is not for readers.
const SILENT: [&str; 3] = ["script", "style", "svg"];

/// Elements that stand on lines of their own.
const BLOCKS: [&str; 43] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "li",
    "main",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "title",
    "tr",
    "ul",
    "video",
];

/// More bytes than any entity has between `&` and `;`.
const LONGEST_ENTITY: usize = 40;

/// What a reader would see of a page, a line for each block. Never fails, and reads the page once.
pub(super) fn text(page: &str) -> String {
    let (mut lines, mut rest) = (Lines::default(), page);
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        lines.push(&rest[..at]);
        rest = markup(&rest[at + 1..], &mut lines);
    }
    lines.push(rest);
    lines.text
}

/// Reads what begins with a `<`, which is behind; returns what comes after it.
fn markup<'a>(rest: &'a str, lines: &mut Lines) -> &'a str {
    if let Some(comment) = rest.strip_prefix("!--") {
        return after(comment, memmem::find(comment.as_bytes(), b"-->"), 3);
    }
    if rest.starts_with(['!', '?']) {
        return after(rest, memchr(b'>', rest.as_bytes()), 1);
    }
    let (closes, tag) = rest.strip_prefix('/').map_or((false, rest), |tag| (true, tag));
    if !tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
        lines.push("<");
        return rest;
    }
    let name = tag.split(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).next().unwrap_or_default();
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    let rest = after(tag, end_of_tag(tag), 1);
    if BLOCKS.iter().any(is) {
        lines.break_line();
    } else if ["td", "th"].iter().any(is) {
        lines.push(" ");
    }
    if is(&"pre") {
        lines.verbatim = !closes;
    }
    match SILENT.iter().find(|silent| is(silent)) {
        Some(silent) if !closes => behind_closing(rest, silent),
        _ => rest,
    }
}

/// What follows `found` and the `length` bytes there; nothing if nothing was found.
fn after(text: &str, found: Option<usize>, length: usize) -> &str {
    found.map_or("", |at| &text[at + length..])
}

/// Where the `>` of a tag is: the first one outside of quotes.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.bytes().position(|byte| {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        quote.is_none() && byte == b'>'
    })
}

/// What follows the closing tag of an element, from that tag on.
fn behind_closing<'a>(content: &'a str, name: &str) -> &'a str {
    let closes = |&at: &usize| {
        let tag = content.as_bytes()[at + 1..].strip_prefix(b"/").and_then(|tag| tag.get(..name.len()));
        tag.is_some_and(|tag| tag.eq_ignore_ascii_case(name.as_bytes()))
    };
    memchr_iter(b'<', content.as_bytes()).find(closes).map_or("", |at| &content[at..])
}

/// Text as it comes out: white space shrunk, but in `<pre>`.
#[derive(Default)]
struct Lines {
    text: String,
    /// White space that waits for something to stand before.
    gap: Option<char>,
    verbatim: bool,
}

impl Lines {
    fn break_line(&mut self) {
        self.gap = Some('\n');
    }

    /// Adds text that may have entities in it.
    fn push(&mut self, mut raw: &str) {
        while let Some(at) = memchr(b'&', raw.as_bytes()) {
            self.push_plain(&raw[..at]);
            raw = &raw[at + 1..];
            match entity(raw) {
                Some((entity, rest)) => {
                    self.push_plain(&entity);
                    raw = rest;
                }
                None => self.push_plain("&"),
            }
        }
        self.push_plain(raw);
    }

    fn push_plain(&mut self, plain: &str) {
        for c in plain.chars().filter(|c| *c != '\0') {
            if c.is_whitespace() && !self.verbatim {
                self.gap = self.gap.or(Some(' '));
            } else {
                if let Some(gap) = self.gap.take().filter(|_| !self.text.is_empty()) {
                    self.text.push(gap);
                }
                self.text.push(c);
            }
        }
    }
}

/// The text of an entity whose `&` is behind, and what follows it.
fn entity(raw: &str) -> Option<(String, &str)> {
    let end = raw.bytes().take(LONGEST_ENTITY).position(|byte| byte == b';')?;
    Some((resolve(&raw[..end])?, &raw[end + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    #[test]
    fn a_page_reads_as_in_a_browser() {
        let page = "<!DOCTYPE html><html><head><title>Ropes &amp; knots</title><style>p > b { color: red }</style>\n\
            <script>if (a < b) { write('</p>') }</SCRIPT ></head><body class=\"a>b\"><h1>On\n  rope</h1>\
            <!-- <p>hidden</p> --><p>5 &lt; 6 &#38; <b>bo</b>ld&nbsp;&#x1F9F5; AT&T &bogus; a < b</p>\
            <ul><li>hemp<li>jute</ul><table><tr><td>1</td><td>2</td></tr></table><pre>a\n  b</pre>end<br/>.";
        assert_eq!(
            text(page),
            "Ropes & knots\nOn rope\n5 < 6 & bold 🧵 AT&T &bogus; a < b\nhemp\njute\n1 2\na\n  b\nend\n."
        );
    }

    #[test]
    fn what_is_never_closed_ends_with_the_page() {
        for (page, expected) in [
            ("a<!-- b", "a"),
            ("a<p title='b>c", "a"),
            ("a<script>b", "a"),
            ("a<", "a<"),
            ("a</", "a</"),
            ("&#;&#x110000;&", "&#;&#x110000;&"),
        ] {
            assert_eq!(text(page), expected, "{page}");
        }
    }

    /// What pages are torn from.
    const SIGNS: [&str; 18] = [
        "<", ">", "</", "<p", "<pre>", "<script", "</script", "<!--", "-->", "&", "&lt;", "&#", ";", "'",
        "\"", " ", "é", "\u{a0}",
    ];

    proptest! {
        #[test]
        fn any_page_ends(pieces in vec(prop_oneof![
            select(SIGNS.to_vec()).prop_map(str::to_owned),
            any::<String>(),
        ], 0..30)) {
            let page = pieces.concat();
            prop_assert!(text(&page).len() <= page.len() * 2);
        }

        #[test]
        fn plain_text_keeps_its_words(page in "[a-zé ,\n]{0,40}") {
            prop_assert_eq!(text(&page), page.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
}
