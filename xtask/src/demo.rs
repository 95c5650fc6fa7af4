use clap::Args;

use crate::process::{cargo, run};

/// Plays a conversation on an embedded runtime.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Base URL of a Chat Completions server; without one a script answers, which is not a language model.
    #[arg(long)]
    upstream: Option<String>,
    /// Its key.
    #[arg(long, requires = "upstream")]
    upstream_key: Option<String>,
    /// The model to ask.
    #[arg(long)]
    model: Option<String>,
}

impl Demo {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut demo = cargo(&["run", "--quiet", "--package", "stock-agent", "--"]);
        let flags = [
            ("--upstream", &self.upstream),
            ("--upstream-key", &self.upstream_key),
            ("--model", &self.model),
        ];
        for (flag, value) in flags {
            if let Some(value) = value {
                demo.args([flag, value]);
            }
        }
        run(&mut demo)
    }
}
