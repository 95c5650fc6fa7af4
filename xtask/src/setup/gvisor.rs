//! gVisor's program `runsc`, in `target/gvisor`, for the tests of sessions in it.

use std::{fs, path::PathBuf};

use anyhow::Context;

use crate::process::{command, output, succeeds, target};

/// The one on the path, or else the one below `target`, if it is there.
pub(crate) fn runsc() -> PathBuf {
    let unpacked = folder().join("usr/bin/runsc");
    if unpacked.exists() { unpacked } else { "runsc".into() }
}

/// Unpacks Debian's package below `target`, unless there is a `runsc`: nothing of the system changes but its list of
/// packages.
pub(super) fn install() -> anyhow::Result<()> {
    if succeeds(command(runsc()).arg("--version")) {
        return Ok(());
    }
    eprintln!("xtask: unpacking gVisor's runsc");
    // Files of a download that broke off would be taken for the package.
    let download = folder().join("download");
    let _none = fs::remove_dir_all(&download);
    fs::create_dir_all(&download).with_context(|| format!("{} cannot be made", download.display()))?;
    let mut get = command("apt-get");
    get.args(["download", "--quiet", "runsc"]).current_dir(&download);
    if !succeeds(&mut get) {
        output(command("apt-get").args(["update", "--quiet"]))?;
        output(&mut get)?;
    }
    let package = fs::read_dir(&download)?.next().context("apt-get has downloaded nothing")??.path();
    output(command("dpkg-deb").arg("--extract").arg(package).arg(folder()))?;
    output(command(runsc()).arg("--version")).map(drop)
}

fn folder() -> PathBuf {
    target().join("gvisor")
}
