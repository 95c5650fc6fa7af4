use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, builder::BoolishValueParser};
use ropewalk_server::{ApiKeys, BusyPolicy, Keys, Runtime, RuntimeOptions};
use ropewalk_store::{Blobs, Store};
use ropewalk_transport::Secret;
use tokio::net::TcpListener;

use crate::{
    interpreter::InterpreterFlags,
    limits::Limits,
    metrics::Metrics,
    settings::{FileSettings, data_dir},
    upstream::UpstreamCalls,
};

/// How long open requests and runs may take to finish once the server is asked to stop.
const GRACE: Duration = Duration::from_secs(25);

/// Serves the API over HTTP.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 picks a free one. [default: 127.0.0.1:8484]
    #[arg(long, env = "ROPEWALK_LISTEN")]
    listen: Option<String>,
    /// Where everything is kept. [default: ./ropewalk-data]
    #[arg(long, env = "ROPEWALK_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Base URL of any Chat Completions server. Without one, a script answers in place of a language model.
    #[arg(long, env = "ROPEWALK_UPSTREAM")]
    upstream: Option<String>,
    /// Key for the upstream.
    #[arg(long, env = "ROPEWALK_UPSTREAM_KEY", hide_env_values = true)]
    upstream_key: Option<Secret>,
    /// JSON file of who may call besides whoever has a key of `ropewalk keys`:
    /// `{"keys":[{"key":"sk-…","organization":"org-a"}]}`. While there is neither, any key is the one local
    /// organisation, and only loopback is served.
    #[arg(long, env = "ROPEWALK_API_KEYS")]
    api_keys: Option<PathBuf>,
    /// Seconds that a run may take in all. [default: 600]
    #[arg(long, env = "ROPEWALK_RUN_EXPIRY")]
    run_expiry: Option<u64>,
    /// What happens to a run or a message for a thread whose run is still active: `reject`, `queue` or `interrupt`. A
    /// request may say otherwise in the header `x-ropewalk-busy`. [default: reject]
    #[arg(long, env = "ROPEWALK_BUSY")]
    busy: Option<BusyPolicy>,
    /// Tokens that the model takes in one call, prompt and answer: prompts are cut to three quarters of it. [default:
    /// prompts are not cut]
    #[arg(long, env = "ROPEWALK_CONTEXT_WINDOW")]
    context_window: Option<u64>,
    /// Lets webhooks be at private addresses, those of this machine included.
    #[arg(long, env = "ROPEWALK_WEBHOOK_ALLOW_PRIVATE")]
    webhook_allow_private: bool,
    /// Settings file. [default: ropewalk.toml, if it is there]
    #[arg(long, env = "ROPEWALK_CONFIG")]
    config: Option<PathBuf>,
    /// Serves totals for Prometheus at `/metrics`, to whoever reaches the server and without a key; only on loopback.
    #[arg(long, env = "ROPEWALK_METRICS", value_parser = BoolishValueParser::new())]
    metrics: bool,
    /// Where else to serve them, and nothing but them, to whoever reaches it: `127.0.0.1:9464`. [default: nowhere]
    #[arg(long, env = "ROPEWALK_METRICS_LISTEN")]
    metrics_listen: Option<String>,
    // Last, for what comes behind them would stand under their heading.
    #[command(flatten)]
    upstream_calls: UpstreamCalls,
    #[command(flatten)]
    interpreter: InterpreterFlags,
    #[command(flatten)]
    limits: Limits,
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        #[cfg(unix)]
        outlive_limits()?;
        let file = FileSettings::load(self.config.as_deref())?;
        let upstream_calls = self.upstream_calls.or(&file);
        let listen = self.listen.or(file.listen).unwrap_or_else(|| "127.0.0.1:8484".to_owned());
        let data_dir = data_dir(self.data_dir, file.data_dir);

        let mut options = RuntimeOptions::default();
        if let Some(path) = self.api_keys.or(file.api_keys) {
            options.keys = Keys::from_file(&path).with_context(|| format!("in {}", path.display()))?;
        }
        if let Some(seconds) = self.run_expiry.or(file.run_expiry) {
            if seconds == 0 {
                bail!("--run-expiry is the seconds that a run may take: at least 1");
            }
            options.run_expiry = Duration::from_secs(seconds);
        }
        if let Some(policy) = self.busy.map(Ok).or_else(|| file.busy.as_deref().map(str::parse)) {
            options.busy = policy.context("`busy` in the settings file")?;
        }
        options.engine.context_window = self.context_window.or(file.context_window);
        if options.engine.context_window.is_some_and(|tokens| tokens < 1024) {
            bail!("--context-window is the tokens of one model call: at least 1024");
        }
        options.webhooks.allow_private = self.webhook_allow_private || file.webhook_allow_private;
        self.limits.apply(file.limits, &mut options)?;
        options.code_interpreter = self.interpreter.options(file.interpreter, &data_dir)?;
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host(&listen)
            .await
            .with_context(|| format!("--listen {listen} is no address to listen on"))?
            .collect();
        let upstream_key = self.upstream_key.or(file.upstream_key);
        let model = upstream_calls.model(self.upstream.or(file.upstream).as_deref(), upstream_key)?;
        let store = Store::sqlite(&data_dir)
            .with_context(|| format!("the data folder {} cannot be used", data_dir.display()))?;
        let blobs = Blobs::in_folder(data_dir.join("blobs"))
            .with_context(|| format!("the files in {} cannot be used", data_dir.display()))?;
        let loopback = addresses.iter().all(|address| address.ip().is_loopback());
        if !loopback && options.keys.is_open() && !ApiKeys::new(&store).any().await? {
            bail!(
                "without --api-keys anyone who reaches {listen} could use the server: make a key with `ropewalk keys \
                 create`, give it a key file, or listen on loopback (127.0.0.1)"
            );
        }
        let on_main = self.metrics || file.metrics;
        if on_main && !loopback {
            bail!(
                "--metrics would show totals to whoever reaches {listen}: use --metrics-listen, or listen on loopback"
            );
        }
        let metrics_listener = match self.metrics_listen.or(file.metrics_listen) {
            Some(address) => Some(bind(&address, "--metrics-listen").await?),
            None => None,
        };
        let metrics = (on_main || metrics_listener.is_some()).then(Metrics::record).transpose()?;
        options.metrics = metrics.as_ref().filter(|_| on_main).map(Metrics::page);
        let runtime = Runtime::new(store, blobs, model, options);

        let listener = TcpListener::bind(addresses.as_slice())
            .await
            .with_context(|| format!("cannot listen on {listen}"))?;
        let stop = stop_signal()?;
        if let Some(listener) = &metrics_listener {
            tracing::info!("metrics on http://{}/metrics", listener.local_addr()?);
        }
        tracing::info!(data_dir = %data_dir.display(), "listening on http://{}", listener.local_addr()?);
        let served = ropewalk_server::serve(listener, runtime, stop, GRACE);
        match metrics {
            None => served.await?,
            Some(metrics) => tokio::select! {
                served = served => served?,
                () = metrics.run(metrics_listener) => {}
            },
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Listens on what `flag` says.
async fn bind(address: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{flag} {address} is no address to listen on"))
}

/// Makes a limit of the size of files an error of the write that meets it, and not the end of the process.
#[cfg(unix)]
fn outlive_limits() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // The handler stays when nobody listens.
    drop(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
    Ok(())
}

/// Done when the process is asked to stop. The handlers are in place when this returns, so that a signal sent
/// after the first log line is never missed.
#[cfg(unix)]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: open requests may finish");
    })
}

/// Done when the process is asked to stop.
#[cfg(not(unix))]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            tracing::info!("stopping: open requests may finish");
        }
    })
}
