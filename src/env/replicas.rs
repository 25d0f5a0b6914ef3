//! Copies of a service: their names and their ports.
//!
//! Copy `N` of `web` is `web.N`. Its fixed ports count up from the declared number; its `"auto"`
//! ports are remembered as `NAME.N`. The first copy has the declared ports. Invariant: a service
//! with one copy keeps its own name and ports.

use std::collections::BTreeMap;

use super::manifest::{Manifest, Service};
use crate::base::ServiceName;

/// The ports to choose numbers for: the declared ones, and one more for each further copy of a
/// service that opens an `"auto"` one.
pub fn ports(manifest: &Manifest) -> BTreeMap<String, Option<u16>> {
    let mut out = manifest.ports.clone();
    for service in manifest.services.values() {
        for port in &service.listen {
            if manifest.ports.get(port) == Some(&None) {
                out.extend((2..=service.replicas).map(|n| (format!("{port}.{n}"), None)));
            }
        }
    }
    out
}

/// The names that a service runs under, with the number of each copy.
pub fn names(name: &ServiceName, replicas: u32) -> Vec<(u32, ServiceName)> {
    if replicas <= 1 {
        return vec![(1, name.clone())];
    }
    // The profile's check made sure that each is a name.
    let copy = |n| Some((n, ServiceName::new(format!("{name}.{n}")).ok()?));
    (1..=replicas).filter_map(copy).collect()
}

/// The ports of one copy, over the environment's.
pub fn ports_of(
    service: &Service,
    manifest: &Manifest,
    number: u32,
    chosen: &BTreeMap<String, u16>,
) -> BTreeMap<String, u16> {
    let more = u16::try_from(number.saturating_sub(1)).unwrap_or(u16::MAX);
    let one = |port: &String| {
        let found = match manifest.ports.get(port)? {
            Some(first) => first.checked_add(more)?,
            None if number <= 1 => *chosen.get(port)?,
            None => *chosen.get(&format!("{port}.{number}"))?,
        };
        Some((port.clone(), found))
    };
    service.listen.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn copies_count_up() {
        let mut manifest = testing::resolved().manifest;
        manifest.ports.insert("own".to_owned(), None);
        let name = manifest.services.keys().next().expect("a service").clone();
        let service = manifest.services.get_mut(&name).expect("a service");
        assert_eq!(names(&name, service.replicas), [(1, name.clone())]);
        service.replicas = 3;
        service.listen = ["nats".to_owned(), "own".to_owned()].into();
        let service = service.clone();
        let all = names(&name, service.replicas);
        assert_eq!(all[2].1.as_str(), format!("{name}.3"));
        let declared = ports(&manifest);
        assert!(declared.contains_key("own.3") && !declared.contains_key("nats.2"));
        let chosen = BTreeMap::from([
            ("nats".to_owned(), 4222),
            ("own".to_owned(), 7),
            ("own.2".to_owned(), 9),
        ]);
        let of = |n| ports_of(&service, &manifest, n, &chosen);
        assert_eq!((of(1)["nats"], of(1)["own"]), (4222, 7));
        assert_eq!((of(2)["nats"], of(2)["own"]), (4223, 9));
    }
}
