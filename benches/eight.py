"""Eight trivial services under infra and other supervisors; `supervise.py --eight` runs it.

Each service writes its name, pid and the time of its first instruction into a file, then waits for
a signal. Crash → new pid is the time from kill(2) to that first instruction of the successor;
kills are spread so that a service has run for 15 s before (nobody's rate limit or backoff is
measured), except that peers get fewer. Memory and processor time are those of all processes that
are the tool's and not services'.
"""

import glob
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

SERVICE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
/* service NAME FILE */
int main(int argc, char **argv) {
  struct timespec now; char line[128];
  clock_gettime(CLOCK_MONOTONIC, &now);
  int fd = open(argv[2], O_WRONLY | O_APPEND | O_CREAT, 0644);
  int n = snprintf(line, sizeof line, "%s %d %.6f\n", argv[1], getpid(), now.tv_sec + now.tv_nsec / 1e9);
  if (write(fd, line, n) != n) return 1;
  close(fd);
  for (;;) pause();
}
"""
NAMES = [f"s{n}" for n in range(8)]
LIFE = 15.0
# Seconds that anything may take.
LIMIT = 30


class Place:
    def __init__(self, scratch, name):
        self.dir = scratch / re.sub(r"\W", "-", name)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir()
        self.started, self.program = self.dir / "started", str(scratch / "service")
        # There before anything runs: what is made beside the store later may not be written to.
        self.started.touch()

    def words(self, name):
        return [self.program, name, str(self.started)]

    def starts(self):
        """(name, pid, time) of every start."""
        try:
            lines = self.started.read_text().splitlines()
        except OSError:
            return []
        return [(n, int(p), float(t)) for n, p, t in (line.split() for line in lines)]

    def wait(self, done, limit=LIMIT):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            found = done(self.starts())
            if found:
                return found
            time.sleep(0.001)
        raise TimeoutError("a service did not start")

    def alive(self):
        found = []
        for entry in glob.glob("/proc/[0-9]*"):
            try:
                name = os.path.basename(os.readlink(f"{entry}/exe"))
                words = pathlib.Path(f"{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if name in ("service", "service (deleted)") and str(self.started).encode() in words:
                found.append(int(os.path.basename(entry)))
        return found


class Tool:
    stop_signal = signal.SIGTERM

    def __init__(self, place, args):
        self.place, self.args, self.env = place, args, dict(os.environ)
        if args.peers:
            libs = glob.glob(f"{args.peers}/usr/lib/*") + glob.glob(f"{args.peers}/lib/*")
            self.env["LD_LIBRARY_PATH"] = ":".join(libs)
            # s6-svscan starts s6-supervise, runsvdir starts runsv.
            self.env["PATH"] = f"{args.peers}/usr/bin:{self.env['PATH']}"
        self.prepare()

    def prepare(self):
        pass

    def start(self):
        self.process = subprocess.Popen(self.command(), env=self.env, cwd=self.place.dir,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        self.pid = self.process.pid

    def stop(self):
        os.kill(self.pid, self.stop_signal)
        self.end()

    def end(self):
        """Until it has ended; what does not end is killed."""
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def find(name, args):
    for place in ("usr/bin", "usr/sbin", "venv/bin", "node_modules/.bin"):
        path = pathlib.Path(args.peers or "/nonexistent") / place / name
        if path.exists():
            return str(path)
    return shutil.which(name)


class Infra(Tool):
    name, needs, stop_signal = "infra run", None, signal.SIGINT

    def prepare(self):
        project = self.place.dir / "project"
        (project / "profiles").mkdir(parents=True)
        (project / "tools" / "bin").mkdir(parents=True)
        shutil.copy(self.place.program, project / "tools" / "bin" / "service")
        text = 'data = "data"\n[dep]\ntools = "path:tools"\n'
        for name in NAMES:
            text += f'[service.{name}]\ncommand = ["service", "{name}", "{self.place.started}"]\n'
        (project / "profiles" / "dev.toml").write_text(text)
        self.env = {k: v for k, v in self.env.items() if not k.startswith("INFRA_")}
        self.env |= {"INFRA_STORE": str(self.place.dir / "store"), "INFRA_PROJECT": str(project)}
        for step in (["dep", "lock"], ["env", "build"]):
            subprocess.run([self.args.infra, *step, "-q"], env=self.env, check=True,
                           stdout=subprocess.DEVNULL)

    def command(self):
        return [self.args.infra, "run"]


class Directories(Tool):
    def prepare(self):
        for name in NAMES:
            (self.place.dir / "scan" / name).mkdir(parents=True)
            run = self.place.dir / "scan" / name / "run"
            run.write_text("#!/bin/sh\nexec " + " ".join(self.place.words(name)) + "\n")
            run.chmod(0o755)


class S6(Directories):
    name, needs = "s6", "s6-svscan"

    def command(self):
        return [find("s6-svscan", self.args), str(self.place.dir / "scan")]


class Runit(Directories):
    name, needs, stop_signal = "runit", "runsvdir", signal.SIGHUP

    def command(self):
        return [find("runsvdir", self.args), str(self.place.dir / "scan")]


class Supervisord(Tool):
    name, needs = "supervisord", "supervisord"

    def command(self):
        config = self.place.dir / "supervisord.conf"
        text = (f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
                f"pidfile={self.place.dir}/pid\n")
        for name in NAMES:
            text += (f"[program:{name}]\ncommand={' '.join(self.place.words(name))}\n"
                     f"startsecs=0\nautorestart=true\nstdout_logfile={self.place.dir}/{name}.out\n"
                     f"stderr_logfile={self.place.dir}/{name}.err\n")
        config.write_text(text)
        return [find("supervisord", self.args), "-c", str(config)]


class Pm2(Tool):
    name, needs = "pm2", "pm2"

    def start(self):
        self.env |= {"PM2_HOME": str(self.place.dir / "home"), "HOME": str(self.place.dir)}
        apps = [{"name": n, "script": self.place.program, "interpreter": "none",
                 "args": self.place.words(n)[1:]} for n in NAMES]
        (self.place.dir / "apps.json").write_text(json.dumps({"apps": apps}))
        self.call("start", str(self.place.dir / "apps.json"))
        self.pid = int((self.place.dir / "home" / "pm2.pid").read_text())

    def call(self, *words):
        subprocess.run([find("pm2", self.args), *words], env=self.env, check=True, timeout=LIMIT,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def stop(self):
        self.call("kill")

    def end(self):
        pass


def own(tool):
    """The tool's own processes: what descends from it and is no service."""
    parents, services = {}, set(tool.place.alive())
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            text = pathlib.Path(stat).read_text()
        except OSError:
            continue
        parents.setdefault(int(text.rsplit(")", 1)[1].split()[1]), []).append(int(stat.split("/")[2]))
    found, queue = [], [tool.pid]
    while queue:
        pid = queue.pop()
        if pid not in services:
            found.append(pid)
            queue.extend(parents.get(pid, []))
    return found


def memory(pids, key):
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(rf"^{key}:\s+(\d+)", text, re.M)[1])
        except (OSError, TypeError):
            pass
    return total / 1024


def busy(pids):
    """Nanoseconds on a processor, of all threads."""
    total = 0
    for pid in pids:
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                total += int(pathlib.Path(path).read_text().split()[0])
            except OSError:
                pass
    return total


def launch(kind, args, scratch):
    place = Place(scratch, kind.name)
    tool = args.last = kind(place, args)
    begin = time.monotonic()
    tool.start()
    starts = place.wait(lambda s: s if len({n for n, _, _ in s}) == len(NAMES) else None)
    return tool, (max(t for _, _, t in starts) - begin) * 1000


def crash(tool, name):
    """Milliseconds from killing a service to its successor's first instruction."""
    place = tool.place
    before = place.starts()
    pid = [p for n, p, _ in before if n == name][-1]
    begin = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    new = place.wait(lambda s: next((t for n, p, t in s[len(before):] if n == name), None))
    return (new - begin) * 1000


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def measure(kind, args, scratch):
    started, stopped = [], []
    for n in range(args.runs):
        tool, took = launch(kind, args, scratch)
        started.append(took)
        if n + 1 < args.runs:
            begin = time.monotonic()
            tool.stop()
            while tool.place.alive() and time.monotonic() < begin + LIMIT:
                time.sleep(0.001)
            kill(tool.place.alive())
            stopped.append((time.monotonic() - begin) * 1000)
    time.sleep(2)
    pids = own(tool)
    pss, rss = memory(pids, "Pss"), memory(pids, "Rss")
    begin, before = time.monotonic(), busy(pids)
    time.sleep(10)
    idle = (busy(pids) - before) / (time.monotonic() - begin) / 1e7
    kills = args.kills if kind is Infra else args.peer_kills
    again = []
    for n in range(kills):
        time.sleep(LIFE / len(NAMES))
        again.append(crash(tool, NAMES[n % len(NAMES)]))
    kill(own(tool))
    time.sleep(0.05)
    left = tool.place.alive()
    kill(left)
    tool.end()
    again.sort()
    p99 = again[min(len(again) - 1, -(-len(again) * 99 // 100) - 1)]
    print(f"  {kind.name:12} start {statistics.median(started):7.1f} ms"
          f"   crash → new pid p50 {statistics.median(again):7.1f} p99 {p99:7.1f} ms ({kills})"
          f"   stop {statistics.median(stopped):7.1f} ms   PSS {pss:5.1f} RSS {rss:5.1f} MiB in {len(pids)}"
          f"   idle {idle:.3f} %   left 50 ms after SIGKILL {len(left)}/8", flush=True)


def run(args):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="infra-bench-"))
    try:
        (scratch / "service.c").write_text(SERVICE)
        subprocess.run(["cc", "-O2", "-static", "-o", str(scratch / "service"),
                        str(scratch / "service.c")], check=True)
        print(f"eight trivial services ({args.runs} starts)")
        for kind in (Infra, S6, Runit, Supervisord, Pm2):
            if kind.needs and not find(kind.needs, args):
                print(f"  {kind.name:12} (not installed)")
                continue
            try:
                measure(kind, args, scratch)
            except (OSError, subprocess.SubprocessError) as error:
                if kind is Infra:
                    raise
                print(f"  {kind.name:12} (failed: {error})", flush=True)
                kill(own(args.last) + args.last.place.alive())
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(scratch)], check=False)
        shutil.rmtree(scratch, ignore_errors=True)
