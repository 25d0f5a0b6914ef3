//! The order of a stack's services.
//!
//! Pure functions over `after`. A profile's check refuses cycles long before; here one is an error
//! rather than a hang. Names that the stack does not hold are no edges.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::ServiceName;

/// What each service comes after.
pub type After = BTreeMap<ServiceName, BTreeSet<ServiceName>>;

/// Layers in start order: a service lies in the first layer after all that it comes after. `Err`
/// holds the services that wait for each other.
pub fn layers(after: &After) -> Result<Vec<Vec<ServiceName>>, Vec<ServiceName>> {
    let mut left: BTreeMap<&ServiceName, BTreeSet<&ServiceName>> = after
        .iter()
        .map(|(name, deps)| (name, deps.iter().filter(|d| after.contains_key(*d)).collect()))
        .collect();
    let mut layers = Vec::new();
    while !left.is_empty() {
        let free: Vec<&ServiceName> =
            left.iter().filter(|(_, deps)| deps.is_empty()).map(|(name, _)| *name).collect();
        if free.is_empty() {
            return Err(left.into_keys().cloned().collect());
        }
        for name in &free {
            left.remove(name);
        }
        for deps in left.values_mut() {
            deps.retain(|d| !free.contains(d));
        }
        layers.push(free.into_iter().cloned().collect());
    }
    Ok(layers)
}

/// Who comes directly after each service.
pub fn dependents(after: &After) -> After {
    let mut out: After = after.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
    for (name, deps) in after {
        for dep in deps {
            if let Some(set) = out.get_mut(dep) {
                set.insert(name.clone());
            }
        }
    }
    out
}

/// The named services and all that they come after, however far.
pub fn closure<'a>(
    after: &After,
    names: impl IntoIterator<Item = &'a ServiceName>,
) -> BTreeSet<ServiceName> {
    let mut out = BTreeSet::new();
    let mut todo: Vec<&ServiceName> = names.into_iter().collect();
    while let Some(name) = todo.pop() {
        if let Some(deps) = after.get(name)
            && out.insert(name.clone())
        {
            todo.extend(deps);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn after(edges: &[(&str, &[&str])]) -> After {
        let name = |s: &str| ServiceName::new(s).unwrap();
        edges.iter().map(|(n, deps)| (name(n), deps.iter().map(|d| name(d)).collect())).collect()
    }

    #[test]
    fn orders_and_finds_cycles() {
        let graph =
            after(&[("web", &["db", "bus"]), ("db", &["bus"]), ("bus", &[]), ("x", &["y"])]);
        let names: Vec<Vec<String>> = layers(&graph)
            .unwrap()
            .into_iter()
            .map(|l| l.into_iter().map(String::from).collect())
            .collect();
        assert_eq!(names, [vec!["bus", "x"], vec!["db"], vec!["web"]]);

        let cycle = after(&[("a", &["b"]), ("b", &["a"]), ("c", &[])]);
        assert_eq!(layers(&cycle).unwrap_err().len(), 2);
    }

    #[test]
    fn closure_takes_what_is_needed() {
        let graph = after(&[("web", &["db"]), ("db", &["bus"]), ("bus", &[]), ("x", &[])]);
        let db = ServiceName::new("db").unwrap();
        let got: Vec<String> = closure(&graph, [&db]).into_iter().map(String::from).collect();
        assert_eq!(got, ["bus", "db"]);
        assert_eq!(dependents(&graph)["db"].len(), 1);
    }
}
