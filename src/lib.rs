//! `infra`: a project's whole runtime, reproducible.
//!
//! ```text
//! profiles/*.toml ──lock──▶ dep.lock.json ──sync──▶ store ──build──▶ environment ──▶ enter · exec · run
//!    (wishes)               (pins, every platform)   (bits)           (a store object with a digest)
//! ```
//!
//! # Layers
//! A room imports only from rooms with a lower number; `tests/architecture.rs` holds this.
//!
//! | layer | rooms |
//! |---|---|
//! | 0 | [`base`] |
//! | 1 | [`fs`] |
//! | 2 | [`binary`], [`config`], [`http`], [`nar`], [`profile`], [`ui`] |
//! | 3 | [`archive`], [`oci`] |
//! | 4 | [`build`], [`lock`], [`provenance`], [`store`] |
//! | 5 | [`cache`], [`env`], [`exchange`], [`sandbox`], [`source`] |
//! | 6 | [`supervise`], [`sync`] |
//! | 7 | [`ops`], [`tui`] |
//! | 8 | [`cli`] |
//!
//! # Module map
//!
//! | room | what it owns |
//! |---|---|
//! | [`base`] | the domain's words, without I/O: [`base::Integrity`], [`base::TreeHash`], [`base::ObjectName`], [`base::Platform`], [`base::Version`]; [`base::Diagnose`] and [`base::Problem`]; our variables ([`base::vars`]); interruption points ([`base::interrupt`]) |
//! | [`fs`] | every use of the filesystem: errors that name action and path, atomic writes, locks that say who holds them, staging directories |
//! | [`binary`] | what ELF, Mach-O and PE headers say, and whether that contradicts a platform |
//! | [`config`] | settings with their origin; how each ecosystem is configured on this machine |
//! | [`http`] | the HTTP client: retries, resume, conditional documents; the readiness probe |
//! | [`nar`] | Nix's archive format: writer, strict reader, hash of a tree |
//! | [`profile`] | `profiles/*.toml`: reading, `extends`, checking, `${…}`, editing, the starter set |
//! | [`ui`] | both output streams: tables, colours, problems, progress |
//! | [`archive`] | zip and tar as one guarded tree, unpacked and hashed in one pass |
//! | [`oci`] | container images: descriptors, manifests, the registry protocol |
//! | [`build`] | commands built from Go modules: names, sums, proxies, calling the toolchain |
//! | [`lock`] | `dep.lock.json`: its form, freshness, differences, the cache key |
//! | [`provenance`] | evidence of where artifacts come from: Sigstore bundles, signatures of registries, minisign, cosign; verified over bytes, without the network |
//! | [`store`] | objects, registrations, artifacts, evidence, roots, collection, verification |
//! | [`cache`] | binary caches in Nix's form: narinfo, signatures, back ends, push, pull, serve |
//! | [`env`](mod@env) | environments: resolving, the object, generations, values, shells |
//! | [`sandbox`] | what a service may do: Landlock and seccomp rules, limits, the held executable, the probe that tries the ways around |
//! | [`source`] | `pypi:`, `npm:`, `go:`, `url:`, `path:` and more behind one trait |
//! | [`supervise`] | the supervised run: machines, processes, probes, logs, control socket, guardian |
//! | [`sync`] | from profiles to lock ([`sync::resolve()`]) and from lock to store ([`sync::execute()`]) |
//! | [`ops`] | one file per thing a user does, without a face |
//! | [`tui`] | the live screen of a stack: services, their logs, keys |
//! | [`cli`] | the command line: one file per subcommand; exit codes |
//!
//! # Every file on disk, and who owns it
//!
//! In a project:
//!
//! | file | what it is | owner |
//! |---|---|---|
//! | `profiles/*.toml` | wishes | [`profile`] (read, edited by `dep add` and `dep remove`) |
//! | `dep.lock.json` | pins | [`lock`] |
//! | `.gitignore` | lines that `init` adds | [`ops::init`] |
//! | `.env` | secrets; only read | [`ops`] |
//! | `.infra/.gitignore`, `.infra/env.lock` | keeps git out; held while a name is moved | [`env::switch`] |
//! | `.infra/env/NAME`, `NAME@N`, `NAME@N.json` | generations and their records | [`env::generations`], [`env::switch`], [`env::sidecar`] |
//! | `.infra/shell/NAME/` | start-up files of `env enter` | [`ops::enter`] (texts from [`env::enter`]) |
//!
//! In an environment's data directory (`data` of its profile):
//!
//! | file | what it is | owner |
//! |---|---|---|
//! | `ports.json`, `ports.lock` | numbers of `"auto"` ports | [`env::ports`] |
//! | `run/lock`, `run/lease.json` | one supervisor per directory; what a run would leave | `supervise::lease` |
//! | `run/control.sock` | the control socket | [`supervise::control`] |
//! | `run/journal.jsonl`, `.jsonl.1` | what happened | [`supervise::journal`] |
//! | `logs/SERVICE.log`, `.log.N`, `.log.N.gz` | services' output | [`supervise::logs`] |
//! | `logs/supervisor.log` | a background supervisor's own words | [`supervise::detach`] |
//! | everything else | the services' own | – |
//!
//! In the store:
//!
//! | file | what it is | owner |
//! |---|---|---|
//! | `version`, `store/`, `meta/`, `tmp/`, `locks/`, `gc.lock` | objects, registrations, staging, locks | [`store`] (`store::layout` joins every name) |
//! | `artifacts/` | downloads | [`store::Artifacts`] |
//! | `evidence/` | what proofs were verified from, by digest | [`store`] |
//! | `artifacts/go/` | modules, records of builds, what Go compiled | [`build`] |
//! | `roots/` | links and leases that keep objects | [`store`] |
//! | `index/??/…` | documents of sources with their validators, answers worked out from them | [`http`] |
//!
//! In a binary cache's directory: `nix-cache-info`, `<digest>.narinfo`, `nar/`, `tmp/` ([`cache`]).
//!
//! In the user's cache directory: `infra/clients.json`, what installed clients reported
//! ([`config::ecosystem`]); `infra/starts/`, which files of the store this host has all for
//! ([`ops`]).
//!
//! In an environment's object: `bin/`, `etc/` ([`env::build`]) and `env.json` ([`env::manifest`]).

pub mod archive;
pub mod base;
pub mod binary;
pub mod build;
pub mod cache;
pub mod cli;
pub mod config;
pub mod env;
pub mod exchange;
pub mod fs;
pub mod http;
pub mod lock;
pub mod nar;
pub mod oci;
pub mod ops;
pub mod profile;
pub mod provenance;
pub mod sandbox;
pub mod source;
pub mod store;
pub mod supervise;
pub mod sync;
pub mod tui;
pub mod ui;
