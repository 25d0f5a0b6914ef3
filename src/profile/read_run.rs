//! `[run]`: the stack as a whole.

use super::error::Result;
use super::model::Run;
use super::node::Node;
use super::read_service::time;

pub(super) fn run(node: &Node<'_>) -> Result<Run> {
    let mut fields = node.fields("a table", &["stop-within"])?;
    Ok(Run { stop_within: fields.take("stop-within").map(|n| time(&n)).transpose()? })
}
