use std::time::{Duration, Instant};

use crate::{
    ropewalk,
    served::{Served, Upstream},
};

#[test]
fn a_run_of_a_killed_server_goes_on_as_soon_as_the_next_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start();
    let serve = || {
        let mut command = ropewalk(folder.path());
        command.args(["serve", "--listen", "127.0.0.1:0", "--upstream", &upstream.url]);
        Served::start(&mut command).unwrap()
    };
    let first = serve();
    let run = first.run();
    let killed = Instant::now();
    first.kill();
    upstream.answer();
    let next = serve();
    let took = next.until(&run, "completed");
    println!("completed {took:?} after the next server listened, {:?} after the kill", killed.elapsed());
    // No lease was waited for: those last 4 seconds.
    assert!(took < Duration::from_millis(2500), "{took:?}");
}
