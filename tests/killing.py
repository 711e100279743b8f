"""``nox -s killing``: a copy of a million bars, killed at random moments, resumed each time.

SQLite to PostgreSQL, and back into another file. After each kill the target's readers have none of the
rows or all of them. A copy that came to its end before it was killed is begun anew with ``--replace``.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter

import repo
from repo import sample
from repo.transfer import verify
from tests import servers

LONGEST_SECONDS = 600


def copying(source: str, target: str, *options: str) -> subprocess.Popen[str]:
    """A process that copies."""
    command = [sys.executable, "-m", "repo", "copy", source, target, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def whole(source: str, target: str, *options: str) -> float:
    """Let a copy come to its end; the seconds that it took."""
    started = perf_counter()
    child = copying(source, target, *options)
    out, err = child.communicate(timeout=LONGEST_SECONDS)
    assert out.endswith("proven equal\n"), err
    return perf_counter() - started


def state(target: str) -> tuple[int, str | None]:
    """How many rows readers see, and what of an unfinished copy there is."""
    with repo.connect(target) as db:
        seen = sum(each.number for each in db._session.read("proof.counts"))
        with closing(db._backend.transfer().staged(db._session.executor.queries)) as staged:
            begun = staged.begun()
            if begun is None:
                return seen, None
            rows = sum(chunk.rows for chunks in staged.arrived().values() for chunk in chunks)
    return seen, f"{rows:,} rows had arrived" + (", indexes were built" if begun[1] else "")


def kill(source: str, target: str, kills: int, moments: random.Random) -> None:
    """Kill copies until it was done so often, and see that what is left can be gone on with."""
    seconds = whole(source, target)
    with repo.connect(source) as db:
        rows = sum(each.number for each in db._session.read("proof.counts"))
    print(f"{rows:,} rows in {seconds:.1f} s when nothing happens", flush=True)
    killed, options = 0, ["--replace"]
    while killed < kills:
        child = copying(source, target, *options)
        moment = moments.uniform(1, max(2, 6 * seconds / kills))
        try:
            child.wait(moment)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        _, err = child.communicate()
        if child.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(err)
        seen, left = state(target)
        assert seen == rows, f"readers saw {seen} of {rows} rows"
        if child.returncode:
            killed += 1
            print(f"kill {killed} after {moment:.1f} s: {left or 'nothing of it was left'}", flush=True)
        options = ["--replace"] if left is None else ["--resume"]
    print(f"resumed to the end in {whole(source, target, *options):.1f} s")
    with repo.connect(source, read_only=True) as first, repo.connect(target) as second:
        assert verify(first, second).equal
    print("equal")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=2_000, help="bars of each of 500 tickers")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    given = parser.parse_args()
    moments = random.Random(given.seed)
    with servers.running() as server, tempfile.TemporaryDirectory() as folder:
        source = f"sqlite:///{Path(folder) / 'source.db'}"
        middle = server.url_of(server.create(), min_size="1")
        with repo.connect(source) as db:
            db.migrate()
            sample.fill(db, sample.SampleSize(days=given.days))
        for name, pair in {
            "SQLite to PostgreSQL": (source, middle),
            "PostgreSQL to SQLite": (middle, f"sqlite:///{Path(folder) / 'target.db'}"),
        }.items():
            print(name, flush=True)
            kill(*pair, given.kills, moments)


if __name__ == "__main__":
    main()
