//! The metrics of the process: recorded, described, and written as a page for Prometheus.

mod process;

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use ropewalk_server::MetricsPage;
use tokio::{net::TcpListener, time::interval};

/// Bounds of what is measured in seconds: from a commit to a long run.
const SECONDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0];
/// Bounds of how many writes share a transaction.
const WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// How often what was measured is summed up, so that it does not pile up while nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);

/// What is measured, from when it is made.
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// Records the metrics of the whole process.
    pub(crate) fn record() -> anyhow::Result<Self> {
        let recorder = recorder()?;
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).context("metrics are recorded already")?;
        describe();
        Ok(Self(handle))
    }

    /// The page that says it all.
    pub(crate) fn page(&self) -> MetricsPage {
        let handle = self.0.clone();
        MetricsPage::new(move || {
            process::measure();
            handle.render()
        })
    }

    /// Sums up what is measured, and serves it on `listener` if there is one; never ends.
    pub(crate) async fn run(self, listener: Option<TcpListener>) {
        let upkeep = async {
            let mut tick = interval(UPKEEP);
            loop {
                tick.tick().await;
                self.0.run_upkeep();
            }
        };
        match listener {
            Some(listener) => {
                let serve = self.page().serve(listener, std::future::pending());
                tokio::join!(upkeep, serve);
            }
            None => upkeep.await,
        }
    }
}

fn recorder() -> anyhow::Result<PrometheusRecorder> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_writes".to_owned()), &WRITES)?;
    Ok(builder.build_recorder())
}

/// Says what all metrics mean.
fn describe() {
    ropewalk_server::describe_metrics();
    process::describe();
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Mutex};

    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    use super::*;

    /// Notes the names of what is described.
    #[derive(Default)]
    struct Names(Mutex<BTreeSet<String>>);

    impl Names {
        fn add(&self, name: &KeyName, text: &str) {
            assert!(text.ends_with('.'), "{}: {text}", name.as_str());
            assert!(self.0.lock().unwrap().insert(name.as_str().to_owned()), "{} twice", name.as_str());
        }
    }

    impl Recorder for Names {
        fn describe_counter(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
            assert!(name.as_str().ends_with("_total"), "a counter: {}", name.as_str());
            self.add(&name, &text);
        }

        fn describe_gauge(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
            self.add(&name, &text);
        }

        fn describe_histogram(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
            self.add(&name, &text);
        }

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            Counter::noop()
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn the_handbook_lists_exactly_the_metrics_that_there_are() {
        let names = Names::default();
        metrics::with_local_recorder(&names, describe);
        let handbook = include_str!("../../../docs/operating.md");
        let rows = handbook.lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: BTreeSet<String> = rows
            .filter_map(|row| row.split(['`', '{']).next())
            .filter(|name| name.starts_with("ropewalk_") || name.starts_with("process_"))
            .map(str::to_owned)
            .collect();
        assert_eq!(*names.0.lock().unwrap(), listed);
    }
}
