"""EXPLAIN QUERY PLAN as steps, and the cost of running a statement."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from repo.backends.results import unlike
from repo.backends.sqlite.adapter import SQLiteAdapter, translate
from repo.binding import BoundQueries, dumped, sent
from repo.engine.plans import Plan, Step
from repo.errors import RepoError
from repo.parameters import plain
from repo.queries import Query

_READS: Final = re.compile(
    r"(?P<does>SCAN|SEARCH) (?P<alias>\S+)"
    r"(?: USING (?P<kind>(?:AUTOMATIC (?:PARTIAL )?)?(?:COVERING )?INDEX|(?:INTEGER )?PRIMARY KEY)"
    r"(?: (?P<index>[^\s(]+))?)?(?: (?P<condition>\(.*\)))?"
)
_SORTS: Final = "USE TEMP B-TREE"
_PRIMARY: Final = re.compile(r"\bCONSTRAINT\s+(\w+)\s+PRIMARY\s+KEY", re.IGNORECASE)
_UNIQUE: Final = re.compile(r"\bCONSTRAINT\s+(\w+)\s+UNIQUE\s*\(([^)]*)\)", re.IGNORECASE)
_NAMED: Final = re.compile(
    r"(?:\b(?:FROM|JOIN|INTO|UPDATE)\s+|,\s*)(\w+)(?:\s+(?:AS\s+)?(\w+))?", re.IGNORECASE
)
_NUMBERS: Final = count()
_AT_ONCE: Final = 100
_THREAD_IO: Final = Path("/proc/thread-self/io")


class _Names(NamedTuple):
    """The names of indexes (their tables and constraints), and of tables (a query's aliases)."""

    table_of: Mapping[str, str]
    shown: Mapping[str, str]
    keys: Mapping[str, str]
    aliases: Mapping[str, Sequence[str]]

    def table(self, alias: str, index: str | None, *, keyed: bool) -> str | None:
        """The table that a step reads; None if it reads the result of another step."""
        if index is not None and index in self.table_of:
            return self.table_of[index]
        named = self.aliases.get(alias, (alias,) if alias in self.keys else ())  # in a view as well
        found = [each for each in named if not keyed or each in self.keys]
        return found[0] if found else None


def _names(relations: Sequence[Any], sql: str) -> _Names:
    table_of, shown, keys, unique = {}, {}, {}, {}
    for each in relations:
        if each.name == each.of_table and each.definition:
            primary = _PRIMARY.search(each.definition)
            keys[each.name] = primary[1] if primary else "PRIMARY KEY"
            for name, columns in _UNIQUE.findall(each.definition):
                unique[each.name, " ".join(columns.split())] = name
    for each in relations:
        if each.name != each.of_table:
            table_of[each.name] = each.of_table
            shown[each.name] = unique.get((each.of_table, each.columns or ""), each.name)
    aliases: dict[str, list[str]] = {}
    for table, alias in _NAMED.findall(plain(sql)):
        if table in keys:
            for name in (alias, table):
                aliases.setdefault(name, []).append(table)
    return _Names(table_of, shown, keys, aliases)


def _step(detail: str, names: _Names, steps: tuple[Step, ...]) -> Step:
    found = _READS.match(detail)
    if found is None:
        return Step(detail, sorts=detail.startswith(_SORTS), steps=steps)
    kind, written = found["kind"] or "", found["index"]
    automatic, keyed = kind.startswith("AUTOMATIC"), kind.endswith("PRIMARY KEY")
    table = names.table(found["alias"], written, keyed=keyed)
    index = names.shown.get(written, written) if written else None
    if keyed and table is not None:
        index = names.keys[table]
    does = f"{found['does']} {found['alias']}" if table != found["alias"] else found["does"]
    return Step(
        # An index made for this one statement reads the whole table, and sorts it.
        f"{does} USING {kind}" if automatic else does,
        table=table,
        index=index,
        condition=found["condition"],
        whole=(found["does"] == "SCAN" or automatic) and table is not None,
        sorts=automatic,
        steps=steps,
    )


def _tree(rows: Sequence[tuple[Any, ...]], names: _Names) -> tuple[Step, ...]:
    """The steps from rows of EXPLAIN QUERY PLAN: number, number of the one above, nothing, detail."""

    def below(number: int) -> tuple[Step, ...]:
        return tuple(_step(row[3], names, below(row[0])) for row in rows if row[1] == number)

    return below(0)


class SQLitePlanner:
    """See :class:`repo.engine.plans.Planner`."""

    def __init__(self, adapter: SQLiteAdapter) -> None:
        self._adapter = adapter

    def plan(
        self,
        connection: sqlite3.Connection,
        queries: BoundQueries,
        query: Query,
        arguments: Mapping[str, Any],
        *,
        analyze: bool,
        limit: int | None = None,
    ) -> Plan:
        adapter = self._adapter
        sql, parameters = sent(query, adapter), dumped(query, adapter, arguments)
        names = _names(queries["relations.all"](connection, {}), query.sql)
        try:
            explained = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
        except sqlite3.Error as error:
            found = translate(error)
            raise unlike(query, str(error)) if type(found) is RepoError else found from error
        steps = _tree(explained, names)
        try:
            if not analyze:
                return Plan(query.full_name, "sqlite", steps)
            # A statement that has run before would go on counting where it ended.
            fresh = f"/* {next(_NUMBERS)} */ {sql}"
            measured = _measured(connection, fresh, parameters, answers=query.answers, limit=limit)
        except sqlite3.Error as error:
            raise translate(error) from error
        return Plan(query.full_name, "sqlite", steps, *measured)


def _measured(
    connection: sqlite3.Connection, sql: str, parameters: Any, *, answers: bool, limit: int | None
) -> tuple[int, int | None, int]:
    """Run a statement; its rows, the pages that it reads from an empty cache, and its instructions.

    :param limit: of its instructions, after which it is interrupted.
    """
    ((page_size,),) = connection.execute("PRAGMA page_size").fetchall()
    ((_, _, file),) = connection.execute("PRAGMA database_list").fetchmany(1)
    connection.execute("PRAGMA shrink_memory")
    with counting(connection, limit) as instructions:
        before = _bytes_read()
        with closing(connection.execute(sql, parameters)) as cursor:
            rows = sum(1 for _ in cursor) if answers else cursor.rowcount
        after = _bytes_read()
    pages = None
    if file and before is not None and after is not None:
        pages = (after - before) // page_size
    return rows, pages, instructions()


@contextmanager
def counting(connection: sqlite3.Connection, limit: int | None) -> Iterator[Callable[[], int]]:
    """Count the instructions of what is run inside, and interrupt it after too many.

    SQLite rolls back the transaction of a statement that writes and is interrupted.
    """
    hundreds = 0

    def tick() -> int:
        nonlocal hundreds
        hundreds += 1
        return limit is not None and hundreds * _AT_ONCE > limit

    connection.set_progress_handler(tick, _AT_ONCE)
    try:
        yield lambda: hundreds * _AT_ONCE
    finally:
        connection.set_progress_handler(None, 0)


def _bytes_read() -> int | None:
    """How many bytes this thread has read, from memory or disk; None if the system does not tell."""
    try:
        return int(_THREAD_IO.read_text().split("rchar:")[1].split()[0])
    except (OSError, IndexError, ValueError):
        return None
