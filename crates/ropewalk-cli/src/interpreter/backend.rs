//! What stands between the code of models and the host.

use std::{path::PathBuf, sync::Arc};

#[cfg(not(target_os = "linux"))]
use anyhow::bail;
use clap::ValueEnum;
use ropewalk_interpreter::{Backend, SandboxOptions};
use serde::Deserialize;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BackendName {
    /// The sandbox that comes with Ropewalk.
    #[default]
    BuiltIn,
    /// gVisor, by its program `runsc`: a kernel of its own for each session, and slower.
    Runsc,
}

/// Begins to get it ready; `runsc` is the program, where it is not the one of that name.
#[cfg(target_os = "linux")]
pub(super) fn backend(
    name: BackendName,
    options: SandboxOptions,
    runsc: Option<PathBuf>,
) -> anyhow::Result<Arc<dyn Backend>> {
    Ok(match name {
        BackendName::BuiltIn => built_in(options),
        BackendName::Runsc => {
            tracing::info!("code_interpreter runs in gVisor");
            Arc::new(runsc_of(options, runsc))
        }
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn backend(
    _: BackendName,
    _: SandboxOptions,
    _: Option<PathBuf>,
) -> anyhow::Result<Arc<dyn Backend>> {
    bail!("the sandbox of code_interpreter needs Linux: use --no-interpreter here")
}

#[cfg(target_os = "linux")]
fn built_in(options: SandboxOptions) -> Arc<dyn Backend> {
    let sandbox = Arc::new(ropewalk_interpreter::LazySandbox::new(options));
    let starting = sandbox.clone();
    // The first cell need not wait for the imports, and the operator sees at once what is missing.
    tokio::spawn(async move {
        match starting.sandbox().await {
            Ok(sandbox) => {
                let layers: Vec<_> = sandbox.layers().iter().map(|layer| layer.name()).collect();
                tracing::info!("code_interpreter is ready, behind the layers {}", layers.join(", "));
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "code_interpreter cannot run here; `ropewalk doctor` says more");
            }
        }
    });
    sandbox
}

/// Sessions in gVisor.
#[cfg(target_os = "linux")]
pub(crate) fn runsc_of(options: SandboxOptions, runsc: Option<PathBuf>) -> ropewalk_interpreter::Runsc {
    let mut options = ropewalk_interpreter::RunscOptions::from(options);
    if let Some(runsc) = runsc {
        options.runsc = runsc;
    }
    ropewalk_interpreter::Runsc::new(options)
}
