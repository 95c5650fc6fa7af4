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
/// What Python says of every virtual environment.
const CONFIGURATION: &str = "pyvenv.cfg";

/// A folder with Python and packages for sessions, as `ropewalk interpreter setup` makes it.
#[derive(Debug, Clone)]
pub struct Environment {
    folder: PathBuf,
    python_version: String,
    manifest: Manifest,
}

#[derive(Debug, Clone, Deserialize)]
struct Manifest {
    packages: BTreeMap<String, String>,
    imports: Vec<String>,
}

/// How an environment is made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetUp {
    /// Python 3.10 or newer, with its `venv` module; the `python3` on the path.
    pub python: PathBuf,
    /// The text of a requirements file of pip, which names no other file; [`Environment::REQUIREMENTS`].
    pub requirements: String,
    /// Whether an environment with these requirements is made anew; not unless set.
    pub again: bool,
}

impl Default for SetUp {
    fn default() -> Self {
        Self { python: "python3".into(), requirements: Environment::REQUIREMENTS.to_owned(), again: false }
    }
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
        let configuration = std::fs::read_to_string(folder.join(CONFIGURATION))
            .map_err(|error| unusable(format!("`{CONFIGURATION}` in it is damaged ({error}); {again}")))?;
        let environment = Self { folder, python_version: python_version(&configuration), manifest };
        match environment.python().exists() {
            true => Ok(environment),
            false => Err(Error::Environment {
                python: environment.python(),
                why: format!("its interpreter is gone; {again}"),
            }),
        }
    }

    /// Makes an environment in `folder`, telling how far it is. One that is there with the same requirements is left alone; what
    /// is half made is made anew, as is one whose Python is another by now. Takes minutes, and blocks.
    ///
    /// # Errors
    ///
    /// [`Error::Environment`] with what Python or pip said; also if `folder` has anything but an environment in it, which
    /// would be lost, or if another process makes one there.
    pub fn set_up(folder: &Path, set_up: &SetUp, mut progress: impl FnMut(Progress)) -> Result<Self, Error> {
        let SetUp { python, requirements, again } = set_up;
        // As people know it, also where it is called `.`.
        let folder = &*std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let failed = |why: String| Error::Environment { python: folder.to_owned(), why };
        let io = |error: io::Error| failed(error.to_string());
        let mut child = Command::new(python)
            .args(["-I", "-c", SCRIPT])
            .args([folder, Path::new("-")])
            .args(again.then_some("--again"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("`{}` cannot be run: {error}", python.display())))?;
        if let Some(mut stdin) = child.stdin.take() {
            // Who does not take it has ended, and how is seen below.
            let _gone = stdin.write_all(requirements.as_bytes());
        }
        let mut error = None;
        for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            match serde_json::from_str(&line.map_err(io)?) {
                Ok(Told::Progress(told)) => progress(told),
                Ok(Told::Failed { error: why }) => error = Some(why),
                Err(_) => {}
            }
        }
        let status = child.wait().map_err(io)?;
        match error {
            Some(why) => Err(failed(why)),
            None if !status.success() => Err(failed(format!(
                "`{}` ended with {status}; Python 3.10 or newer is needed",
                python.display()
            ))),
            None => Self::open(folder),
        }
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin").join("python")
    }

    /// The version of its Python: `3.11.2`.
    pub fn python_version(&self) -> &str {
        &self.python_version
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

/// What a configuration says of the version; empty if it says nothing.
fn python_version(configuration: &str) -> String {
    let mut settings = configuration.lines().filter_map(|line| line.split_once('='));
    let version = settings.find(|(name, _)| name.trim() == "version");
    version.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
