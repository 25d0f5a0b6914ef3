//! What services may do, and whether the status says the truth about it.
//!
//! The programs are the host's own shell, copied into a dep, and a few bytes of machine code, so that
//! nothing is compiled. A kernel without Landlock passes these tests over, and says so.

mod beside;
mod claims;
mod elf;
mod held;
mod left;
mod limits;
mod probe;

use serde_json::Value;

use crate::world::World;

/// The program loader that this host's shell names; `None` when the shell is static.
fn loader() -> Option<&'static str> {
    ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())
}

/// Whether this kernel has Landlock in a version that is used.
fn has_landlock() -> bool {
    // `landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)` gives the version.
    #[allow(unsafe_code, reason = "there is no other way to ask")]
    // SAFETY: asks for a number only; with this flag there is no structure to read.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0usize, 1u32)
    };
    if version < 2 {
        eprintln!("passed over: this kernel has no Landlock (version {version})");
    }
    version >= 2
}

/// A project whose dep `tools` offers `shell`, this host's own.
fn with_shell(services: &str) -> World {
    let world = World::stack();
    let shell = world.env.project().join("tools/bin/shell");
    std::fs::copy("/bin/sh", &shell).expect("copy");
    world.profiles(&format!(
        "platforms = [\"{}-linux\"]\n\n[dep]\ntools = \"path:tools\"\n\n{services}",
        std::env::consts::ARCH
    ));
    world.env.ok(["dep", "lock", "-q"]);
    world
}

/// A project whose dep `tools` offers `still`: it says `text` and waits.
fn with_program(text: &str, services: &str) -> World {
    let world = World::stack();
    let program = elf::says(text);
    world.env.write("tools/bin/still", &program);
    let file = world.env.project().join("tools/bin/still");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(file, mode).expect("mode");
    world.profiles(&format!(
        "platforms = [\"{}-linux\"]\n\n[dep]\ntools = \"path:tools\"\n\n{services}",
        std::env::consts::ARCH
    ));
    world.env.ok(["dep", "lock", "-q"]);
    world
}

/// The status when the probe has answered for every service.
fn probed(world: &World) -> Value {
    crate::support::wait_for("the probe's answer", || {
        let status = world.json(["runtime", "status", "--json"]);
        let services = status["services"].as_array()?;
        services.iter().all(|s| s["sandbox"]["grade"] != "unknown").then_some(status)
    })
}

fn report<'a>(status: &'a Value, service: &str) -> &'a Value {
    let services = status["services"].as_array().expect("services");
    &services.iter().find(|s| s["name"] == service).expect("the service")["sandbox"]
}

/// A pipe that a shell can wait on without a program: `read line <> PATH`.
fn fifo(path: &std::path::Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    std::fs::create_dir_all(path.parent().expect("directory")).expect("directory");
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0).expect("fifo");
    // Whatever the mask is.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(path, mode).expect("mode");
}
