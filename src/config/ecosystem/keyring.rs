//! Passwords in the keyring, through the installed `keyring` command.
//!
//! Only where pip or uv is told to do the same (`keyring-provider = subprocess`), and for a base
//! URL that names its user, as both want. Invariant: an answer is kept nowhere.

use url::Url;

use super::super::find_on_path;
use super::{Machine, ask, basic};
use crate::base::Secret;

/// The user's password for a place: filed under its URL, else under its host.
pub(super) fn authorization(machine: &Machine<'_>, base: &Url, user: &str) -> Option<Secret> {
    let keyring = find_on_path(machine.environ, "keyring")?;
    let host = &base[url::Position::BeforeHost..url::Position::AfterPort];
    // A user that looks like an option must not become one.
    if user.starts_with('-') {
        return None;
    }
    let ask = |place| ask::secret(machine, &keyring, &["get", place, user]);
    let password = ask(base.as_str()).or_else(|| ask(host))?;
    Some(basic(user, &password))
}
