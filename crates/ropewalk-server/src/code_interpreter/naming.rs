//! Under which name a file of the API lies in a session's folder.

use ropewalk_interpreter::DataFile;
use ropewalk_types::File;

/// Longest name that a file comes in with, in bytes: room is left to tell it from another.
const LONGEST: usize = 200;

/// The file's own name, as far as a folder can have it, made unlike those that are `taken`.
pub(super) fn name_for(file: &File, taken: impl Fn(&str) -> bool) -> String {
    let plain = plain(&file.filename).unwrap_or_else(|| file.id.to_string());
    if !taken(&plain) {
        return plain;
    }
    let (stem, extension) = match plain.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (plain.as_str(), String::new()),
    };
    let mut names = (2..).map(|number: u32| format!("{stem}-{number}{extension}"));
    names.find(|name| !taken(name)).unwrap_or_else(|| file.id.to_string())
}

/// `name` without folders and without what no name may have; `None` if nothing is left.
fn plain(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().map(|c| if DataFile::may_have(c) { c } else { '_' }).collect();
    let name = &name[..name.floor_char_boundary(LONGEST)];
    (!name.is_empty() && name.chars().any(|c| c != '.')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use ropewalk_types::{FilePurpose, UnixSeconds};

    use super::*;

    fn name(filename: &str, taken: &[&str]) -> String {
        let file = File::new("file-1".into(), UnixSeconds(0), filename, FilePurpose::Assistants, 1);
        name_for(&file, |name| taken.contains(&name))
    }

    #[test]
    fn a_file_keeps_its_name_as_far_as_a_folder_can_have_it() {
        let cases = [
            ("prices.csv", "prices.csv"),
            ("C:\\data\\Größe.xlsx", "Größe.xlsx"),
            ("../../etc/passwd", "passwd"),
            ("a\nb\0.txt", "a_b_.txt"),
            ("gnp.\u{202e}exe", "gnp._exe"),
            ("..", "file-1"),
            ("", "file-1"),
            ("x/", "file-1"),
        ];
        for (filename, expected) in cases {
            assert_eq!(name(filename, &[]), expected, "{filename:?}");
        }
        assert_eq!(name(&"é".repeat(300), &[]).len(), LONGEST);
    }

    #[test]
    fn two_files_of_one_name_lie_side_by_side() {
        assert_eq!(name("a.csv", &["a.csv", "a-2.csv"]), "a-3.csv");
        assert_eq!(name("Makefile", &["Makefile"]), "Makefile-2");
        assert_eq!(name(".env", &[".env"]), ".env-2");
    }
}
