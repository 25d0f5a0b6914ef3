#!/usr/bin/env python3
"""Times warm commands in stores of 100, 1,000 and 10,000 objects with 20 files each.

    benches/scale.py [--infra PATH] [--sizes N …] [--runs N] [--keep DIR]

The objects are made by the program itself: projects of `path:` deps are locked, synced and built
into one store, so that they are registered, sealed and kept by roots like any other. What is timed is
another, small project in that store: its `dep sync` and `env print` must cost the same in every
store; `store info`, `gc --dry-run` and `store verify --quick` look at everything and grow with it.
Commands are run in turn; medians and smallest wall times are printed.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = 20  # in each object
BATCH = 250  # deps in each project


def project(at, first, count):
    """A project of `count` `path:` deps, numbered from `first`, with one environment of them all."""
    lines = ["[dep]"]
    for n in range(first, first + count):
        dep = at / "deps" / f"d{n:05}"
        (dep / "share").mkdir(parents=True)
        (dep / "bin").mkdir()
        for f in range(FILES - 1):
            (dep / "share" / f"f{f:02}").write_text(f"{n} {f}\n" * 20)
        program = dep / "bin" / f"c{n:05}"
        program.write_text(f"#!/bin/sh\necho {n}\n")
        program.chmod(0o755)
        lines.append(f'd{n:05} = {{ from = "path:deps/d{n:05}" }}')
    (at / "profiles").mkdir()
    (at / "profiles" / "dev.toml").write_text("\n".join(lines) + "\n")


def call(infra, words, at, env):
    done = subprocess.run([infra, *words], cwd=at, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"infra {' '.join(words)}: {done.stderr}")
    return done.stdout


def fill(infra, place, have, want, env):
    """Brings the store from `have` to `want` objects of deps."""
    while have < want:
        count = min(BATCH, want - have)
        at = place / f"filler-{have:05}"
        at.mkdir()
        project(at, have, count)
        for words in (["dep", "lock"], ["dep", "sync"], ["env", "build", "dev"]):
            call(infra, words, at, env)
        # What keeps the objects is the environment's link, not the directories they came from.
        shutil.rmtree(at / "deps")
        have += count
    return have


def timed(infra, words, at, env, runs):
    walls = []
    for n in range(runs + 1):
        start = time.perf_counter()
        call(infra, words, at, env)
        if n:  # the first warms up
            walls.append((time.perf_counter() - start) * 1000)
    return statistics.median(walls), min(walls)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--infra", default=str(ROOT / "target" / "release" / "infra"))
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000, 10000])
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--keep", type=pathlib.Path, help="use this directory, and leave it")
    args = parser.parse_args()
    place = args.keep or pathlib.Path(tempfile.mkdtemp(prefix="infra-scale-"))
    try:
        run(args.infra, args.sizes, args.runs, place)
    finally:
        if not args.keep:
            subprocess.run(["chmod", "-R", "u+w", str(place)], check=False)
            shutil.rmtree(place, ignore_errors=True)


def run(infra, sizes, runs, place):
    env = {k: v for k, v in os.environ.items() if not k.startswith("INFRA_")}
    env["INFRA_STORE"] = str(place / "store")
    small = place / "small"
    small.mkdir(parents=True)
    project(small, 99990, 3)
    for words in (["dep", "lock"], ["dep", "sync"], ["env", "build", "dev"]):
        call(infra, words, small, env)
    commands = [
        ["dep", "sync"],
        ["env", "print", "dev"],
        ["store", "info"],
        ["store", "gc", "--dry-run"],
        ["store", "verify", "--quick"],
    ]
    print(f"{'objects':>8}  " + "  ".join(f"{' '.join(words):>22}" for words in commands) + "   ms")
    have = 0
    for size in sizes:
        began = time.perf_counter()
        have = fill(infra, place, have, size, env)
        filled = time.perf_counter() - began
        row = [timed(infra, words, small, env, runs) for words in commands]
        print(f"{have:8}  " + "  ".join(f"{m:12.1f} (≥{least:7.1f})" for m, least in row)
              + f"   filled in {filled:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
