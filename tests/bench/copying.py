"""``nox -s bench -- copying``: a million bars and what goes with them, from SQLite to PostgreSQL.

SQLAlchemy reads and bulk-inserts table by table into the migrated schema, and proves nothing; so does
DuckDB, which attaches both, where it is there with its extensions for SQLite and PostgreSQL. pgloader,
where it is there, makes tables of its own. They take turns, and the ratios are of the medians.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import sqlalchemy as sa

import repo
from repo import sample
from repo.tables import TABLES
from repo.transfer import copy, verify
from tests import servers
from tests.builders import plain_url

OURS = "smdi copy, with proof"
_ROWS_TOGETHER = 10_000
_EPOCH = date(1970, 1, 1)
_MEASURED = """
from repo.cli import main
from tests.bench.measure import memory

def run():
    try:
        main()
    except SystemExit as ended:
        assert not ended.code

print(memory(run)[1])
"""


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


def _duckdb(source: str, target: str) -> None:
    """Each table of an attached SQLite inserted into that of an attached PostgreSQL, which is a COPY."""
    with repo.connect(target) as db:
        db.migrate()
    connection = _duckdb_with_extensions()
    parts = sa.make_url(plain_url(target))
    server = f"dbname={parts.database} user={parts.username} host={parts.query['host']}"
    connection.execute(f"ATTACH '{sa.make_url(source).database}' AS old (TYPE sqlite, READ_ONLY)")
    connection.execute(f"ATTACH '{server}' AS new (TYPE postgres)")
    connection.execute("BEGIN")
    for table in TABLES.values():
        columns = [column for column in table.columns if column.kind != "moment"]
        values = [
            f"DATE '1970-01-01' + CAST({column.name} AS integer)"
            if column.kind == "day"
            else column.name
            for column in columns
        ]
        names = ", ".join(column.name for column in columns)
        connection.execute(
            f"INSERT INTO new.{table.name} ({names}) SELECT {', '.join(values)} FROM old.{table.name}"
        )
    connection.execute("COMMIT")
    connection.close()


def _duckdb_with_extensions() -> Any:
    """DuckDB with what it needs for both engines, of its own folder or of wheels."""
    duckdb = import_module("duckdb")
    connection = duckdb.connect()
    for name in ("sqlite_scanner", "postgres_scanner"):
        wheel = find_spec(f"duckdb_extension_{name}")
        folders = [] if wheel is None else map(Path, wheel.submodule_search_locations or ())
        files = [file for folder in folders for file in folder.glob(f"extensions/*/{name}.*")]
        connection.execute(f"LOAD '{files[0] if files else name}'")
    return connection


def _without_duckdb() -> str:
    """Why DuckDB takes no part; empty where it does."""
    if find_spec("duckdb") is None:
        return "it is not installed"
    try:
        _duckdb_with_extensions().close()
    except import_module("duckdb").Error as error:
        return str(error).splitlines()[0]
    return ""


def _peak(*arguments: str) -> str:
    """The most memory that ``smdi`` takes in a process of its own, which has to succeed."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *arguments],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    told = done.stdout.splitlines()[-1]
    return f"{int(told) / 1024:.0f} MB" if told.isdecimal() else "not told by this system"


def main() -> None:
    """Let each take its turn, and show rows per second and ratios to this package's copy with proof."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=2_000, help="bars of each of 500 tickers")
    parser.add_argument("--rounds", type=int, default=3, help="of all but SQLAlchemy, which has one")
    given = parser.parse_args()
    ways: dict[str, Callable[[str, str], None]] = {OURS: _ours}
    if shutil.which("pgloader"):
        ways["pgloader, without proof"] = _pgloader
    if missing := _without_duckdb():
        print(f"DuckDB is left out: {missing}")
    else:
        ways["DuckDB, without proof"] = _duckdb
    ways["SQLAlchemy, without proof"] = _sqlalchemy
    took = defaultdict(list)
    with servers.running() as server, tempfile.TemporaryDirectory() as folder:
        source = f"sqlite:///{Path(folder) / 'source.db'}"
        with repo.connect(source) as db:
            db.migrate()
            rows = sum(sample.fill(db, sample.SampleSize(days=given.days)).values())

        def take(name: str, way: Callable[[str, str], None], old: str, new: str) -> None:
            started = perf_counter()
            way(old, new)
            took[name].append(perf_counter() - started)

        for number in range(given.rounds):
            for name, way in ways.items():
                if number and way is _sqlalchemy:
                    continue
                database = server.create()
                target = server.url_of(database, min_size="1")
                take(name, way, source, target)
                if way is _ours:
                    take("smdi verify", _proof, source, target)
                    back = Path(folder) / f"back{number}.db"
                    take("smdi copy back, with proof", _ours, target, f"sqlite:///{back}")
                    back.unlink()
                server.drop(database)
        target = server.url_of(server.create(), min_size="1")
        there = _peak("copy", source, target)
        again = _peak("copy", target, f"sqlite:///{Path(folder) / 'back.db'}")
    ours = median(took[OURS])
    for name, seconds in ((name, median(each)) for name, each in took.items()):
        print(f"{name:<28}{rows / seconds:>12,.0f} rows/s {seconds:>8.1f} s {seconds / ours:>7.1f}x")
    print(f"peak memory of smdi copy: {there}, and back: {again}")


if __name__ == "__main__":
    main()
