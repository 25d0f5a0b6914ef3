#!/usr/bin/env python3
"""Times locking many deps for six platforms, and counts what it asks of the registries.

    benches/lock.py [--infra PATH] [--runs N] [--profile FILE] [--keep DIR]

Registries are reached through a pass-through on the loopback interface that counts requests, bytes
and answers; addresses in indexes are rewritten to lead through it, so that downloads are counted as
well. Not counted is what `deb:` asks of apt's repositories: apt's configuration, not a variable, says
where those are; nor what Go asks of its checksum database. Nothing here is a test: it never fails because something was slow.
"""

import argparse
import collections
import http.client
import http.server
import os
import pathlib
import re
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from compare import ROOT, need, peak

HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host", "content-length",
       "proxy-connection"}


class Counter:
    """What went through since it was last asked."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        self.requests = self.bytes = self.index = 0
        self.statuses, self.urls = collections.Counter(), collections.Counter()

    def add(self, url, status, size, is_index):
        with self.lock:
            self.requests += 1
            self.bytes += size
            self.statuses[status] += 1
            self.index += is_index
            self.urls[url] += 1

    def take(self):
        """A line about what went through, and a fresh start."""
        with self.lock:
            again = sum(n - 1 for n in self.urls.values())
            kinds = ", ".join(f"{n} × {s}" for s, n in sorted(self.statuses.items())) or "none"
            line = (f"{self.requests} requests ({kinds}), {self.index} of them for indexes, "
                    f"{again} asked twice, {self.bytes / 2**20:.1f} MiB")
            self.reset()
            return line


COUNTER = Counter()
POOL = threading.local()


def upstream(scheme, host):
    """This thread's connection to a host; through the proxy that the environment names."""
    kept = POOL.__dict__.setdefault("all", {})
    if (scheme, host) not in kept:
        proxy = None
        if not urllib.request.proxy_bypass(host.split(":")[0]):
            proxy = urllib.request.getproxies().get(scheme)
        context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
        kind = {"https": lambda h: http.client.HTTPSConnection(h, context=context, timeout=120),
                "http": lambda h: http.client.HTTPConnection(h, timeout=120)}[scheme]
        if proxy and scheme == "https":
            connection = kind(urllib.parse.urlsplit(proxy).netloc.rsplit("@")[-1])
            connection.set_tunnel(host)
        else:
            connection = kind(host)
        kept[(scheme, host)] = connection
    return kept[(scheme, host)]


class PassThrough(http.server.BaseHTTPRequestHandler):
    """`/SCHEME/HOST/PATH` is `SCHEME://HOST/PATH`."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.pass_on("HEAD")

    def do_GET(self):
        self.pass_on("GET")

    def pass_on(self, method):
        _, scheme, host, path = self.path.split("/", 3)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP}
        # Bodies of indexes are rewritten, so they must be readable.
        headers["Accept-Encoding"] = "identity"
        answer = None
        for _ in range(3):
            connection = upstream(scheme, host)
            try:
                connection.request(method, f"/{path}", headers=headers)
                answer = connection.getresponse()
                break
            except (OSError, http.client.HTTPException):
                connection.close()
        if answer is None:
            return self.send_error(502)
        kind = answer.getheader("Content-Type", "")
        is_index = "json" in kind or "html" in kind
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() == "location":
                value = self.through(urllib.parse.urljoin(f"{scheme}://{host}/{path}", value))
            if key.lower() not in HOP:
                self.send_header(key, value)
        if is_index and method == "GET":
            body = answer.read()
            body = re.sub(rb"(https?)://([^/\"'\s]+)/", self.rewritten, body)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            size = len(body)
        else:
            length = answer.getheader("Content-Length")
            size = 0
            if answer.status not in (204, 304) or method == "HEAD":
                self.send_header("Content-Length", length or "0")
            self.end_headers()
            while chunk := answer.read(1 << 18):
                self.wfile.write(chunk)
                size += len(chunk)
        COUNTER.add(self.path, answer.status, size, is_index or answer.status == 304)

    def through(self, url):
        parts = urllib.parse.urlsplit(url)
        rest = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return f"http://{self.headers['Host']}/{parts.scheme}/{parts.netloc}{rest}"

    def rewritten(self, match):
        scheme, host = match.group(1).decode(), match.group(2).decode()
        return f"http://{self.headers['Host']}/{scheme}/{host}/".encode()


def said(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def bases():
    """Where pip, npm and Go are configured to go on this machine, else where they go by themselves."""
    pip = os.environ.get("PIP_INDEX_URL") or said(sys.executable, "-m", "pip", "config", "get",
                                                  "global.index-url")
    pip = pip or said(sys.executable, "-c", "from pip._internal.models.index import PyPI;"
                                            "print(PyPI.simple_url)")
    go = (os.environ.get("GOPROXY") or said("go", "env", "GOPROXY")).split(",")[0]
    return {"PIP_INDEX_URL": pip, "npm_config_registry": said("npm", "config", "get", "registry"),
            "GOPROXY": go if go.startswith("http") else ""}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--infra", default=str(ROOT / "target" / "release" / "infra"))
    parser.add_argument("--runs", type=int, default=9, help="of everything but the first lock")
    parser.add_argument("--profile", default=str(ROOT / "tests" / "real" / "everything.toml"))
    parser.add_argument("--keep", help="a directory to leave project and store in")
    args = parser.parse_args()
    scratch = pathlib.Path(args.keep or tempfile.mkdtemp(prefix="infra-lock-"))
    scratch.mkdir(exist_ok=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), PassThrough)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        run(args, scratch, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        if not args.keep:
            subprocess.run(["chmod", "-R", "u+w", str(scratch)], check=False)
            shutil.rmtree(scratch, ignore_errors=True)


def timed(argv, env, cwd):
    start = time.perf_counter()
    done = subprocess.run(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    wall = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv)} failed:\n{done.stderr}")
    return wall


def several(name, argv, env, cwd, runs):
    COUNTER.take()
    timed(argv, env, cwd)
    first = COUNTER.take()
    walls = sorted(timed(argv, env, cwd) * 1000 for _ in range(runs))
    COUNTER.take()
    print(f"{name:34} median {statistics.median(walls):9.1f} ms   min {walls[0]:9.1f}"
          f"   max {walls[-1]:9.1f}   {peak(argv, env, cwd)}\n{'':34} {first}")


def run(args, scratch, here):
    project = scratch / "project"
    (project / "profiles").mkdir(parents=True, exist_ok=True)
    lines = pathlib.Path(args.profile).read_text().splitlines()
    has_apt = any(os.path.exists(f"/etc/apt/{name}") for name in ("sources.list", "sources.list.d"))
    kept = [line for line in lines if has_apt or '"deb:' not in line]
    (project / "profiles" / "base.toml").write_text("\n".join(kept) + "\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith("INFRA_")}
    env["INFRA_STORE"] = str(scratch / "store")
    for name, base in bases().items():
        if base:
            parts = urllib.parse.urlsplit(base)
            env[name] = f"{here}/{parts.scheme}/{parts.netloc}{parts.path}"
    # A proxy is for the pass-through, not for the way to it.
    env["NO_PROXY"] = env["no_proxy"] = "127.0.0.1"
    infra = os.path.abspath(args.infra)
    wall = timed([infra, "dep", "lock"], env, project)
    deps = sum(1 for line in kept if re.match(r"[a-z].*\"(pypi|npm|deb|go):", line))
    print(f"{f'first lock, {deps} deps × 6 platforms':34} {wall:9.1f} s\n{'':34} {COUNTER.take()}")
    several("lock again, nothing changed", [infra, "dep", "lock"], env, project, args.runs)
    several("lock --check", [infra, "dep", "lock", "--check"], env, project, args.runs)
    several("outdated, warm metadata", [infra, "dep", "outdated"], env, project, args.runs)
    several("update, nothing newer", [infra, "dep", "update"], env, project, max(3, args.runs // 3))
    peer(env, project, scratch, kept, args.runs)


def peer(env, project, scratch, lines, runs):
    """`uv lock` of the same PyPI packages: the nearest peer that is reachable everywhere. It copies
    hashes from the index and reads of a wheel at most its metadata, so it bounds that part alone."""
    if not (uv := need("uv")):
        return
    packages = [m.group(1) for line in lines if (m := re.search(r"\"pypi:([^\"@]+)", line))]
    peer = scratch / "uv"
    peer.mkdir(exist_ok=True)
    (peer / "pyproject.toml").write_text(
        "[project]\nname = \"x\"\nversion = \"0\"\nrequires-python = \">=3.10\"\n"
        f"dependencies = {packages}\n")
    env = dict(env, UV_CACHE_DIR=str(scratch / "uv-cache"), UV_INDEX_URL=env["PIP_INDEX_URL"],
               UV_NO_CONFIG="1", UV_PYTHON_DOWNLOADS="never")
    COUNTER.take()
    wall = timed([uv, "lock", "--quiet"], env, peer)
    print(f"\n{f'uv lock of {len(packages)} of them, cold':34} {wall:9.1f} s\n{'':34} {COUNTER.take()}")
    several("uv lock again", [uv, "lock", "--quiet"], env, peer, runs)


if __name__ == "__main__":
    sys.exit(main())
