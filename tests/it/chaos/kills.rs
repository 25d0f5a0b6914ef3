//! SIGKILL of the supervisor, of the guardian and of both, with all bad habits at once: nothing of
//! the run is alive one second after the next command.

use super::stage::Stage;
use super::{events, invariants};

fn killed(supervisor: bool, guardian: bool) {
    let mut stage = Stage::new();
    stage.up();
    invariants::settle(&mut stage);
    stage.kill(supervisor, guardian);
    if supervisor {
        stage.up();
        invariants::nothing_old(&mut stage);
    }
    invariants::settle(&mut stage);
    invariants::recovers(&mut stage);
    stage.kill(supervisor, guardian);
    // Not only a start cleans up.
    events::down(&mut stage);
}

#[test]
fn the_supervisor() {
    killed(true, false);
}

#[test]
fn the_guardian() {
    killed(false, true);
}

#[test]
fn both() {
    killed(true, true);
}
