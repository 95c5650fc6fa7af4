use std::{
    fs::File,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use ropewalk_store::{Blobs, Organization};

use super::{escaped, inputs::Input};

/// Bytes read at once.
const PIECE: usize = 256 * 1024;

/// Where the bytes of a file lie.
#[derive(Debug)]
pub(super) enum Found {
    /// Here, as many as its object says.
    Here(PathBuf),
    /// Here, but so many.
    Other(PathBuf, u64),
    Nowhere,
}

/// Looks for the bytes of a file beside the input that names it: `files/<id>`, `files/<filename>`, `<id>`, `<filename>`.
pub(super) fn find(input: &Input, file: &ropewalk_types::File) -> Found {
    let mut found = Found::Nowhere;
    let names = [Some(escaped(file.id.as_str())), plain(&file.filename)];
    for home in &input.homes {
        for folder in [home.join("files"), home.clone()] {
            for name in names.iter().flatten() {
                let path = folder.join(name);
                match path.metadata() {
                    Ok(there) if there.is_file() && there.len() == file.bytes => return Found::Here(path),
                    Ok(there) if there.is_file() && matches!(found, Found::Nowhere) => {
                        found = Found::Other(path, there.len());
                    }
                    _ => {}
                }
            }
        }
    }
    found
}

/// The name as a path, if it is a name and no way out of a folder.
fn plain(name: &str) -> Option<PathBuf> {
    let mut parts = Path::new(name).components();
    let only = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    (only && !name.contains(['/', '\\', '\0'])).then(|| name.into())
}

/// Stores the bytes at `path` under `id`, and says how many there were.
pub(super) async fn copy(path: &Path, blobs: &Blobs, org: &Organization, id: &str) -> anyhow::Result<u64> {
    let mut file = File::open(path)?;
    let mut writer = blobs.write(org, id).await?;
    loop {
        let mut piece = vec![0; PIECE];
        let read = match file.read(&mut piece) {
            Ok(0) => return Ok(writer.finish().await?.bytes),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        piece.truncate(read);
        writer.write(piece.into()).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filename_is_no_way_out() {
        assert!(plain("report 1.pdf").is_some());
        for name in ["", "..", ".", "/etc/passwd", "a/b", "a\\b", "a/", "../x"] {
            assert_eq!(plain(name), None, "{name}");
        }
    }
}
