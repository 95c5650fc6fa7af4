use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use rustix::process;
use tokio::task;

use crate::{
    Backend, Error, Interpreter, Layer, SandboxOptions, Session, control_group::Hierarchies, launch,
    plan::Plan, zygote::Zygote,
};

/// Python sessions behind a wall, all forked from one process that has the packages imported. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: SandboxOptions,
    /// What sessions have: not lifted, and seen to hold or required.
    pub(crate) layers: BTreeSet<Layer>,
    pub(crate) plan: Plan,
    pub(crate) hierarchies: Hierarchies,
    pub(crate) zygote: Mutex<Zygote>,
    sessions: AtomicU64,
    users: AtomicU32,
}

impl Sandbox {
    /// Starts Python, imports its packages, and tries each layer of the wall in a throw-away session. Takes seconds.
    ///
    /// A layer that does not hold and is not [required](Layer::is_required) is left out from then on;
    /// [`layers`](Self::layers) tells.
    ///
    /// # Errors
    ///
    /// [`Error::Environment`] if Python or a package cannot be had, [`Error::Layer`] if a required layer does not hold,
    /// [`Error::NotLifted`], [`Error::Start`], [`Error::Io`].
    pub async fn start(options: SandboxOptions) -> Result<Self, Error> {
        if let Some(layer) = options.lifted.iter().find(|layer| !layer.can_be_lifted()) {
            return Err(Error::NotLifted(*layer));
        }
        let shared = blocking(move || {
            let mut shared = Shared::new(options)?;
            while let Err(error) = launch::try_out(&shared) {
                match error {
                    Error::Layer { layer, why } if !layer.is_required() => {
                        tracing::warn!(%layer, why, "a layer of the sandbox does not hold here; it is left out");
                        shared.layers.remove(&layer);
                    }
                    error => return Err(error),
                }
            }
            Ok(shared)
        });
        Ok(Self { shared: Arc::new(shared.await?) })
    }

    /// Tries each layer of the wall in throw-away sessions, those that are lifted too; says which hold. What stands on a layer
    /// that does not hold, and that everything stands on, is not tried.
    ///
    /// # Errors
    ///
    /// [`Error::Environment`], [`Error::Start`], [`Error::Io`]: nothing is known then.
    pub async fn examine(mut options: SandboxOptions) -> Result<Vec<Finding>, Error> {
        options.lifted.clear();
        blocking(move || {
            let mut shared = Shared::new(options)?;
            let mut missing = BTreeMap::new();
            if !shared.layers.contains(&Layer::ControlGroup) {
                missing.insert(Layer::ControlGroup, "no control group can be written to".to_owned());
            }
            while let Err(error) = launch::try_out(&shared) {
                let Error::Layer { layer, why } = error else { return Err(error) };
                missing.insert(layer, why);
                if !layer.can_be_lifted() {
                    break;
                }
                shared.layers.remove(&layer);
            }
            let ground = missing.keys().find(|layer| !layer.can_be_lifted()).copied();
            let finding = |layer| {
                let outcome = match (missing.remove(&layer), ground) {
                    (Some(why), _) => Outcome::Missing { why },
                    (None, Some(ground)) => Outcome::NotTried { ground },
                    (None, None) => Outcome::Holds,
                };
                Finding { layer, outcome }
            };
            Ok(Layer::ALL.into_iter().map(finding).collect())
        })
        .await
    }

    /// The layers that sessions here have.
    pub fn layers(&self) -> &BTreeSet<Layer> {
        &self.shared.layers
    }

    /// Begins a session.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] if one that is required does not hold, [`Error::Start`], [`Error::Io`]. Nothing is left then.
    pub async fn session(&self) -> Result<Session, Error> {
        let shared = self.shared.clone();
        let started = blocking(move || launch::launch(&shared)).await?;
        Session::new(started, self.shared.options.limits.clone())
    }
}

#[async_trait]
impl Backend for Sandbox {
    async fn begin(&self) -> Result<Box<dyn Interpreter>, Error> {
        Ok(Box::new(self.session().await?))
    }

    fn lifted(&self) -> BTreeSet<Layer> {
        self.shared.options.lifted.clone()
    }
}

/// Whether a layer of the wall holds on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which one.
    pub layer: Layer,
    /// What came of the try.
    pub outcome: Outcome,
}

/// What came of trying a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It cannot be had here.
    Missing {
        /// What the system said.
        why: String,
    },
    /// It stands on one that cannot be had.
    NotTried {
        /// That one.
        ground: Layer,
    },
}

impl Shared {
    /// Python started, and all layers that are wanted and may be had.
    fn new(options: SandboxOptions) -> Result<Self, Error> {
        let zygote = Zygote::start(&options)?;
        let plan = Plan::new(&options, &zygote.tree)?;
        let hierarchies = Hierarchies::find();
        let mut layers: BTreeSet<_> =
            Layer::ALL.into_iter().filter(|layer| !options.lifted.contains(layer)).collect();
        if !hierarchies.are_enough() {
            layers.remove(&Layer::ControlGroup);
        }
        let (zygote, sessions, users) = (zygote.into(), AtomicU64::new(0), AtomicU32::new(0));
        Ok(Self { options, layers, plan, hierarchies, zygote, sessions, users })
    }

    /// A name that no other session of this machine has.
    pub(crate) fn next_name(&self) -> String {
        format!("{}-{}", std::process::id(), self.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// The user of the next session: one of the range for root, the server's own for anybody else.
    pub(crate) fn next_uid(&self) -> u32 {
        let own = process::getuid();
        let range = &self.options.uids;
        if !own.is_root() || range.is_empty() {
            return own.as_raw();
        }
        range.start + self.users.fetch_add(1, Ordering::Relaxed) % (range.end - range.start)
    }
}

/// Does what waits for other processes, away from those who must not wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    task::spawn_blocking(work).await.map_err(|error| Error::Start(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CellEnd;

    #[tokio::test]
    async fn a_zygote_that_was_killed_is_started_anew_and_sessions_live_on() {
        let sandbox = Sandbox::start(SandboxOptions::new("/usr/bin/python3")).await.expect("Python is there");
        let mut before = sandbox.session().await.expect("a session");
        assert_eq!(before.run("x = 1").end().await, CellEnd::Completed);
        sandbox.shared.zygote.lock().expect("nobody broke it").kill();
        let (one, other) = tokio::join!(sandbox.session(), sandbox.session());
        for mut session in [one.expect("a session"), other.expect("another")] {
            assert_eq!(session.run("x = 2").end().await, CellEnd::Completed);
        }
        assert_eq!(before.run("assert x == 1").end().await, CellEnd::Completed);
    }
}
