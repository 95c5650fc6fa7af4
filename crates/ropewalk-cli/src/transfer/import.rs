use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use ropewalk_store::{Organization, Store, StoreError};
use ropewalk_types::UnixSeconds;

use super::{
    LOCAL, blobs,
    file_bytes::{self, Found},
    inputs::{Input, Inputs},
    intake::Intake,
    organization,
    report::{Origin, Report},
    sort::Sort,
    survey::{Entry, Survey},
};
use crate::settings::{FileSettings, data_dir};

/// Takes in what `export` wrote, or what GET replies of the hosted API or of Azure said, while a server runs or not.
///
/// Ids and times are kept. Objects whose id is there already stay as they are, so it is safe to repeat. What was not
/// taken is said, and the exit code is 2 then.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Folders, or files with one object or one page of a list a line. The bytes of a file are looked for beside
    /// them, in `files/<id>` or `files/<filename>`.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// The server's data folder; made if it is missing. [default: ./ropewalk-data]
    #[arg(long, visible_alias = "data", env = "ROPEWALK_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Whose the objects become. The default is everybody's on a server without keys.
    #[arg(long, default_value = LOCAL, value_parser = organization)]
    organization: Organization,
    /// Does everything but write.
    #[arg(long)]
    dry_run: bool,
    /// A file for all that was not taken, with the reason, in place of the first 20 on stderr.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Settings file, of which `data_dir` counts here. [default: ropewalk.toml, if it is there]
    #[arg(long, env = "ROPEWALK_CONFIG")]
    config: Option<PathBuf>,
}

impl Import {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let folder = data_dir(self.data_dir, FileSettings::load(self.config.as_deref())?.data_dir);
        let inputs = Inputs::find(&self.inputs)?;
        let opened = match Store::sqlite_beside(&folder) {
            Err(StoreError::NoDatabase { .. }) if self.dry_run => Ok(Store::in_memory()),
            Err(StoreError::NoDatabase { .. }) => Store::sqlite_beside_or_new(&folder),
            opened => opened,
        };
        let opened = opened.and_then(|store| {
            let blobs = if self.dry_run { None } else { Some(blobs(&folder)?) };
            Ok((store, blobs))
        });
        let (store, blobs) =
            opened.with_context(|| format!("the data folder {} cannot be used", folder.display()))?;
        let now = UnixSeconds(Timestamp::now().as_second());
        let intake = Intake::new(store.scope(self.organization), blobs, now);
        let refused = import(inputs, intake, Report::new(self.report)?).await?;
        if self.dry_run {
            writeln!(io::stderr(), "a dry run: nothing was written")?;
        }
        Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }
}

/// Takes all inputs in, parents before children. Gives how many objects were refused.
async fn import(mut inputs: Inputs, mut intake: Intake, mut report: Report) -> anyhow::Result<u64> {
    let survey = Survey::of(&inputs, &mut report)?;
    let style = ProgressStyle::with_template("{msg:18} {wide_bar} {pos}/{len} {per_sec} {eta}")?;
    let bar = ProgressBar::new(survey.objects()).with_style(style);
    for sort in Sort::ALL {
        bar.set_message(sort.plural());
        let mut open: Option<(usize, File)> = None;
        for (number, entry) in survey.oldest_first(sort) {
            let input = &inputs.found[number];
            let unreadable = || format!("{} cannot be read", input.path.display());
            let file = match &mut open {
                Some((opened, file)) if *opened == number => file,
                open => &mut open.insert((number, File::open(&input.path).with_context(unreadable)?)).1,
            };
            let json = text(file, entry).with_context(unreadable)?;
            let (id, verdict) = intake.take(sort, &json, input).await.context(STOPPED)?;
            if sort == Sort::File && !inputs.unread.is_empty() {
                own_bytes(input, &json).map(|path| inputs.unread.remove(&path));
            }
            let input = &inputs.found[number];
            report.note(sort, Origin { path: &input.path, line: entry.line }, id.as_deref(), verdict)?;
            bar.inc(1);
        }
        intake.flush().await.context(STOPPED)?;
    }
    bar.finish_and_clear();
    for path in &inputs.unread {
        let reason = "its first line is no object of the API: `jq -c .` makes one line of each";
        report.refuse(Origin { path, line: 0 }, None, reason)?;
    }
    report.finish()
}

const STOPPED: &str = "stopped half-way; run it again and it goes on";

fn text(file: &mut File, entry: Entry) -> io::Result<Vec<u8>> {
    let mut text = vec![0; entry.bytes as usize];
    file.seek(SeekFrom::Start(entry.offset))?;
    file.read_exact(&mut text)?;
    Ok(text)
}

/// Where the bytes of the file that `json` describes lie, if they lie beside the input.
fn own_bytes(input: &Input, json: &[u8]) -> Option<PathBuf> {
    match file_bytes::find(input, &serde_json::from_slice(json).ok()?) {
        Found::Here(path) | Found::Other(path, _) => Some(path),
        Found::Nowhere => None,
    }
}
