"""The schema that a database has, and the one that its migrations make; alike on both engines.

``differences(db)`` names what somebody altered by hand::

    for difference in introspection.differences(db):
        print(difference)  # table market_data: column volume: type is integer; expected: bigint

The expected schema is built anew each time by running the migration files on the connected engine: on
SQLite in a database in memory; on PostgreSQL in a schema of its own, in a transaction that is rolled
back, so that nobody sees it and no right to make databases is needed. There an index that is built
CONCURRENTLY is built in the transaction, and what only tidies (VACUUM, ANALYZE) is left out. Files that
put tables into a schema by its name would reach the real one: names stand without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from repo import migrating
from repo.database import Database
from repo.schemas import Column, Constraint, Difference, Index, Schema, Table, Trigger, compare

__all__ = [
    "Column",
    "Constraint",
    "Difference",
    "Index",
    "Schema",
    "Table",
    "Trigger",
    "built",
    "check",
    "compare",
    "describe",
    "differences",
    "expected",
]


def describe(db: Database) -> Schema:
    """The tables and views of a database, those of other programs in it included.

    On PostgreSQL those of the current schema. The record of migrations, what belongs to an extension and
    the index that maintenance renews are left out. Inside a transaction it is what that sees.
    """
    return db._session.describe()


def built(db: Database, scripts: Iterable[str]) -> Iterator[Schema]:
    """The schema that scripts make of an empty database of the connected engine, after each of them.

    The real tables are not touched. An undo is a script like any other.

    :raises RepoError: when a statement fails, by its kind.
    :raises DatabaseUnavailable: on a PostgreSQL server that takes no writes.
    """
    return db._session.describe_scratch(scripts)


def expected(db: Database) -> Schema:
    """The schema that the migrations applied to a database should have made.

    :raises MigrationError: when other migrations were applied than the files say.
    """
    applied = migrating.applied(db._session)
    return next(iter(built(db, ["\n;\n".join(each.sql for each in applied)])))


def differences(db: Database) -> list[Difference]:
    """What was altered by hand: how the tables that migrations made differ from what those made.

    Tables that no migration makes are left out, for programs share a database.
    """
    wanted = expected(db)
    return compare(wanted, describe(db).only(each.name for each in wanted.tables))


def check(db: Database) -> list[str]:
    """All that keeps a database from being what the files of migrations say, a line each.

    What is pending, unfinished, changed since it was applied, or newer; and what was altered by hand.
    """
    states = db.migrations()
    found = [each.meaning for each in states if each.state not in ("applied", "other")]
    if any(each.state in ("changed", "newer") for each in states):
        return [
            *found,
            "nothing can be said of what was altered by hand: the files are not those applied",
        ]
    return [*found, *map(str, differences(db))]
