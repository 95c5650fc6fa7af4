use std::path::{Path, PathBuf};

use anyhow::Context;
use ropewalk_transport::Secret;
use serde::Deserialize;

use crate::{interpreter::InterpreterFlags, limits::Limits};

/// What `ropewalk.toml` may say. Flags and the environment come before it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileSettings {
    pub(crate) listen: Option<String>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) upstream: Option<String>,
    pub(crate) upstream_key: Option<Secret>,
    pub(crate) upstream_timeout: Option<u64>,
    pub(crate) upstream_idle_timeout: Option<u64>,
    pub(crate) upstream_retries: Option<u32>,
    pub(crate) upstream_failures: Option<u32>,
    pub(crate) api_keys: Option<PathBuf>,
    pub(crate) run_expiry: Option<u64>,
    pub(crate) busy: Option<String>,
    pub(crate) context_window: Option<u64>,
    pub(crate) metrics: bool,
    pub(crate) metrics_listen: Option<String>,
    pub(crate) webhook_allow_private: bool,
    pub(crate) interpreter: InterpreterFlags,
    pub(crate) limits: Limits,
}

impl FileSettings {
    /// The settings in `path`, which must be there, or in `ropewalk.toml` here, if that is.
    pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<Self> {
        let file = match path {
            Some(path) => config::File::from(path).format(config::FileFormat::Toml),
            None => config::File::new("ropewalk.toml", config::FileFormat::Toml).required(false),
        };
        let settings = config::Config::builder().add_source(file).build();
        settings.and_then(config::Config::try_deserialize).context("the settings file cannot be used")
    }
}

/// Where everything is kept.
pub(crate) fn data_dir(flag: Option<PathBuf>, file: Option<PathBuf>) -> PathBuf {
    flag.or(file).unwrap_or_else(|| PathBuf::from("ropewalk-data"))
}
