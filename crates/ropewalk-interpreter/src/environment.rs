use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::{Error, SandboxOptions};

/// Makes an environment.
const SCRIPT: &str = include_str!("python/environment.py");
/// What an environment has when it is whole.
const MANIFEST: &str = "ropewalk.json";

/// A folder with Python and packages for sessions, as `ropewalk interpreter setup` makes it.
#[derive(Debug, Clone)]
pub struct Environment {
    folder: PathBuf,
    manifest: Manifest,
}

#[derive(Debug, Clone, Deserialize)]
struct Manifest {
    packages: BTreeMap<String, String>,
    imports: Vec<String>,
}

/// How far the making of an environment is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Progress {
    /// Steps that are done.
    pub done: u64,
    /// Steps in all, as far as is known by now.
    pub of: u64,
    /// What is being done, for people.
    pub what: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Told {
    Failed { error: String },
    Progress(Progress),
}

impl Environment {
    /// What sessions have unless their operator says otherwise: the text of a requirements file of pip.
    pub const REQUIREMENTS: &str = include_str!("../requirements.txt");

    /// The environment in `folder`.
    ///
    /// # Errors
    ///
    /// [`Error::Environment`] if there is none, or it is unfinished or damaged; it says what to do.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        // Sessions do not begin where this process did.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let unusable = |why: String| Error::Environment { python: folder.clone(), why };
        let again = "`ropewalk interpreter setup` makes it anew";
        let manifest = std::fs::read(folder.join(MANIFEST)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if folder.exists() => unusable(format!("it is unfinished; {again}")),
            io::ErrorKind::NotFound => {
                unusable("it is not there; `ropewalk interpreter setup` makes it".to_owned())
            }
            _ => unusable(error.to_string()),
        })?;
        let manifest: Manifest = serde_json::from_slice(&manifest)
            .map_err(|error| unusable(format!("`{MANIFEST}` in it is damaged ({error}); {again}")))?;
        let environment = Self { folder, manifest };
        match environment.python().exists() {
            true => Ok(environment),
            false => Err(Error::Environment {
                python: environment.python(),
                why: format!("its interpreter is gone; {again}"),
            }),
        }
    }

    /// Makes an environment in `folder` with the interpreter `python` and packages by the text `requirements`, telling how far
    /// it is. Leaves alone what was made with the same text; what is half made is made anew. Takes minutes, and blocks.
    ///
    /// # Errors
    ///
    /// [`Error::Environment`] with what Python or pip said.
    pub fn set_up(
        folder: &Path,
        python: &Path,
        requirements: &str,
        mut progress: impl FnMut(Progress),
    ) -> Result<Self, Error> {
        let failed = |why: String| Error::Environment { python: folder.to_owned(), why };
        let io = |error: io::Error| failed(error.to_string());
        std::fs::create_dir_all(folder).map_err(io)?;
        // Beside the environment, which is cleared.
        let file = folder.with_added_extension("requirements.txt");
        std::fs::File::create(&file)
            .and_then(|mut file| file.write_all(requirements.as_bytes()))
            .map_err(io)?;
        let mut child = Command::new(python)
            .args(["-I", "-c", SCRIPT])
            .args([folder, &*file])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("`{}` cannot be run: {error}", python.display())))?;
        let mut error = None;
        for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            match serde_json::from_str(&line.map_err(io)?) {
                Ok(Told::Progress(told)) => progress(told),
                Ok(Told::Failed { error: why }) => error = Some(why),
                Err(_) => {}
            }
        }
        let status = child.wait().map_err(io)?;
        // It was read; what stays says nothing new.
        drop(std::fs::remove_file(&file));
        match error {
            Some(why) => Err(failed(why)),
            None if !status.success() => Err(failed(format!("`{}` ended with {status}", python.display()))),
            None => Self::open(folder),
        }
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin").join("python")
    }

    /// What is installed: names and versions.
    pub fn packages(&self) -> impl Iterator<Item = (&str, &str)> {
        self.manifest.packages.iter().map(|(name, version)| (&**name, &**version))
    }

    /// Settings for a sandbox with this environment, well-known packages imported.
    pub fn options(&self) -> SandboxOptions {
        let mut options = SandboxOptions::new(self.python());
        options.packages.clone_from(&self.manifest.imports);
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(folder: &Path) -> String {
        Environment::open(folder).expect_err("it is not whole").to_string()
    }

    #[test]
    fn what_is_not_whole_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let missing = complaint(&folder.path().join("none"));
        assert!(missing.contains("it is not there; `ropewalk interpreter setup`"), "{missing}");
        assert!(complaint(folder.path()).contains("unfinished"));
        let manifest = folder.path().join(MANIFEST);
        std::fs::write(&manifest, "{").unwrap();
        assert!(complaint(folder.path()).contains("damaged"));
        std::fs::write(&manifest, r#"{"packages":{"numpy":"2.2.6"},"imports":["numpy"],"requirements":""}"#)
            .unwrap();
        assert!(complaint(folder.path()).contains("interpreter is gone"));
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::fs::write(folder.path().join("bin/python"), "").unwrap();
        let environment = Environment::open(folder.path()).unwrap();
        assert_eq!(environment.packages().collect::<Vec<_>>(), [("numpy", "2.2.6")]);
        assert_eq!(environment.options().packages, ["numpy"]);
    }

    #[test]
    fn a_set_up_that_fails_says_why_and_leaves_nothing_usable() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("python");
        let set_up = |python: &str, requirements: &str| {
            let mut told = Vec::new();
            let made =
                Environment::set_up(&folder, Path::new(python), requirements, |progress| told.push(progress));
            (made.expect_err("it cannot be made").to_string(), told)
        };
        let (error, _) = set_up("/nowhere/python3", "");
        assert!(error.contains("`/nowhere/python3` cannot be run"), "{error}");
        let (error, told) = set_up("python3", "--no-index\nno-such-package==1.0");
        assert!(error.contains("no-such-package"), "{error}");
        assert_eq!((told[0].done, told[0].of), (0, 4));
        assert!(complaint(&folder).contains("unfinished"));
    }

    #[test]
    fn an_environment_is_made_once_for_the_same_requirements() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("python");
        let set_up = || {
            let mut last = None;
            let made =
                Environment::set_up(&folder, Path::new("python3"), "# nothing", |told| last = Some(told));
            (made.unwrap(), last.unwrap().what)
        };
        let (environment, told) = set_up();
        assert_eq!(told, "Done");
        assert!(environment.packages().any(|(name, _)| name == "pip"));
        assert_eq!(set_up().1, "It is there already");
    }
}
