use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Context;
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use jiff::Timestamp;
use ropewalk::UnixSeconds;
use ropewalk_server::WEBHOOK_EVENTS;
use ropewalk_store::Store;
use ropewalk_webhooks::{Endpoint, Endpoints, NewEndpoint};

use crate::settings::{FileSettings, data_dir};

/// Makes, lists and deletes webhooks, which are told of runs, while a server runs or not.
#[derive(Debug, Args)]
pub(crate) struct Webhooks {
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
    /// Makes a webhook and prints its signing secret, once.
    Create {
        /// Whose runs it is told of.
        #[arg(long)]
        organization: String,
        /// Where it is told: `https` or `http`.
        #[arg(long)]
        url: String,
        /// What it is told of; may be given several times. [default: every status of every run]
        #[arg(long, value_name = "EVENT", value_parser = PossibleValuesParser::new(WEBHOOK_EVENTS))]
        event: Vec<String>,
    },
    /// Lists all webhooks. No secret is shown.
    List {
        /// One JSON object a line in place of the table.
        #[arg(long)]
        json: bool,
    },
    /// Switches a webhook on again that answered 410.
    Enable {
        /// The webhook's id as `list` shows it.
        id: String,
    },
    /// Deletes a webhook. It is told nothing more, not even what has waited for it.
    Delete {
        /// The webhook's id as `list` shows it.
        id: String,
    },
}

impl Webhooks {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let folder = data_dir(self.data_dir, FileSettings::load(self.config.as_deref())?.data_dir);
        let store = match self.command {
            Command::Create { .. } => Store::sqlite_beside_or_new(&folder),
            _ => Store::sqlite_beside(&folder),
        };
        let store = store.with_context(|| format!("the data folder {} cannot be used", folder.display()))?;
        let endpoints = Endpoints::new(&store);
        match self.command {
            Command::Create { organization, url, event } => {
                let new = event.into_iter().fold(NewEndpoint::new(organization, url), NewEndpoint::event);
                let now = UnixSeconds(Timestamp::now().as_second());
                let made = endpoints.create(new, now).await?;
                writeln!(io::stdout(), "{}", made.secret.reveal())?;
                let Endpoint { id, organization, .. } = &made.endpoint;
                writeln!(io::stderr(), "webhook {id} of {organization}; its secret is not shown again")?;
            }
            Command::List { json: true } => {
                let mut out = io::stdout().lock();
                for endpoint in endpoints.list().await? {
                    writeln!(out, "{}", serde_json::to_string(&endpoint)?)?;
                }
            }
            Command::List { json: false } => {
                let mut out = io::stdout().lock();
                for endpoint in endpoints.list().await? {
                    writeln!(out, "{}", line(&endpoint))?;
                }
            }
            Command::Enable { id } => {
                let endpoint = endpoints.set_enabled(&id, true).await?;
                writeln!(io::stderr(), "webhook {id} of {} is on", endpoint.organization)?;
            }
            Command::Delete { id } => {
                let endpoint = endpoints.delete(&id).await?;
                writeln!(io::stderr(), "webhook {id} of {} is deleted", endpoint.organization)?;
            }
        }
        Ok(())
    }
}

/// A webhook in one line: ids are of one length, and nobody has many.
fn line(endpoint: &Endpoint) -> String {
    let state = if endpoint.enabled { "on " } else { "off" };
    let events =
        if endpoint.events.is_empty() { "every status".to_owned() } else { endpoint.events.join(",") };
    format!("{}  {state}  {}  {}  {events}", endpoint.id, endpoint.organization, endpoint.url)
}
