"""A server that loads its application, connected and in use, and then forks its workers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from repo import Database
from tests.builders import bar, day, seed, until

APPLICATION = """
import os
import repo

db = repo.connect()
assert len(db.market.history("AAPL")) == 50  # in use before the fork

def app(environ, start_response):
    rows = db.market.history(environ["PATH_INFO"].removeprefix("/"))
    text = f"{os.getpid()} {len(rows)} {' '.join({row.symbol for row in rows})}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
"""
WORKERS = 4


@contextmanager
def preloaded(folder: Path, url: str) -> Iterator[str]:
    """Serve the application from four forked workers; the path of the server's socket."""
    (folder / "preloaded.py").write_text(APPLICATION, encoding="utf-8")
    place = folder / "socket"
    options = ["--preload", f"--workers={WORKERS}", f"--bind=unix:{place}", "--no-control-socket"]
    environment = {**os.environ, "DATABASE_URL": url}
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "gunicorn", *options, "--threads=2", "preloaded:app"],
        cwd=folder,
        env=environment,
    )
    try:
        until(place.exists)
        yield str(place)
    finally:
        server.terminate()
        assert server.wait(60) == 0


def test_workers_have_connections_of_their_own(db: Database, url: str) -> None:
    """Each answer is its request's, whichever worker gives it."""
    seed(db)
    db.market.upsert(bar("AAPL", day(n), 2.0) for n in range(50))
    db.market.upsert(bar("MSFT", day(n), 3.0) for n in range(70))

    def ask(client: int) -> set[str]:
        workers = set()
        with httpx.Client(transport=httpx.HTTPTransport(uds=place), timeout=60) as http:
            for number in range(50):
                symbol, rows = (("AAPL", "50"), ("MSFT", "70"))[(client + number) % 2]
                answer = http.get(f"http://test/{symbol}", headers={"Connection": "close"})
                worker, *told = answer.text.split()
                assert told == [rows, symbol]
                workers.add(worker)
        return workers

    with (
        tempfile.TemporaryDirectory() as folder,
        preloaded(Path(folder), url) as place,
        ThreadPoolExecutor(8) as clients,
    ):
        asked = set().union(*clients.map(ask, range(8)))
    assert len(asked) > 1
