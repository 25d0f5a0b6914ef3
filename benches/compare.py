#!/usr/bin/env python3
"""Times infra beside its peers in one run and prints ratios.

    benches/compare.py [--infra PATH] [--runs N] [--only NAME …]

Every command is run A B A B …, so that a machine that slows down slows both; medians of wall time
and the peak memory of one more run are printed, and the ratio is the median of the paired ratios. Peers
that are not installed are left out with a line that says so. Nothing here is a test: it never
fails because something was slow.
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
NAMES = ["warm", "exec", "cold", "hash", "store", "cache"]


class Run:
    """One finished command: wall seconds."""

    def __init__(self, wall):
        self.wall = wall


def peak(argv, env, cwd):
    """Peak memory in words. Asked of GNU time: a child's figure never falls below what the process
    that forked it had, and this script is larger than most of what it starts."""
    timer = "/usr/bin/time"
    if not os.path.exists(timer):
        return "peak – (GNU time is not installed)"
    done = subprocess.run([timer, "-f", "%M", *argv], env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return f"peak {int(done.stderr.split()[-1]) / 1024:6.1f} MiB"


def once(argv, env, cwd):
    """Runs a command by posix_spawn, as bare as a start gets, and accounts for it."""
    null_in = os.open(os.devnull, os.O_RDONLY)
    null_out = os.open(os.devnull, os.O_WRONLY)
    here = os.getcwd()
    os.chdir(cwd)
    try:
        start = time.perf_counter()
        pid = os.posix_spawnp(
            argv[0],
            argv,
            env,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null_in, 0),
                (os.POSIX_SPAWN_DUP2, null_out, 1),
                (os.POSIX_SPAWN_DUP2, null_out, 2),
            ],
        )
        _, status, _ = os.wait4(pid, 0)
        wall = time.perf_counter() - start
    finally:
        os.chdir(here)
        os.close(null_in)
        os.close(null_out)
    if status != 0:
        raise SystemExit(f"{' '.join(argv)} ended with status {status}; run it by hand")
    return Run(wall)


def pair(name, ours, peer, runs, env, cwd, before_ours=None, before_peer=None):
    """Runs both in turn and prints a row for each, then the ratio."""
    a, b = [], []
    for n in range(runs + 1):
        if before_ours:
            before_ours()
        first = once(ours[1], env, cwd)
        if before_peer:
            before_peer()
        second = once(peer[1], env, cwd)
        if n:  # the first of each warms up
            a.append(first)
            b.append(second)
    print(f"\n{name}  ({runs} runs each, in turn)")
    for (label, argv), results, before in ((ours, a, before_ours), (peer, b, before_peer)):
        if before:
            before()
        walls = sorted(r.wall * 1000 for r in results)
        print(
            f"  {label:34} median {statistics.median(walls):9.2f} ms"
            f"   min {walls[0]:9.2f}   max {walls[-1]:9.2f}"
            f"   {peak(argv, env, cwd)}"
        )
    ratio = statistics.median(x.wall / y.wall for x, y in zip(a, b))
    extra = statistics.median((x.wall - y.wall) * 1000 for x, y in zip(a, b))
    print(f"  ratio {ratio:.2f}   difference {extra:+.2f} ms")


def need(tool):
    """The tool's path, or None with a line that says it is missing."""
    path = shutil.which(tool)
    if not path:
        print(f"\n(left out: `{tool}` is not installed)")
    return path


def big_tree(directory, files=2000, total=500 * 1024 * 1024):
    """A tree like an unpacked toolchain: many small files, a few very large ones."""
    directory.mkdir(parents=True)
    block = os.urandom(1024 * 1024)
    small = 20 * 1024
    for n in range(files):
        folder = directory / f"d{n % 40:02}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{n}").write_bytes(block[n % 1000 : n % 1000 + small])
    rest = total - files * small
    for n in range(4):
        with open(directory / f"big{n}", "wb") as out:
            left = rest // 4
            while left > 0:
                out.write(block[: min(left, len(block))])
                left -= len(block)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--infra", default=str(ROOT / "target" / "release" / "infra"))
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--only", nargs="*", choices=NAMES)
    args = parser.parse_args()
    wanted = args.only or NAMES
    infra = args.infra
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="infra-bench-"))
    try:
        run(infra, args.runs, wanted, scratch)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(scratch)], check=False)
        shutil.rmtree(scratch, ignore_errors=True)


def run(infra, runs, wanted, scratch):
    project = scratch / "project"
    shutil.copytree(ROOT / "profiles", project / "profiles")
    shutil.copy(ROOT / "dep.lock.json", project)
    env = {k: v for k, v in os.environ.items() if not k.startswith("INFRA_")}
    env["INFRA_STORE"] = str(scratch / "store")
    if set(wanted) - {"cold", "hash", "store"}:
        subprocess.run([infra, "dep", "sync"], cwd=project, env=env, check=True)
        subprocess.run([infra, "env", "build", "dev"], cwd=project, env=env, check=True,
                       stdout=subprocess.DEVNULL)
    true = shutil.which("true")

    if "warm" in wanted:
        for words in (["dep", "sync"], ["env", "print", "dev"]):
            pair(f"warm `infra {' '.join(words)}` beside a bare process start",
                 (f"infra {' '.join(words)}", [infra, *words]), ("true", [true]),
                 runs * 10, env, project)
    if "exec" in wanted:
        path = subprocess.run([infra, "dep", "path", "nats-server"], cwd=project, env=env,
                              check=True, capture_output=True, text=True).stdout.strip()
        real = next(p for p in pathlib.Path(path).rglob("nats-server") if p.is_file())
        pair("run a pinned command beside running it directly",
             ("infra env exec", [infra, "env", "exec", "dev", "--", "nats-server", "--version"]),
             ("nats-server", [str(real), "--version"]), runs * 3, env, project)
    if "cold" in wanted and (uv := need("uv")):
        cold(infra, uv, max(3, runs // 3), scratch, project, env)
    if "hash" in wanted:
        hashing(infra, max(3, runs // 3), scratch, project, env)
    if "store" in wanted and (nix := need("nix-store")):
        storing(infra, nix, max(3, runs // 3), scratch, env)
    if "cache" in wanted:
        caching(infra, max(3, runs // 3), scratch, project, env)


def wipe(*paths):
    for path in paths:
        subprocess.run(["chmod", "-R", "u+w", str(path)], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(path, ignore_errors=True)


def cold(infra, uv, runs, scratch, project, env):
    """An empty store against an empty cache, the same wheels from the same index."""
    import json

    lock = json.loads((project / "dep.lock.json").read_text())
    wheels = [
        f"{dep['source'].removeprefix('pypi:')}=={dep['version']}"
        for dep in lock["deps"].values()
        if dep["source"].startswith("pypi:")
    ]
    store, cache, target = scratch / "cold-store", scratch / "uv-cache", scratch / "uv-target"

    env = dict(env, INFRA_STORE=str(store), UV_CACHE_DIR=str(cache))
    pair("cold sync beside `uv pip install` of the same wheels",
         ("infra dep sync", [infra, "dep", "sync"]),
         ("uv pip install", [uv, "pip", "install", "--quiet", "--no-deps", "--target",
                             str(target), *wheels]),
         runs, env, project, lambda: wipe(store), lambda: wipe(cache, target))


def hashing(infra, runs, scratch, project, env):
    """NAR hash of a 500 MB tree beside `nix-hash` and the bare SHA-256 of as many bytes."""
    tree = scratch / "tree"
    big_tree(tree)
    ours = (f"infra store hash", [infra, "store", "hash", str(tree)])
    if nix := need("nix-hash"):
        pair("NAR hash of 500 MB in 2004 files beside nix-hash", ours,
             ("nix-hash", [nix, "--type", "sha256", "--base32", str(tree)]), runs, env, project)
    if openssl := need("openssl"):
        flat = scratch / "flat"
        with open(flat, "wb") as out:
            for path in sorted(tree.rglob("*")):
                if path.is_file():
                    out.write(path.read_bytes())
        pair("the same beside OpenSSL's SHA-256 of one file as large", ours,
             ("openssl sha256", [openssl, "dgst", "-sha256", str(flat)]), runs, env, project)


def nix_env(env, scratch):
    """Nix with nothing of this machine's: no daemon, no configuration, caches of its own."""
    return dict(env, **{key: str(value) for key, value in {
        "HOME": scratch / "nix-home", "XDG_CACHE_HOME": scratch / "nix-cache",
        "NIX_CONF_DIR": scratch / "nix-conf", "NIX_USER_CONF_FILES": "",
        "NIX_CONFIG": "build-users-group =\nexperimental-features = nix-command\n",
    }.items()})


def storing(infra, nix, runs, scratch, env):
    """Adding a tree of 500 MB, and verifying a store that has it, beside Nix: hashed, copied,
    sealed and synced on both sides."""
    at, store, root = scratch / "adding", scratch / "adding-store", scratch / "adding-nix"
    tree = at / "tree"
    (at / "profiles").mkdir(parents=True)
    big_tree(tree)
    (at / "profiles" / "dev.toml").write_text('[dep]\ntree = { from = "path:tree" }\n')
    env = dict(nix_env(env, scratch), INFRA_STORE=str(store))
    subprocess.run([infra, "dep", "lock"], cwd=at, env=env, check=True)
    there = ["--store", str(root)]
    pair("add a tree of 500 MB in 2004 files beside `nix-store --add`",
         ("infra dep sync", [infra, "dep", "sync"]),
         ("nix-store --add", [nix, *there, "--add", str(tree)]),
         runs, env, at, lambda: wipe(store), lambda: wipe(root))
    pair("verify it beside `nix-store --verify --check-contents`",
         ("infra store verify", [infra, "store", "verify"]),
         ("nix-store --verify --check-contents", [nix, *there, "--verify", "--check-contents"]),
         runs, env, at)


def caching(infra, runs, scratch, project, env):
    """Push and pull of an environment beside `nix copy`, and a sync from a cache beside one from
    the wheels that are here already."""
    def infra_out(*words):
        return subprocess.run([infra, *words], cwd=project, env=env, check=True,
                              capture_output=True, text=True).stdout.strip()

    cache, ours, store = (scratch / name for name in ("cache", "cache-ours", "cache-store"))
    infra_out("cache", "init", str(cache))
    infra_out("cache", "push", "--to", str(cache), "dev")
    elsewhere = dict(env, INFRA_STORE=str(store))

    def fresh():
        wipe(ours)
        infra_out("cache", "init", str(ours))

    if nix := need("nix"):
        path = "/nix/store/" + pathlib.Path(infra_out("env", "build", "dev")).name
        root, theirs, there = (scratch / name for name in ("nix", "cache-nix", "nix-pulled"))
        env, elsewhere = nix_env(env, scratch), nix_env(elsewhere, scratch)
        subprocess.run([nix, "copy", "--from", f"file://{cache}", "--store", str(root), path],
                       env=env, check=True, capture_output=True)
        pair("cache push beside `nix copy --to` (both zstd)",
             ("infra cache push", [infra, "cache", "push", "--to", str(ours), "dev"]),
             ("nix copy --to", [nix, "copy", "--store", str(root), "--to",
                                f"file://{theirs}?compression=zstd", path]),
             runs, env, project, fresh, lambda: wipe(theirs, scratch / "nix-cache"))
        # The same objects: the environment's too, which no lock has.
        words = ["cache", "pull", "--unsigned", "--from", str(cache), path.rsplit("/", 1)[1]]
        pair("cache pull beside `nix copy --from`", ("infra cache pull", [infra, *words]),
             ("nix copy --from", [nix, "copy", "--store", str(there), "--from", f"file://{cache}",
                                  path]),
             runs, elsewhere, project, lambda: wipe(store),
             lambda: wipe(there, scratch / "nix-cache"))
    artifacts = dict(elsewhere, INFRA_ARTIFACTS=str(scratch / "store" / "artifacts"))
    none = scratch / "no-artifacts"
    pair("sync from a local cache beside unpacking the wheels",
         ("infra dep sync --cache",
          ["env", f"INFRA_ARTIFACTS={none}", infra, "dep", "sync", "--cache", str(cache)]),
         ("infra dep sync, wheels here", ["env", "INFRA_CACHE=none", infra, "dep", "sync"]),
         runs, artifacts, project, lambda: wipe(store, none), lambda: wipe(store))


if __name__ == "__main__":
    sys.exit(main())
