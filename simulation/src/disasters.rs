//! What happens to processes from outside: they are started and killed, the power goes, the clock jumps.

use std::sync::Arc;

use tokio::time::sleep;

use crate::{process::Process, world::World};

/// Lets them begin.
pub(crate) fn begin(world: &Arc<World>) {
    for _ in 0..world.weather.processes {
        let first = Process::start(world);
        tokio::spawn(keep_up(world.clone(), first));
    }
    tokio::spawn(lose_power(world.clone()));
    tokio::spawn(jump(world.clone()));
}

/// Starts a process in the place of each that died.
async fn keep_up(world: Arc<World>, mut process: Arc<Process>) {
    loop {
        let within = world.weather.crash_within_ms;
        if within > 0 && world.random.permille(500) {
            let (victim, after) = (process.clone(), world.random.ms(0..within));
            tokio::spawn(async move {
                sleep(after).await;
                let world = &victim.world;
                if world.strikes(world.weather.polite) {
                    victim.leave(world.random.ms(0..4_000)).await;
                } else if !world.is_calm() {
                    victim.kill("of a sudden");
                }
            });
        }
        process.death().await;
        sleep(world.random.ms(world.weather.restart_ms.clone())).await;
        process = Process::start(&world);
    }
}

/// Takes all processes, and what was not synced.
async fn lose_power(world: Arc<World>) {
    for _ in 0..world.weather.power_losses {
        sleep(world.random.ms(500..9_000)).await;
        if world.is_calm() {
            return;
        }
        for process in world.living() {
            process.kill("as the power is lost");
        }
        world.power_goes();
        let left = world.disk.lose_power(&world.random);
        world.say(|| format!("{} writes are left", left.len()));
        world.ledger.lock().lost_power(&world, &left);
    }
}

async fn jump(world: Arc<World>) {
    for _ in 0..world.weather.jumps {
        sleep(world.random.ms(500..9_000)).await;
        if world.is_calm() {
            return;
        }
        let far = if world.random.permille(100) { 3_600_000 } else { 30_000 };
        let ms = world.random.below(2 * far).cast_signed() - far.cast_signed();
        world.jumps(ms);
    }
}
