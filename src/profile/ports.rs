//! Which service opens which port.
//!
//! Owns the rule behind a missing `listen`: a service opens the ports that its `ready` and
//! `command` name, unless another has the better claim. Invariant: a port has one listener.

use std::collections::BTreeMap;

use super::check::given;
use super::error::{Error, Result};
use super::flaw::Flaw;
use super::layer::Layer;
use super::model::{Port, Probe, Service};
use super::node::unknown_name;
use super::spot::Spot;
use super::template::{Reference, Template};
use crate::base::ServiceName;

/// How sure it is that a service opens a port; the surest wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Listen,
    Ready,
    Command,
}

/// Fills in `listen` of every service.
pub(super) fn assign(layer: &Layer, services: &mut BTreeMap<ServiceName, Service>) -> Result<()> {
    numbers(layer)?;
    assign_listeners(layer, services)?;
    replicas(layer, services)
}

/// Copies of a service count up from the number of each port it opens, and meet no other port.
fn replicas(layer: &Layer, services: &BTreeMap<ServiceName, Service>) -> Result<()> {
    let number = |name: &str| match layer.ports.get(name)?.value {
        Some(Port::Fixed(number)) => Some(number),
        _ => None,
    };
    for (name, service) in services {
        for port in service.listen.iter().filter(|_| service.replicas > 1) {
            let Some(first) = number(port) else { continue };
            let all = u32::from(first)..u32::from(first) + service.replicas;
            let clash = layer.ports.keys().find(|other| {
                *other != port && number(other).is_some_and(|n| all.contains(&u32::from(n)))
            });
            let why = match clash {
                Some(other) => format!(
                    "its replicas need {} ports from {first} on, and `{other}` is one of them",
                    service.replicas
                ),
                None if all.end > 65_536 => format!(
                    "its replicas need {} ports from {first} on, and 65535 is the last",
                    service.replicas
                ),
                None => continue,
            };
            let entry = layer.services.get(name).and_then(|e| e.value.as_ref()?.replicas.as_ref());
            if let Some(entry) = entry {
                let flaw = Flaw::BadValue {
                    key: entry.path.clone(),
                    why,
                    hint: Some("give the port another number, or \"auto\"".to_owned()),
                };
                return Err(Error::at(&entry.spot, flaw, "too many"));
            }
        }
    }
    Ok(())
}

fn assign_listeners(layer: &Layer, services: &mut BTreeMap<ServiceName, Service>) -> Result<()> {
    for (port, mut claims) in claims(layer)? {
        let best = claims.iter().map(|(claim, ..)| *claim).min();
        claims.retain(|(claim, ..)| Some(*claim) == best);
        if best != Some(Claim::Listen) && claims.len() > 1 {
            // Who waits for another claimant more likely connects to it.
            let rivals: Vec<ServiceName> = claims.iter().map(|(_, n, _)| (*n).clone()).collect();
            let waits = |name: &ServiceName| {
                services.get(name).is_some_and(|s| rivals.iter().any(|r| s.after.contains(r)))
            };
            claims.retain(|(_, name, _)| !waits(name));
        }
        match claims.as_slice() {
            [] => {}
            [(_, name, _)] => {
                if let Some(service) = services.get_mut(*name) {
                    service.listen.insert(port.to_owned());
                }
            }
            [(_, first, first_at), (_, second, spot), ..] => {
                let flaw = Flaw::SharedPort {
                    first: first.to_string(),
                    second: second.to_string(),
                    port: port.to_owned(),
                    first_at: first_at.to_string(),
                };
                return Err(Error::at(spot, flaw, "a second listener"));
            }
        }
    }
    Ok(())
}

type Claims<'a> = BTreeMap<&'a str, Vec<(Claim, &'a ServiceName, Spot)>>;

fn claims(layer: &Layer) -> Result<Claims<'_>> {
    let mut claims: Claims<'_> = BTreeMap::new();
    for (name, entry) in &layer.services {
        let Some(says) = &entry.value else { continue };
        let mut claim = |claim: Claim, port, spot: &Spot| {
            let list = claims.entry(port).or_default();
            if list.last().is_none_or(|(_, n, _)| *n != name) {
                list.push((claim, name, spot.clone()));
            }
        };
        if let Some(listen) = given(&says.listen) {
            for port in listen {
                if !layer.ports.contains_key(&port.value) {
                    let known = layer.ports.keys().map(String::as_str);
                    return Err(unknown_name(&port.spot, "port", &port.value, known));
                }
                claim(Claim::Listen, &port.value, &port.spot);
            }
            continue;
        }
        if let Some(ready) = given(&says.ready)
            && let Probe::Http(template) | Probe::Tcp(template) = &ready.probe
        {
            for port in ports(template) {
                claim(Claim::Ready, port, &ready.spot);
            }
        }
        let alive = given(&says.alive);
        if let Some(alive) = alive
            && let Probe::Http(template) | Probe::Tcp(template) = &alive.value.probe
        {
            for port in ports(template) {
                claim(Claim::Ready, port, &alive.spot);
            }
        }
        for word in says.command.iter().flat_map(|c| &c.value) {
            for port in ports(&word.value) {
                claim(Claim::Command, port, &word.spot);
            }
        }
    }
    Ok(claims)
}

fn ports(template: &Template) -> impl Iterator<Item = &str> {
    template.references().filter_map(|r| match r {
        Reference::Port(name) => Some(name.as_str()),
        _ => None,
    })
}

/// No two names have the same number.
fn numbers(layer: &Layer) -> Result<()> {
    let mut seen: BTreeMap<u16, (&str, &Spot)> = BTreeMap::new();
    for (name, entry) in &layer.ports {
        let Some(Port::Fixed(number)) = entry.value else { continue };
        let here = (name.as_str(), &entry.spot);
        if let Some(there) = seen.insert(number, here) {
            // The one written later is the one to point at.
            let (first, second) =
                if here.1.is_before(there.1) { (here, there) } else { (there, here) };
            let flaw = Flaw::SameNumber {
                first: first.0.to_owned(),
                second: second.0.to_owned(),
                number,
                first_at: first.1.to_string(),
            };
            return Err(Error::at(second.1, flaw, "the same number"));
        }
    }
    Ok(())
}
