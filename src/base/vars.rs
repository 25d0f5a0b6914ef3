//! Every environment variable of our own, each a documented constant.
//!
//! Only `config` reads them. `docs/technical/cli.md` lists the same set; a test compares the two.

/// A variable: its name and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Var {
    /// The name, `INFRA_…`.
    pub name: &'static str,
    /// One line for `config print` and the documentation.
    pub help: &'static str,
}

/// The store's directory.
pub const STORE: Var = Var { name: "INFRA_STORE", help: "Directory of the store" };
/// The artifact cache's directory.
pub const ARTIFACTS: Var = Var {
    name: "INFRA_ARTIFACTS",
    help: "Directory of downloaded artifacts; `artifacts` in the store unless set",
};
/// The project's directory.
pub const PROJECT: Var = Var {
    name: "INFRA_PROJECT",
    help: "Project directory; the nearest one upwards with `profiles/` unless set",
};
/// The environment used when a command names none.
pub const ENV: Var = Var { name: "INFRA_ENV", help: "Environment used when a command names none" };
/// No network.
pub const OFFLINE: Var = Var { name: "INFRA_OFFLINE", help: "`1` forbids every network access" };
/// Binary caches.
pub const CACHE: Var = Var {
    name: "INFRA_CACHE",
    help: "Binary caches to ask before sources, separated by spaces, instead of the profiles' `[cache]`; `none` for none",
};
/// Who may push.
pub const CACHE_TOKEN: Var = Var {
    name: "INFRA_CACHE_TOKEN",
    help: "Token that `cache serve` asks for, and `cache push` sends, to write",
};
/// Who may control a stack over loopback.
pub const CONTROL_TOKEN: Var = Var {
    name: "INFRA_CONTROL_TOKEN",
    help: "Token that lets requests on the port `control` change something; also read from the project's `.env`",
};
/// How many downloads and unpackings run at once.
pub const JOBS: Var = Var { name: "INFRA_JOBS", help: "Downloads and unpackings at once" };
/// How long to wait for a lock that another process holds.
pub const LOCK_TIMEOUT: Var = Var {
    name: "INFRA_LOCK_TIMEOUT",
    help: "Seconds to wait for another process that holds a lock",
};
/// Connect time-out.
pub const CONNECT_TIMEOUT: Var =
    Var { name: "INFRA_CONNECT_TIMEOUT", help: "Seconds to wait for a connection to a source" };
/// Longest silence.
pub const STALL_TIMEOUT: Var = Var {
    name: "INFRA_STALL_TIMEOUT",
    help: "Seconds to wait for the next bytes of a source that is connected",
};
/// Tries for one request.
pub const RETRIES: Var =
    Var { name: "INFRA_RETRIES", help: "How often a failed request is tried again" };
/// Crash tests.
pub const INTERRUPT_AT: Var = Var {
    name: "INFRA_INTERRUPT_AT",
    help: "Ends the process at a named interruption point, or at its Nth passage with `:N` (crash tests)",
};

/// All of them, sorted by name.
pub const ALL: &[Var] = &[
    ARTIFACTS,
    CACHE,
    CACHE_TOKEN,
    CONNECT_TIMEOUT,
    CONTROL_TOKEN,
    ENV,
    INTERRUPT_AT,
    JOBS,
    LOCK_TIMEOUT,
    OFFLINE,
    PROJECT,
    RETRIES,
    STALL_TIMEOUT,
    STORE,
];

/// Set in the processes of an environment, never read as settings.
pub mod exported {
    /// Name of the environment a shell or service runs in.
    pub const ENV_NAME: &str = "INFRA_ENV_NAME";
    /// Digest of that environment.
    pub const ENV_DIGEST: &str = "INFRA_ENV_DIGEST";
    /// Generation of that environment.
    pub const ENV_GENERATION: &str = "INFRA_ENV_GENERATION";
    /// Marks a service and the run it belongs to, so that what escapes it is still found.
    pub const RUN: &str = "INFRA_RUN";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn sorted_and_prefixed() {
        assert!(ALL.iter().map(|v| v.name).is_sorted());
        assert!(ALL.iter().all(|v| v.name.starts_with("INFRA_")));
    }
}
