//! The fake upstream's own tests, and the sources' against it.

mod archives;
mod executables;
mod github;
mod npm;
mod pypi;
mod server;
mod support;
mod url;
