//! Names of files that code_interpreter wrote, found in what the model says of them.

use std::collections::VecDeque;

use ropewalk_types::{Annotation, FileId, FileReference};
use serde::{Deserialize, Serialize};

/// How models name a file of a session (contract: BEHAVIOUR 9).
const FOLDER: &str = "sandbox:/mnt/data/";

/// A file that a cell wrote, and where its owner finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenFile {
    /// Its path below `/mnt/data`.
    pub path: String,
    /// The file of the API that has its bytes.
    pub file_id: FileId,
}

/// Finds `sandbox:/mnt/data/…` in a text that comes piece by piece: the longest name known, raw or as a link has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PathFinder {
    known: Vec<(String, FileId)>,
    /// Code points read.
    at: u64,
    /// What may become a path, where it began, and how much of it is one already.
    open: String,
    begun: u64,
    whole: Option<usize>,
}

impl PathFinder {
    pub(crate) fn new(files: &[WrittenFile]) -> Self {
        let forms = files.iter().flat_map(|file| {
            let linked = linked(&file.path);
            let linked = (linked != file.path).then_some(linked);
            [Some(file.path.clone()), linked].into_iter().flatten().map(|path| (path, file.file_id.clone()))
        });
        let known = forms.map(|(path, file)| (format!("{FOLDER}{path}"), file)).collect();
        Self { known, ..Self::default() }
    }

    /// Reads on; gives an annotation for each path that is seen to end in `piece`.
    pub(crate) fn read(&mut self, piece: &str) -> Vec<Annotation> {
        let mut found = Vec::new();
        if self.known.is_empty() {
            return found;
        }
        let mut coming: VecDeque<char> = piece.chars().collect();
        while let Some(c) = coming.pop_front() {
            if self.open.is_empty() {
                self.begun = self.at;
            }
            self.at += 1;
            self.open.push(c);
            if self.known.iter().any(|(path, _)| path == &self.open) {
                self.whole = Some(self.open.len());
            } else if !self.known.iter().any(|(path, _)| path.starts_with(&self.open)) {
                self.close(&mut found, &mut coming);
            }
        }
        found
    }

    /// The text is over: what is a path by now is one.
    pub(crate) fn end(&mut self) -> Option<Annotation> {
        let whole = self.whole.take()?;
        let text: String = std::mem::take(&mut self.open).drain(..whole).collect();
        self.annotation(text)
    }

    /// What is open goes on as no path: the longest part that is one counts, and the rest is read again.
    fn close(&mut self, found: &mut Vec<Annotation>, coming: &mut VecDeque<char>) {
        let open = std::mem::take(&mut self.open);
        let first = open.chars().next().map_or(0, char::len_utf8);
        let whole = self.whole.take();
        let rest = &open[whole.unwrap_or(first)..];
        // `x.csv` is no part of `x.csv2`.
        let goes_on = rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
        if let Some(whole) = whole.filter(|_| !goes_on) {
            found.extend(self.annotation(open[..whole].to_owned()));
        }
        for c in rest.chars().rev() {
            coming.push_front(c);
            self.at -= 1;
        }
    }

    fn annotation(&self, text: String) -> Option<Annotation> {
        let (_, file_id) = self.known.iter().find(|(path, _)| *path == text)?;
        let end_index = self.begun + text.chars().count() as u64;
        let file_path = FileReference { file_id: file_id.clone() };
        Some(Annotation::FilePath { text, start_index: self.begun, end_index, file_path })
    }
}

/// `path` as the target of a link may have it.
fn linked(path: &str) -> String {
    let mut linked = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => linked.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => linked.push(char::from(byte)),
            byte => linked.push_str(&format!("%{byte:02X}")),
        }
    }
    linked
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn files(paths: &[&str]) -> Vec<WrittenFile> {
        let file =
            |path: &&str| WrittenFile { path: (*path).to_owned(), file_id: format!("file-{path}").into() };
        paths.iter().map(file).collect()
    }

    fn found(finder: &mut PathFinder, pieces: &[String]) -> Vec<Annotation> {
        let mut found: Vec<_> = pieces.iter().flat_map(|piece| finder.read(piece)).collect();
        found.extend(finder.end());
        found
    }

    fn texts(paths: &[&str], text: &str) -> Vec<(String, String)> {
        let found = found(&mut PathFinder::new(&files(paths)), &[text.to_owned()]);
        let text = |annotation| match annotation {
            Annotation::FilePath { text, file_path, .. } => (text, file_path.file_id.to_string()),
            other => panic!("{other:?}"),
        };
        found.into_iter().map(text).collect()
    }

    #[test]
    fn the_longest_name_is_meant_and_no_part_of_another() {
        let named = |text| texts(&["a.csv", "a.csv.gz", "my data/b.png"], text);
        let pair = |path: &str, file: &str| (format!("sandbox:/mnt/data/{path}"), format!("file-{file}"));
        assert_eq!(named("[x](sandbox:/mnt/data/a.csv.gz), done"), [pair("a.csv.gz", "a.csv.gz")]);
        assert_eq!(named("at sandbox:/mnt/data/a.csv."), [pair("a.csv", "a.csv")]);
        assert_eq!(named("at sandbox:/mnt/data/a.csv.g"), [pair("a.csv", "a.csv")]);
        assert_eq!(named("at sandbox:/mnt/data/a.csv2 and a.csv"), []);
        assert_eq!(named("(sandbox:/mnt/data/my%20data/b.png)"), [pair("my%20data/b.png", "my data/b.png")]);
        assert_eq!(named("(sandbox:/mnt/data/my data/b.png)"), [pair("my data/b.png", "my data/b.png")]);
        assert_eq!(named("sandbox:/mnt/dasandbox:/mnt/data/a.csv"), [pair("a.csv", "a.csv")]);
    }

    proptest! {
        /// However a text is cut, the same paths are found, and each is the text at its place.
        #[test]
        fn cuts_change_nothing(
            words in vec(prop_oneof![
                Just("sandbox:/mnt/data/a.csv".to_owned()), Just("sandbox:/mnt/data/ä b.png".to_owned()),
                Just("sandbox:/mnt/data/%C3%A4%20b.png".to_owned()), Just("sandbox:/mnt/".to_owned()), Just("a.csv".to_owned()),
                "[ )s.é😀]{0,3}",
            ], 0..10),
            cuts in vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let text: Vec<char> = words.concat().chars().collect();
            let files = files(&["a.csv", "a.csv.gz", "ä b.png"]);
            let whole = found(&mut PathFinder::new(&files), &[text.iter().collect()]);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<String> = cuts.windows(2).map(|cut| text[cut[0]..cut[1]].iter().collect()).collect();
            prop_assert_eq!(&found(&mut PathFinder::new(&files), &pieces), &whole);
            for annotation in whole {
                let Annotation::FilePath { text: path, start_index, end_index, .. } = annotation else { panic!("no path") };
                let (start, end) = (usize::try_from(start_index).unwrap(), usize::try_from(end_index).unwrap());
                prop_assert_eq!(text[start..end].iter().collect::<String>(), path);
            }
        }
    }
}
