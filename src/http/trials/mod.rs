//! The client against servers that misbehave. Tests only.

mod documents;
mod files;
mod probes;

pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
