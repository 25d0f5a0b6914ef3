//! The real stack under `strict`: every service works, and the status says that it is fully held.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use rustix::process::Signal;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;

use crate::http;
use crate::nats::Nats;
use crate::running::{Run, Status};
use crate::support::wait_for;
use crate::world::Project;

/// HTTPS with a certificate of caddy's own authority.
const CADDYFILE: &str = "{
	admin {$CADDY_ADMIN}
	persist_config off
	skip_install_trust
	local_certs
	auto_https disable_redirects
	grace_period 5s
}

https://localhost:{$HTTP_PORT} {
	bind {$HTTP_BIND}
	handle_path /pocketbase/* {
		reverse_proxy {$POCKETBASE_ADDR}
	}
}
";

/// The answer to a GET over TLS, for a client that trusts `root` alone.
fn https(port: u16, path: &str, root: &[u8]) -> Option<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root).ok()?).ok()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").ok()?;
    let connection = rustls::ClientConnection::new(Arc::new(config), name).ok()?;
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = Vec::new();
    // A server may hang up without the last word of TLS.
    let _ = stream.read_to_end(&mut text);
    String::from_utf8(text).ok()
}

#[test]
fn the_stack_works_under_strict() {
    let project = Project::new();
    let profile = project.env.read("profiles/test.toml");
    project.env.write("profiles/test.toml", format!("sandbox = \"strict\"\n{profile}"));
    project.env.write("profiles/files/Caddyfile", CADDYFILE);
    let base = project.env.read("profiles/base.toml");
    let probe = "ready = { http = \"http://127.0.0.1:${port.pocketbase}/api/health\" }\n";
    let allowed =
        format!("{probe}sandbox = {{ allow = {{ read = [\"${{project}}/pocketbase\"] }} }}\n");
    assert!(base.contains(probe));
    project.env.write("profiles/base.toml", base.replace(probe, &allowed));
    project.ok("dep lock");

    let run = Run::ready(&project);
    let status = Status::ready(&project);
    let port = |name: &str| status.port(name);

    // A stream that is published to and consumed from.
    let mut nats = Nats::connect(port("nats"));
    let config = json!({ "name": "ORDERS", "subjects": ["orders.>"], "storage": "file" });
    nats.request("$JS.API.STREAM.CREATE.ORDERS", &config.to_string());
    let order = json!({ "order": 1 });
    assert_eq!(nats.request("orders.1", &order.to_string())["seq"], 1);
    let consumer = json!({
        "stream_name": "ORDERS", "config": { "durable_name": "C", "ack_policy": "explicit" },
    });
    nats.request("$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.C", &consumer.to_string());
    assert_eq!(nats.request("$JS.API.CONSUMER.MSG.NEXT.ORDERS.C", ""), order);

    // A record.
    let data = project.env.project().join(".data-test/pocketbase");
    let dir = data.to_str().expect("UTF-8");
    let (name, word) = ("owner@example.com", "correct horse battery");
    project.env.ok([
        "env",
        "exec",
        "test",
        "--",
        "pocketbase",
        "superuser",
        "upsert",
        name,
        word,
        "--dir",
        dir,
    ]);
    let pocketbase = port("pocketbase");
    let path = "/api/collections/_superusers/auth-with-password";
    let words = json!({ "identity": name, "password": word });
    let login = http::post(pocketbase, path, None, &words).json();
    let token = login["token"].as_str().expect("token");
    let fields = json!([{ "name": "text", "type": "text" }]);
    let collection = json!({ "name": "notes", "type": "base", "fields": fields });
    http::post(pocketbase, "/api/collections", Some(token), &collection).json();
    let note = json!({ "text": "remember me" });
    let records = "/api/collections/notes/records";
    let made = http::post(pocketbase, records, Some(token), &note).json();
    assert_eq!(made["text"], "remember me");

    // The proxy, over HTTPS.
    let root =
        project.env.project().join(".data-test/caddy/data/caddy/pki/authorities/local/root.crt");
    let answer = wait_for("caddy's certificate", || {
        let root = std::fs::read(&root).ok()?;
        https(port("http"), "/pocketbase/api/health", &root).filter(|a| a.contains("200 OK"))
    });
    assert!(answer.contains("API is healthy"), "{answer}");

    // Held, as probed, where this kernel has all of it.
    let report = wait_for("the probe", || {
        let value = project.json("runtime status --env test --json");
        let services = value["services"].as_array()?.clone();
        services.iter().all(|s| s["sandbox"]["grade"] != "unknown").then_some(services)
    });
    for service in &report {
        let sandbox = &service["sandbox"];
        assert_eq!(sandbox["level"], "strict", "{service}");
        let why = sandbox["why"].to_string();
        assert!(
            sandbox["grade"] == "full" || why.contains("not listed") || why.contains("no Landlock"),
            "{service}"
        );
    }
    assert_eq!(run.end(Signal::INT).code, Some(0));
}
