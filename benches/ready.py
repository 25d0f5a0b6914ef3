#!/usr/bin/env python3
"""How much later the real stack is ready than its slowest service alone would be.

    benches/ready.py [--infra PATH] [--runs N]

Each of nats-server with JetStream, PocketBase and Caddy is started alone and bare, then all of them
at once and bare (the peer), then all under `infra run`, in turn, A B C D E A B …; each time the
moment is taken at which its health address answers, seen from outside by asking every millisecond.
Under `infra run` the moment at which it says so itself is taken as well. Medians; the bound is 25 ms
over the slowest alone. A benchmark, not a test: it fails only when something does not run at all.
"""

import argparse
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from supervise import ROOT, Infra, Stack

URL = {"nats": 0, "pocketbase": 1, "caddy": 2}
LIMIT = 30.0


def bare(stack, names):
    """Starts some services without a supervisor."""
    commands = stack.commands()
    start = time.perf_counter()
    processes = [
        subprocess.Popen(words, env=env, cwd=stack.project, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for words, env in (commands[name] for name in names)
    ]
    try:
        return stack.wait_ready(start, [stack.urls[URL[name]] for name in names])
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        stack.wait_silent()


def supervised(stack):
    """The same under `infra run`: when all answer, and when it has said of each that it is ready."""
    words = Infra(stack).command()
    start = time.perf_counter()
    process = subprocess.Popen([*words, "--plain"], env=stack.env, cwd=stack.project, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    told = {}

    def listen():
        for line in process.stderr:
            word = line.split()
            if len(word) > 1 and word[0] == "ready":
                told.setdefault(word[1], (time.perf_counter() - start) * 1000)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        answered = stack.wait_ready(start)
        end = time.perf_counter() + 5
        while not all(name in told for name in URL) and time.perf_counter() < end:
            time.sleep(0.001)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join(1)
        stack.wait_silent()
    missing = [name for name in URL if name not in told]
    if missing:
        raise SystemExit(f"infra did not say that these are ready: {missing}")
    return answered, max(told.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--infra", default=str(ROOT / "target" / "release" / "infra"))
    parser.add_argument("--runs", type=int, default=7)
    args = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="infra-bench-"))
    try:
        stack = Stack(args.infra, scratch)
        print(f"nats-server with JetStream, PocketBase, Caddy  ({args.runs} runs each)")
        alone = {name: [] for name in URL}
        together, answered, said, over = [], [], [], []
        for run in range(args.runs + 1):
            took = {name: bare(stack, [name]) for name in URL}
            all_bare = bare(stack, list(URL))
            seen, told = supervised(stack)
            if run == 0:  # warms up
                continue
            for name, value in took.items():
                alone[name].append(value)
            together.append(all_bare)
            answered.append(seen)
            said.append(told)
            over.append(seen - max(took.values()))
        for name, values in alone.items():
            print(f"  {name + ' alone':28} {statistics.median(values):8.1f} ms")
        slowest = max(statistics.median(values) for values in alone.values())
        for name, values in (("all at once, bare", together), ("infra run, all answer", answered),
                             ("infra run, says so", said)):
            middle = statistics.median(values)
            print(f"  {name:28} {middle:8.1f} ms   {middle - slowest:+8.1f} ms over the slowest"
                  f"   ratio {middle / slowest:.2f}")
        print(f"infra over the slowest alone, median over runs: {statistics.median(over):+.1f} ms"
              " (bound +25 ms)")
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(scratch)], check=False)
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
