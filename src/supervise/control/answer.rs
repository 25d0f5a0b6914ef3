//! From a request to an answer.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Request, Response, StatusCode};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::body::{self, Out};
use super::query::{Query, read};
use super::routes::{self, NotFound, Op, Route};
use super::server::{Access, Ask};
use super::types::{Asking, PlanRequest, Refusal, UpgradeRequest, Version};
use super::{OPENAPI, streams, tcp};
use crate::base::{Problem, ServiceName};
use crate::supervise::journal::{self, History};
use crate::supervise::spec::Stack;
use crate::supervise::status::{Action, StackStatus, signal_number};
use crate::supervise::upgrade::{self, check::Checked};
use crate::supervise::{metrics, plan, usage};

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Via {
    /// Over the socket, by this process where that is known.
    Socket { pid: Option<u32> },
    /// Over loopback, for everything.
    Loopback,
    /// Over loopback, for metrics alone.
    MetricsOnly,
}

pub(super) type Refused = (StatusCode, Refusal);

type Answer = Result<Response<Out>, Refused>;

/// Answers one request.
pub(super) async fn answer(request: Request<Incoming>, access: &Access, via: Via) -> Response<Out> {
    let (route, service) = match routes::find(request.method(), request.uri().path()) {
        Ok(found) => found,
        Err(NotFound::Path) => return body::refusal(StatusCode::NOT_FOUND, "there is nothing"),
        Err(NotFound::Service) => {
            return body::refusal(StatusCode::NOT_FOUND, "that is not a service's name");
        }
        Err(NotFound::Method(methods)) => {
            let mut response =
                body::refusal(StatusCode::METHOD_NOT_ALLOWED, "not with this method");
            if let Ok(methods) = HeaderValue::from_str(&methods) {
                response.headers_mut().insert(ALLOW, methods);
            }
            return response;
        }
    };
    if let Err(refused) = tcp::guard(&request, route, via, access.token.as_ref()) {
        return *refused;
    }
    match carry_out(request, route, service, access, via).await {
        Ok(response) => response,
        Err((status, refusal)) => body::json(status, &refusal),
    }
}

async fn carry_out(
    request: Request<Incoming>,
    route: &Route,
    service: Option<ServiceName>,
    access: &Access,
    via: Via,
) -> Answer {
    let query = Query::of(&request);
    let by = match via {
        Via::Socket { pid } => pid,
        Via::Loopback | Via::MetricsOnly => None,
    };
    let done = |value: &_| Ok(body::json(StatusCode::ACCEPTED, value));
    match route.op {
        Op::Version => Ok(body::json(
            StatusCode::OK,
            &Version {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                api: 1,
                supervisor: std::process::id(),
            },
        )),
        Op::OpenApi => {
            Ok(body::whole(StatusCode::OK, "application/json", OPENAPI.as_bytes().to_vec()))
        }
        Op::Status => Ok(body::json(StatusCode::OK, &status(access, &query).await?)),
        Op::Services => Ok(body::json(StatusCode::OK, &status(access, &query).await?.services)),
        Op::Service => {
            let status = status(access, &query).await?;
            let found = status.services.into_iter().find(|s| Some(&s.name) == service.as_ref());
            Ok(body::json(StatusCode::OK, &found.ok_or_else(|| no_service(service.as_ref()))?))
        }
        Op::Why => why(access, service).await,
        Op::Events => events(access, &query).await,
        Op::Journal => {
            let kept = kept(access, query.time("since")?).await?;
            Ok(body::json(StatusCode::OK, &kept))
        }
        Op::Logs => logs(access, &query),
        Op::Metrics => {
            let (mut status, meter) = told(access, Ask::Metrics).await?;
            let page = blocking(move || {
                usage::fill(&mut status);
                metrics::render(&meter, &status, &usage::own())
            });
            Ok(body::whole(StatusCode::OK, metrics::TYPE, page.await?.into_bytes()))
        }
        Op::Plan => {
            let PlanRequest { wanted } = read(request).await?;
            let wanted = match wanted {
                Some(wanted) => wanted,
                None => current(access).await?.1,
            };
            let plan = asked(access, |reply| Ask::Plan(Box::new(wanted), reply)).await?;
            Ok(body::json(StatusCode::OK, &plan))
        }
        Op::Apply => {
            let Asking { .. } = read(request).await?;
            let (stack, wanted) = current(access).await?;
            let ask = |reply| Ask::Apply(Box::new(stack), Box::new(wanted), by, reply);
            done_plan(&asked(access, ask).await?)
        }
        Op::Upgrade => {
            let UpgradeRequest { program } = read(request).await?;
            if !matches!(via, Via::Socket { .. }) {
                let why = "a program is put in the supervisor's place over its socket only";
                return Err((StatusCode::FORBIDDEN, Refusal::new(why)));
            }
            let checked = blocking(move || checked(program)).await?;
            let checked = checked.map_err(|why| (StatusCode::CONFLICT, Refusal::new(why)))?;
            let ask = |reply| Ask::Upgrade(Box::new(checked), by, reply);
            let upgrade = asked(access, ask).await?;
            Ok(body::json(StatusCode::ACCEPTED, &upgrade))
        }
        Op::Start | Op::Stop | Op::Restart | Op::Reload | Op::Signal | Op::Down => {
            let Asking { services, signal, within_ms } = read(request).await?;
            let (action, number) = deed(route.op, signal.as_deref())?;
            if within_ms.is_some() && action != Action::Down {
                let why = "`within_ms` has no meaning here";
                return Err((StatusCode::BAD_REQUEST, Refusal::new(why)));
            }
            let within = within_ms.map(Duration::from_millis);
            let ask = |reply| match action {
                Action::Down => Ask::Down(within, by, reply),
                action => Ask::Do(action, services, number, by, reply),
            };
            done(&asked(access, ask).await?)
        }
    }
}

/// Asks the program that is to take over.
fn checked(program: Option<std::path::PathBuf>) -> Result<Checked, String> {
    if !cfg!(target_os = "linux") {
        return Err("only Linux can put another program in a supervisor's place".to_owned());
    }
    let program = match program {
        Some(program) => program,
        None => upgrade::usual_program().map_err(|e| format!("our own program: {e}"))?,
    };
    if !program.is_absolute() {
        return Err(format!("`{}` is not an absolute path", program.display()));
    }
    upgrade::check::check(&program)
}

fn done_plan(plan: &plan::Plan) -> Answer {
    Ok(body::json(StatusCode::ACCEPTED, plan))
}

fn deed(op: Op, signal: Option<&str>) -> Result<(Action, Option<i32>), Refused> {
    let bad = |why: String| (StatusCode::BAD_REQUEST, Refusal::new(why));
    let action = match op {
        Op::Start => Action::Start,
        Op::Stop => Action::Stop,
        Op::Restart => Action::Restart,
        Op::Reload => Action::Reload,
        Op::Signal => Action::Signal,
        _ => Action::Down,
    };
    match (action, signal) {
        (Action::Signal, None) => Err(bad("`signal` is missing".to_owned())),
        (Action::Signal, Some(name)) => match signal_number(name) {
            Some(number) => Ok((action, Some(number))),
            None => Err(bad(format!("`{name}` is not a signal that can be sent"))),
        },
        (_, Some(_)) => Err(bad("`signal` has no meaning here".to_owned())),
        (_, None) => Ok((action, None)),
    }
}

fn no_service(name: Option<&ServiceName>) -> (StatusCode, Refusal) {
    let name = name.map_or("", ServiceName::as_str);
    (StatusCode::NOT_FOUND, Refusal::new(format!("there is no service `{name}`")))
}

fn ending() -> (StatusCode, Refusal) {
    (StatusCode::SERVICE_UNAVAILABLE, Refusal::new("the supervisor is ending"))
}

/// Asks the event loop something it always answers.
async fn told<T>(
    access: &Access,
    ask: impl FnOnce(oneshot::Sender<T>) -> Ask,
) -> Result<T, Refused> {
    let (reply, told) = oneshot::channel();
    let _ = access.ask.send(ask(reply));
    told.await.map_err(|_| ending())
}

/// Asks the event loop something it may refuse.
async fn asked<T>(
    access: &Access,
    ask: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Ask,
) -> Result<T, Refused> {
    told(access, ask).await?.map_err(|refusal| (StatusCode::CONFLICT, refusal))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ending())
}

async fn status(access: &Access, query: &Query) -> Result<StackStatus, Refused> {
    let mut status = told(access, Ask::Status).await?;
    if query.flag("usage")? {
        status = blocking(move || {
            usage::fill(&mut status);
            status
        })
        .await?;
    }
    Ok(status)
}

/// The stack that the environment's current generation asks for.
async fn current(access: &Access) -> Result<(Stack, plan::Wanted), Refused> {
    let Some(wishes) = access.wishes.clone() else {
        let why = "this supervisor knows of no other generation";
        return Err((StatusCode::CONFLICT, Refusal::new(why)));
    };
    let look = move || {
        let stack = wishes.current()?;
        let wanted = plan::wanted(&stack);
        Ok::<_, Problem>((stack, wanted))
    };
    blocking(look).await?.map_err(|problem| {
        let hints = problem.inner().hints().iter().map(ToString::to_string).collect();
        let error = crate::base::chain(problem.inner());
        (StatusCode::CONFLICT, Refusal { error, hints })
    })
}

async fn kept(
    access: &Access,
    since: Option<String>,
) -> Result<Vec<crate::supervise::status::Record>, Refused> {
    if let Some(journal) = &access.journal {
        journal.done().await;
    }
    let data = access.data.clone();
    let read = blocking(move || journal::read(&data, since.as_deref())).await?;
    read.map_err(|e| (StatusCode::INTERNAL_SERVER_ERROR, Refusal::new(e.to_string())))
}

async fn events(access: &Access, query: &Query) -> Answer {
    let live = access.events.subscribe();
    let kept = match query.time("since")? {
        Some(since) => kept(access, Some(since)).await?,
        None => Vec::new(),
    };
    Ok(body::lines(streams::events(kept, live, access.ended.clone())))
}

fn logs(access: &Access, query: &Query) -> Answer {
    let bad = |why: String| (StatusCode::BAD_REQUEST, Refusal::new(why));
    let names: Result<Vec<ServiceName>, _> = query.all("service").map(ServiceName::new).collect();
    let names = names.map_err(|e| bad(e.to_string()))?;
    let lines = match query.one("lines") {
        Some(text) => {
            text.parse().map_err(|_| bad(format!("`{text}` is not a number of lines")))?
        }
        None => 100,
    };
    let picked = access.logs.pick(&names);
    let picked = picked.map_err(|why| (StatusCode::NOT_FOUND, Refusal::new(why)))?;
    let (news, ended) = (access.logs.news(), access.ended.clone());
    Ok(body::lines(streams::logs(picked, lines, query.flag("follow")?, news, ended)))
}

async fn why(access: &Access, service: Option<ServiceName>) -> Answer {
    let Some(service) = service else { return Err(no_service(None)) };
    let records = kept(access, None).await?;
    let logs = access.logs.clone();
    let name = service.clone();
    let why = blocking(move || {
        let words = |n: &ServiceName| logs.get(n).map_or_else(Vec::new, |log| log.last_words(5));
        journal::explain(&History::of(&records), true, &name, Timestamp::now(), &words)
    });
    let why = why.await?.ok_or_else(|| no_service(Some(&service)))?;
    Ok(body::json(StatusCode::OK, &why))
}
