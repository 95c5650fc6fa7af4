//! Citations: how the results of a search are shown to the model, and how the markers that it writes back are found.

use std::fmt::Write;

use ropewalk_types::{Annotation, FileId, FileReference, FileSearchCall, TextContent};

/// A marker is `【{message}:{result}†{file name}】`.
const OPENS: char = '【';
const CLOSES: char = '】';
/// Characters of a file name that go into a marker.
const NAME_CHARS: usize = 120;
/// Longest marker: what is open for longer is text.
const MARKER_BYTES: usize = 1024;

/// The marker of the `result`-th passage of the search whose answer stands at `position`.
pub(crate) fn marker(position: u64, result: usize, file_name: &str) -> String {
    let plain = |c: char| if c.is_control() || matches!(c, OPENS | CLOSES) { '_' } else { c };
    let name: String = file_name.chars().take(NAME_CHARS).map(plain).collect();
    format!("{OPENS}{position}:{result}†{name}{CLOSES}")
}

/// What the model is shown of a search.
pub(crate) fn shown(position: u64, search: &FileSearchCall) -> String {
    let results = search.results.as_deref().unwrap_or_default();
    if results.is_empty() {
        return "The search found nothing.".to_owned();
    }
    let mut text =
        "What the search found, best first. Behind each sentence that relies on a result, put the \
                    result's marker exactly as it stands here, brackets included.\n"
            .to_owned();
    for (number, result) in results.iter().enumerate() {
        let marker = marker(position, number, &result.file_name);
        // Writing to a string cannot fail.
        _ = writeln!(text, "\n{marker} score {:.2}", result.score);
        for TextContent::Text { text: passage } in result.content.iter().flatten() {
            _ = writeln!(text, "{passage}");
        }
    }
    text
}

/// The file that `marker` cites, if it names a passage of `search`, whose answer stands at `position`.
pub(crate) fn cited(marker: &str, position: u64, search: &FileSearchCall) -> Option<FileId> {
    let rest = marker.strip_prefix(OPENS)?.strip_prefix(&position.to_string())?.strip_prefix(':')?;
    let number: usize = rest.split_once('†')?.0.parse().ok()?;
    let result = search.results.as_ref()?.get(number)?;
    (self::marker(position, number, &result.file_name) == marker).then(|| result.file_id.clone())
}

/// Finds markers in a text that comes piece by piece.
#[derive(Debug, Clone, Default)]
pub(crate) struct Annotator {
    /// Code points read.
    at: u64,
    /// What may become a marker, and where it began.
    open: Option<(u64, String)>,
}

impl Annotator {
    /// Reads on; gives an annotation for each marker that ends in `piece` and that `source` knows the file of.
    pub(crate) fn read(&mut self, piece: &str, source: impl Fn(&str) -> Option<FileId>) -> Vec<Annotation> {
        let mut found = Vec::new();
        for c in piece.chars() {
            if c == OPENS {
                self.open = Some((self.at, String::new()));
            }
            self.at += 1;
            let Some((start_index, marker)) = &mut self.open else { continue };
            marker.push(c);
            if c == CLOSES {
                let (start_index, text) = (*start_index, std::mem::take(marker));
                self.open = None;
                found.extend(source(&text).map(|file_id| Annotation::FileCitation {
                    text,
                    start_index,
                    end_index: self.at,
                    file_citation: FileReference { file_id },
                }));
            } else if marker.len() > MARKER_BYTES {
                self.open = None;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use ropewalk_types::FileSearchResult;

    use super::*;

    fn search(names: &[&str]) -> FileSearchCall {
        let result = |name: &&str| FileSearchResult {
            file_id: format!("file-{name}").into(),
            file_name: (*name).to_owned(),
            score: 0.5,
            content: Some(vec![TextContent::Text { text: format!("About {name}.") }]),
        };
        FileSearchCall { ranking_options: None, results: Some(names.iter().map(result).collect()) }
    }

    fn annotations(pieces: &[String], search: &FileSearchCall) -> Vec<Annotation> {
        let mut annotator = Annotator::default();
        pieces.iter().flat_map(|piece| annotator.read(piece, |marker| cited(marker, 4, search))).collect()
    }

    fn pieces(text: &str, cuts: &[usize]) -> Vec<String> {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (text.chars().count() + 1)).collect();
        ends.sort_unstable();
        let chars: Vec<char> = text.chars().collect();
        let mut begun = 0;
        ends.push(chars.len());
        ends.iter().map(|end| chars[std::mem::replace(&mut begun, *end)..*end].iter().collect()).collect()
    }

    proptest! {
        /// However a text is cut, the same annotations are found, and each is the text at its place.
        #[test]
        fn cuts_change_nothing(
            words in vec(prop_oneof![
                "[a-zé😀 ]{0,4}", "[【】†:0-9]{0,3}",
                Just(marker(4, 0, "a.txt")), Just(marker(4, 1, "日本.md")), Just(marker(4, 2, "none")),
                Just(marker(3, 0, "a.txt")), Just(marker(4, 0, "other.txt")),
            ], 0..12),
            cuts in vec(any::<usize>(), 0..12),
        ) {
            let search = search(&["a.txt", "日本.md"]);
            let text = words.concat();
            let whole = annotations(std::slice::from_ref(&text), &search);
            prop_assert_eq!(&annotations(&pieces(&text, &cuts), &search), &whole);
            let true_markers = words.iter().filter(|word| cited(word, 4, &search).is_some()).count();
            prop_assert_eq!(whole.len(), true_markers);
            for annotation in whole {
                let Annotation::FileCitation { text: marker, start_index, end_index, file_citation } = annotation
                else { panic!("no citation") };
                let length = usize::try_from(end_index - start_index).unwrap();
                let place = text.chars().skip(usize::try_from(start_index).unwrap()).take(length);
                prop_assert_eq!(place.collect::<String>(), marker.clone());
                prop_assert_eq!(Some(file_citation.file_id), cited(&marker, 4, &search));
            }
        }
    }

    #[test]
    fn a_file_name_cannot_break_its_marker() {
        let search = search(&["a【9:9†b】\n.txt"]);
        let shown = shown(4, &search);
        assert!(shown.contains("【4:0†a_9:9†b__.txt】"), "{shown}");
        assert!(cited("【4:0†a_9:9†b__.txt】", 4, &search).is_some());
    }

    #[test]
    fn a_bracket_that_never_closes_is_forgotten() {
        let mut annotator = Annotator::default();
        annotator.read(&"【".repeat(3), |_| None);
        annotator.read(&"x".repeat(5000), |_| None);
        assert!(annotator.open.is_none());
    }
}
