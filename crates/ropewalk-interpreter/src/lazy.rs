use std::collections::BTreeSet;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::{Backend, Error, Interpreter, Layer, Sandbox, SandboxOptions};

/// A [`Sandbox`] that starts when it is first needed: imports take seconds. A start that failed is tried again.
#[derive(Debug)]
pub struct LazySandbox {
    options: SandboxOptions,
    sandbox: OnceCell<Sandbox>,
}

impl LazySandbox {
    /// A sandbox that is not started yet.
    pub fn new(options: SandboxOptions) -> Self {
        Self { options, sandbox: OnceCell::new() }
    }

    /// The sandbox, started.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::start`].
    pub async fn sandbox(&self) -> Result<&Sandbox, Error> {
        self.sandbox.get_or_try_init(|| Sandbox::start(self.options.clone())).await
    }
}

#[async_trait]
impl Backend for LazySandbox {
    async fn begin(&self) -> Result<Box<dyn Interpreter>, Error> {
        Ok(Box::new(self.sandbox().await?.session().await?))
    }

    fn lifted(&self) -> BTreeSet<Layer> {
        self.options.lifted.clone()
    }
}
