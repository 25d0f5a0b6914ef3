//! The table of routes: what there is, with which method, and who may use it.
//!
//! Owns every path. The answers, the documentation and the guard of the listeners on loopback all
//! follow this table. Invariant: a path is found in it, or does not exist.

use hyper::Method;

use crate::base::ServiceName;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Apply,
    Down,
    Events,
    Journal,
    Logs,
    Metrics,
    OpenApi,
    Plan,
    Reload,
    Restart,
    Service,
    Services,
    Signal,
    Start,
    Status,
    Stop,
    Upgrade,
    Version,
    Why,
}

/// What a client on loopback needs for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// It changes something, or shows what services wrote.
    Token,
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) op: Op,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) needs: Needs,
    #[cfg_attr(not(test), allow(dead_code, reason = "the documentation is made by a test"))]
    pub(super) summary: &'static str,
}

const fn get(op: Op, path: &'static str, needs: Needs, summary: &'static str) -> Route {
    Route { op, method: "GET", path, needs, summary }
}

const fn post(op: Op, path: &'static str, summary: &'static str) -> Route {
    Route { op, method: "POST", path, needs: Needs::Token, summary }
}

/// All of them.
pub(super) const ROUTES: &[Route] = &[
    get(Op::Version, "/v1/version", Needs::Nothing, "Who answers"),
    get(Op::Status, "/v1/status", Needs::Nothing, "The whole stack"),
    get(Op::Services, "/v1/services", Needs::Nothing, "Every service"),
    get(Op::Service, "/v1/services/{service}", Needs::Nothing, "One service"),
    get(Op::Why, "/v1/services/{service}/why", Needs::Token, "Why it runs or does not"),
    get(Op::Events, "/v1/events", Needs::Nothing, "What happens, as it happens"),
    get(Op::Journal, "/v1/journal", Needs::Nothing, "What happened"),
    get(Op::Logs, "/v1/logs", Needs::Token, "Lines that services write"),
    get(Op::OpenApi, "/v1/openapi.json", Needs::Nothing, "This description"),
    get(Op::Metrics, "/metrics", Needs::Nothing, "Metrics in the Prometheus text format"),
    post(Op::Plan, "/v1/plan", "What would have to change"),
    post(Op::Apply, "/v1/apply", "Run what the environment's current generation asks for"),
    post(Op::Start, "/v1/start", "Start services, with what they come after"),
    post(Op::Stop, "/v1/stop", "Stop services, which stay stopped"),
    post(Op::Restart, "/v1/restart", "Restart services"),
    post(Op::Reload, "/v1/reload", "Make services take up changes without a restart"),
    post(Op::Signal, "/v1/signal", "Send a signal to services"),
    post(
        Op::Upgrade,
        "/v1/upgrade",
        "Put another program in the supervisor's place; over the socket only",
    ),
    post(Op::Down, "/v1/down", "Stop the whole stack in order and end the supervisor"),
];

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotFound {
    Path,
    /// The path exists, with these methods.
    Method(String),
    Service,
}

/// The route of a request, and the service in its path.
pub(super) fn find(
    method: &Method,
    path: &str,
) -> Result<(&'static Route, Option<ServiceName>), NotFound> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut others = Vec::new();
    for route in ROUTES {
        let Some(service) = matches(route.path, path) else { continue };
        if route.method != method {
            others.push(route.method);
            continue;
        }
        let service = service.map(ServiceName::new).transpose().map_err(|_| NotFound::Service)?;
        return Ok((route, service));
    }
    if others.is_empty() { Err(NotFound::Path) } else { Err(NotFound::Method(others.join(", "))) }
}

/// Whether a path has the shape of a pattern; gives what stands for `{service}`.
fn matches<'a>(pattern: &str, path: &'a str) -> Option<Option<&'a str>> {
    let mut service = None;
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(service),
            (Some("{service}"), Some(name)) if !name.is_empty() => service = Some(name),
            (Some(a), Some(b)) if a == b => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_methods_and_names() {
        let op =
            |method: Method, path| find(&method, path).map(|(r, s)| (r.op, s.map(String::from)));
        assert_eq!(op(Method::GET, "/v1/status"), Ok((Op::Status, None)));
        assert_eq!(op(Method::HEAD, "/metrics"), Ok((Op::Metrics, None)));
        let why = "/v1/services/nats/why";
        assert_eq!(op(Method::GET, why), Ok((Op::Why, Some("nats".into()))));
        assert_eq!(op(Method::GET, "/v1/down"), Err(NotFound::Method("POST".into())));
        assert_eq!(op(Method::GET, "/v1/services/-x"), Err(NotFound::Service));
        for path in
            ["/", "", "/v1", "/v1/status/", "/v2/status", "/v1/services/", "/v1/services//why"]
        {
            assert_eq!(op(Method::GET, path), Err(NotFound::Path), "{path}");
        }
    }

    #[test]
    fn every_change_needs_the_token() {
        assert!(ROUTES.iter().all(|r| r.method == "GET" || r.needs == Needs::Token));
    }
}
