use clap::Args;

/// Talks to an assistant from the terminal.
#[derive(Debug, Args)]
pub(crate) struct Chat {}

impl Chat {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        Ok(())
    }
}
