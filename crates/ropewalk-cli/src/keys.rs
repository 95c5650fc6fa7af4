use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::{Timestamp, civil, tz::TimeZone};
use ropewalk::{Budget, UnixSeconds};
use ropewalk_server::{ApiKey, ApiKeys, KeyLimits, NewApiKey};
use ropewalk_store::Store;

use crate::settings::{FileSettings, data_dir};

/// Makes, lists and revokes keys, while a server runs or not.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: Command,
    /// The server's data folder. [default: ./ropewalk-data]
    #[arg(long, env = "ROPEWALK_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Settings file, of which `data_dir` counts here. [default: ropewalk.toml, if it is there]
    #[arg(long, env = "ROPEWALK_CONFIG", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a key and prints it, once: only its hash is kept.
    Create(Create),
    /// Lists all keys, revoked and expired ones too. None is shown.
    List {
        /// One JSON object a line in place of the table.
        #[arg(long)]
        json: bool,
    },
    /// Ends a key at once and for ever.
    Revoke {
        /// The key's id as `list` shows it, or the first eight or more digits of it.
        id: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Whose objects the key opens.
    #[arg(long)]
    organization: String,
    /// The project that it is held to: a request that names another one is refused.
    #[arg(long)]
    project: Option<String>,
    /// What to call it.
    #[arg(long)]
    name: Option<String>,
    /// Most requests a minute, in place of the server's setting for all.
    #[arg(long)]
    requests_per_minute: Option<u64>,
    /// Most tokens a minute, in place of the server's setting for all.
    #[arg(long)]
    tokens_per_minute: Option<u64>,
    /// Most tokens that its runs may use in all.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    max_total_tokens: Option<u64>,
    /// Most calls of a model that its runs may make in all.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    max_model_calls: Option<u64>,
    /// Most seconds that its runs may spend in calls of a model in all.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    max_seconds: Option<u64>,
    /// When it ends: `2027-01-31`, as that day begins in UTC, or `2027-01-31T18:00:00+01:00`.
    #[arg(long, value_parser = moment)]
    expires: Option<UnixSeconds>,
}

impl Keys {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let folder = data_dir(self.data_dir, FileSettings::load(self.config.as_deref())?.data_dir);
        let store = match self.command {
            Command::Create(_) => Store::sqlite_beside_or_new(&folder),
            Command::List { .. } | Command::Revoke { .. } => Store::sqlite_beside(&folder),
        };
        let store = store.with_context(|| format!("the data folder {} cannot be used", folder.display()))?;
        let keys = ApiKeys::new(&store);
        let now = UnixSeconds(Timestamp::now().as_second());
        match self.command {
            Command::Create(create) => {
                let made = keys.create(create.into(), now).await?;
                writeln!(io::stdout(), "{}", made.key)?;
                let ApiKey { id, organization, .. } = &made.record;
                writeln!(io::stderr(), "key {} of {organization}; it is not shown again", short(id))?;
            }
            Command::List { json: true } => {
                let mut out = io::stdout().lock();
                for key in keys.list().await? {
                    writeln!(out, "{}", serde_json::to_string(&key)?)?;
                }
            }
            Command::List { json: false } => write!(io::stdout(), "{}", table(&keys.list().await?, now))?,
            Command::Revoke { id } => {
                let key = keys.revoke(&id, now).await?;
                let ended = key.revoked_at.map(shown).unwrap_or_default();
                writeln!(
                    io::stderr(),
                    "key {} of {} is revoked since {ended}",
                    short(&key.id),
                    key.organization
                )?;
            }
        }
        Ok(())
    }
}

impl From<Create> for NewApiKey {
    fn from(create: Create) -> Self {
        let limits = KeyLimits::new()
            .requests_per_minute(create.requests_per_minute)
            .tokens_per_minute(create.tokens_per_minute);
        let mut budget = Budget::new();
        budget.max_total_tokens = create.max_total_tokens;
        budget.max_model_calls = create.max_model_calls;
        budget.max_seconds = create.max_seconds;
        let budget = Some(budget).filter(|budget| *budget != Budget::new());
        let new = Self::new(create.organization).project(create.project).name(create.name);
        new.limits(limits).budget(budget).expires_at(create.expires)
    }
}

/// A day or a moment on the command line.
fn moment(text: &str) -> Result<UnixSeconds, String> {
    let moment = match text.parse::<Timestamp>() {
        Ok(moment) => moment,
        Err(_) => {
            let day = text.parse::<civil::Date>().ok();
            let begins = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
            begins
                .ok_or("neither a day such as 2027-01-31 nor a moment such as 2027-01-31T18:00:00Z")?
                .timestamp()
        }
    };
    Ok(UnixSeconds(moment.as_second()))
}

/// A moment in UTC.
fn shown(at: UnixSeconds) -> String {
    Timestamp::from_second(at.0).map(|at| at.to_string()).unwrap_or_default()
}

/// Enough of an id to name its key.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

const HEADINGS: [&str; 8] = ["ID", "NAME", "KEY", "ORGANIZATION", "PROJECT", "CREATED", "LIMITS", "STATE"];

/// The keys as a table, a row each.
fn table(keys: &[ApiKey], now: UnixSeconds) -> String {
    let rows: Vec<[String; 8]> = keys.iter().map(|key| row(key, now)).collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
            .max(HEADINGS[column].len())
    };
    let widths: [usize; 8] = std::array::from_fn(width);
    let line = |cells: [&str; 8]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let lines = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(HEADINGS)).chain(lines).collect()
}

fn row(key: &ApiKey, now: UnixSeconds) -> [String; 8] {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let budget = key.budget.unwrap_or_default();
    let limits = [
        (key.limits.requests_per_minute, "requests/min"),
        (key.limits.tokens_per_minute, "tokens/min"),
        (budget.max_total_tokens, "tokens in all"),
        (budget.max_model_calls, "model calls in all"),
        (budget.max_seconds, "seconds in all"),
    ];
    let limits: Vec<String> =
        limits.iter().filter_map(|(limit, what)| limit.map(|limit| format!("{limit} {what}"))).collect();
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", shown(at)),
        (None, Some(at)) if at <= now => format!("expired {}", shown(at)),
        (None, Some(at)) => format!("until {}", shown(at)),
        (None, None) => "valid".to_owned(),
    };
    [
        short(&key.id).to_owned(),
        or_dash(&key.name),
        format!("sk-…{}", key.last4),
        key.organization.clone(),
        or_dash(&key.project),
        shown(key.created_at),
        or_dash(&Some(limits.join(", ")).filter(|limits| !limits.is_empty())),
        state,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_in_utc_and_a_moment_is_exact() {
        assert_eq!(moment("2027-01-31"), Ok(UnixSeconds(1_801_353_600)));
        assert_eq!(moment("2027-01-31T01:00:01+01:00"), Ok(UnixSeconds(1_801_353_601)));
        assert!(moment("tomorrow").is_err() && moment("2027-02-30").is_err());
    }
}
