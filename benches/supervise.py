#!/usr/bin/env python3
"""Times a supervised run of the real stack beside bare starts and other supervisors.

    benches/supervise.py [--infra PATH] [--runs N]
    benches/supervise.py --eight [--peers DIR] [--kills N] [--peer-kills N]

The stack is nats-server with JetStream, PocketBase and Caddy, fetched by infra itself, on free
ports, in a directory of its own. Ready means that all three health addresses answer; every figure
is a median over the runs. Peers (`supervisord`, `honcho`) are used when they are installed. A
benchmark, not a test: it fails only when something does not run at all.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import eight

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROFILE = """\
extends = "base"
data = ".data-bench"
[port]
caddy_admin = {caddy_admin}
http = {http}
nats = {nats}
nats_monitor = {nats_monitor}
pocketbase = {pocketbase}
# All at once, as the bare start has it.
[service.caddy]
after = []
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Stack:
    """The project, its ports, and what each service needs to be started by others."""

    def __init__(self, infra, scratch):
        self.infra, self.project = infra, scratch / "project"
        shutil.copytree(ROOT / "profiles", self.project / "profiles")
        names = ["caddy_admin", "http", "nats", "nats_monitor", "pocketbase"]
        self.ports = dict(zip(names, free_ports(len(names))))
        (self.project / "profiles" / "bench.toml").write_text(PROFILE.format(**self.ports))
        shutil.copy(ROOT / "dep.lock.json", self.project)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("INFRA_")}
        self.env["INFRA_STORE"] = os.environ.get("INFRA_STORE", str(scratch / "store"))
        self.object = pathlib.Path(self.call("env", "build", "bench").stdout.strip())
        self.data = self.project / ".data-bench"
        self.urls = [
            f"http://127.0.0.1:{self.ports['nats_monitor']}/healthz",
            f"http://127.0.0.1:{self.ports['pocketbase']}/api/health",
            f"http://127.0.0.1:{self.ports['caddy_admin']}/config/",
        ]

    def call(self, *words, check=True):
        return subprocess.run([self.infra, *words], cwd=self.project, env=self.env, check=check,
                              text=True, capture_output=True)

    def commands(self):
        """Program, arguments and variables of each service, from the environment itself."""
        manifest = json.loads((self.object / "env.json").read_text())

        def fill(text):
            for name, port in self.ports.items():
                text = text.replace("${port.%s}" % name, str(port))
            for name in manifest["files"]:
                text = text.replace("${file.%s}" % name, str(self.object / "etc" / name))
            return text.replace("${project}", str(self.project)).replace("${data}", str(self.data))

        out = {}
        for name, service in manifest["services"].items():
            words = [fill(word) for word in service["command"]]
            words[0] = os.path.realpath(self.object / "bin" / words[0])
            env = dict(self.env, **{k: fill(v) for k, v in service.get("env", {}).items()})
            out[name] = (words, env)
        return out

    def answers(self, url):
        try:
            with urllib.request.urlopen(url, timeout=1) as reply:
                return reply.status < 400
        except OSError:
            return False

    def wait_ready(self, start, urls=None, limit=30.0):
        """Milliseconds from `start` until all three answer, or those of `urls`."""
        missing = list(self.urls if urls is None else urls)
        while missing:
            missing = [url for url in missing if not self.answers(url)]
            if time.perf_counter() - start > limit:
                raise SystemExit(f"not ready after {limit} s: {missing}")
            if missing:
                time.sleep(0.001)
        return (time.perf_counter() - start) * 1000

    def wait_silent(self):
        """Until no port is open any more."""
        end = time.perf_counter() + 10
        for port in self.ports.values():
            while time.perf_counter() < end:
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) != 0:
                        break
                time.sleep(0.001)


def children_of(pid):
    """Every process below a pid."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        for child in parents.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def running(stack):
    """Pids of processes whose program lies in the store."""
    store = stack.env["INFRA_STORE"]
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "exe").startswith(os.path.realpath(store)):
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def rss(pids):
    """Proportional memory of processes in MiB."""
    total = 0
    for pid in pids:
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total / 1024


class Bare:
    name = "started bare, in parallel"

    def __init__(self, stack):
        self.stack = stack

    def start(self):
        self.processes = [
            subprocess.Popen(words, env=env, cwd=self.stack.project, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for words, env in self.stack.commands().values()
        ]
        return None

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()

    def kill(self):
        self.stop()


class Supervised:
    """Anything that runs in the foreground and stops on a signal."""

    stop_signal = signal.SIGTERM

    def __init__(self, stack):
        self.stack = stack

    def start(self):
        self.process = subprocess.Popen(self.command(), env=self.stack.env, cwd=self.stack.project,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        return self.process.pid

    def stop(self):
        self.process.send_signal(self.stop_signal)
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Infra(Supervised):
    name = "infra run"
    stop_signal = signal.SIGINT

    def command(self):
        return [self.stack.infra, "run", "--env", "bench"]


class Supervisord(Supervised):
    name = "supervisord"

    def command(self):
        config = self.stack.project / "supervisord.conf"
        sections = ["[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
                    f"pidfile={self.stack.project}/supervisord.pid\n"]
        for name, (words, env) in self.stack.commands().items():
            own = {k: v for k, v in env.items() if self.stack.env.get(k) != v}
            variables = ",".join(f'{k}="{v}"' for k, v in own.items())
            line = " ".join(words).replace("%", "%%")
            sections.append(f"[program:{name}]\ncommand={line}\nstartsecs=0\n"
                            f"stdout_logfile={self.stack.project}/{name}.out\n"
                            f"stderr_logfile={self.stack.project}/{name}.err\n"
                            + (f"environment={variables}\n" if variables else ""))
        config.write_text("\n".join(sections))
        return ["supervisord", "-c", str(config)]


class Honcho(Supervised):
    name = "honcho"

    def command(self):
        lines = []
        for name, (words, env) in self.stack.commands().items():
            own = " ".join(f"{k}={v}" for k, v in env.items() if self.stack.env.get(k) != v)
            lines.append(f"{name}: exec env {own} {' '.join(words)}")
        (self.stack.project / "Procfile").write_text("\n".join(lines) + "\n")
        return ["honcho", "start"]


def measure(stack, kind, runs):
    ready, stopped, restarted, memory, left = [], [], [], [], []
    for n in range(runs + 1):
        runner = kind(stack)
        start = time.perf_counter()
        pid = runner.start()
        took = stack.wait_ready(start)
        if pid and kind is not Honcho:
            nats = next((p for p in running(stack) if "nats" in os.readlink(f"/proc/{p}/exe")), None)
            if nats:
                start = time.perf_counter()
                os.kill(nats, signal.SIGKILL)
                while stack.answers(stack.urls[0]):
                    pass
                again = stack.wait_ready(start)
                if n:
                    restarted.append(again)
        if pid and n:
            own = [p for p in [pid, *children_of(pid)] if p not in running(stack)]
            memory.append(rss(own))
        start = time.perf_counter()
        runner.stop()
        stack.wait_silent()
        if n:  # the first warms up
            ready.append(took)
            stopped.append((time.perf_counter() - start) * 1000)
    if kind is not Bare:
        runner = kind(stack)
        start = time.perf_counter()
        runner.start()
        stack.wait_ready(start)
        runner.kill()
        time.sleep(1)
        survivors = running(stack)
        left.append(len(survivors))
        for pid in survivors:
            os.kill(pid, signal.SIGKILL)
        stack.wait_silent()

    def show(values, unit):
        return f"{statistics.median(values):8.1f} {unit}" if values else f"{'–':>8} {unit}"

    print(f"  {kind.name:28} ready {show(ready, 'ms')}   crash → answers {show(restarted, 'ms')}"
          f"   stop {show(stopped, 'ms')}   memory {show(memory, 'MiB')}"
          f"   left after its SIGKILL {left[0] if left else '–'}")
    return ready, stopped


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--infra", default=str(ROOT / "target" / "release" / "infra"))
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--eight", action="store_true", help="eight trivial services instead")
    parser.add_argument("--peers", help="a directory with unpacked packages of peers")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--peer-kills", type=int, default=50)
    args = parser.parse_args()
    if args.eight:
        return eight.run(args)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="infra-bench-"))
    try:
        stack = Stack(args.infra, scratch)
        print(f"nats-server with JetStream, PocketBase, Caddy  ({args.runs} runs each)")
        bare_ready, bare_stop = measure(stack, Bare, args.runs)
        ready, stop = measure(stack, Infra, args.runs)
        for kind, tool in ((Supervisord, "supervisord"), (Honcho, "honcho")):
            if shutil.which(tool):
                measure(stack, kind, args.runs)
            else:
                print(f"  (left out: `{tool}` is not installed)")
        extra = statistics.median(ready) - statistics.median(bare_ready)
        print(f"infra over bare: ready {extra:+.1f} ms, "
              f"stop {statistics.median(stop) - statistics.median(bare_stop):+.1f} ms")
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(scratch)], check=False)
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
