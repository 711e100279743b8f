"""``nox -s bench -- copying``: a million bars and what goes with them, from SQLite to PostgreSQL.

SQLAlchemy reads and bulk-inserts table by table into the migrated schema, and proves nothing;
pgloader, where it is installed, makes tables of its own. Each takes its turn in one run, so the ratios
are of one machine at one time.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import sqlalchemy as sa

import repo
from repo import sample
from repo.tables import TABLES
from repo.transfer import copy, verify
from tests import servers
from tests.builders import plain_url

_ROWS_TOGETHER = 10_000
_EPOCH = date(1970, 1, 1)


def _ours(source: str, target: str) -> None:
    with repo.connect(source, read_only=True) as old, repo.connect(target) as new:
        copy(old, new)


def _proof(source: str, target: str) -> None:
    with repo.connect(source, read_only=True) as old, repo.connect(target) as new:
        assert verify(old, new).equal


def _sqlalchemy(source: str, target: str) -> None:
    """What somebody writes who knows it: core, streamed, in batches, one transaction."""
    with repo.connect(target) as db:
        db.migrate()
    old = sa.create_engine(source)
    new = sa.create_engine(plain_url(target).replace("postgresql:", "postgresql+psycopg:", 1))
    tables = sa.MetaData()
    tables.reflect(new)
    with old.connect() as reading, new.begin() as writing:
        for table in TABLES.values():
            names = [column.name for column in table.columns]
            days = [column.name for column in table.columns if column.kind == "day"]
            moments = [column.name for column in table.columns if column.kind == "moment"]
            asked: Any = sa.select(*map(sa.column, names)).select_from(sa.table(table.name))
            insert = sa.insert(tables.tables[table.name])
            for batch in reading.execute(asked).mappings().partitions(_ROWS_TOGETHER):
                rows = [dict(each) for each in batch]
                for row in rows:
                    for name in days:
                        row[name] = _EPOCH + timedelta(days=row[name])
                    for name in moments:
                        del row[name]  # the target's own will do
                if table.surrogate:
                    values = ", ".join(f":{name}" for name in rows[0])
                    writing.execute(
                        sa.text(
                            f"INSERT INTO {table.name} ({', '.join(rows[0])})"  # constants
                            f" OVERRIDING SYSTEM VALUE VALUES ({values})"
                        ),
                        rows,
                    )
                else:
                    writing.execute(insert, rows)
    old.dispose()
    new.dispose()


def _pgloader(source: str, target: str) -> None:
    program = shutil.which("pgloader")
    assert program is not None
    parts = sa.make_url(plain_url(target))
    host = parts.query["host"]
    url = f"pgsql://{parts.username}@unix:{host}:{parts.query.get('port', '5432')}/{parts.database}"
    done = subprocess.run(  # the program that was found
        [program, "--on-error-stop", source.replace("sqlite:///", "sqlite://", 1), url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def main() -> None:
    """Let each take its turn, and show rows per second and ratios to this package's copy with proof."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=2_000, help="bars of each of 500 tickers")
    days = parser.parse_args().days
    ways: dict[str, Callable[[str, str], None]] = {"smdi copy, with proof": _ours}
    ways["SQLAlchemy, without proof"] = _sqlalchemy
    if shutil.which("pgloader"):
        ways["pgloader, without proof"] = _pgloader
    took: dict[str, float] = {}
    memory = 0.0
    with servers.running() as server, tempfile.TemporaryDirectory() as folder:
        source = f"sqlite:///{Path(folder) / 'source.db'}"
        with repo.connect(source) as db:
            db.migrate()
            rows = sum(sample.fill(db, sample.Size(days=days)).values())
        for name, way in ways.items():
            database = server.create()
            target = server.url_of(database, min_size="1")
            started = perf_counter()
            way(source, target)
            took[name] = perf_counter() - started
            if way is _ours:
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                started = perf_counter()
                _proof(source, target)
                took["smdi verify"] = perf_counter() - started
            server.drop(database)
    ours = took["smdi copy, with proof"]
    for name, seconds in took.items():
        print(f"{name:<28}{rows / seconds:>12,.0f} rows/s {seconds:>8.1f} s {seconds / ours:>7.1f}x")
    print(f"peak memory after the copy: {memory:.0f} MB")


if __name__ == "__main__":
    main()
