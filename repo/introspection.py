"""The schema that a database has, and the one that its migrations make; the same on both engines.

``differences(db)`` names what somebody altered by hand::

    for difference in introspection.differences(db):
        print(difference)  # table market_data: column volume: type is integer; expected: bigint

The expected schema is built each time by running the migration files on the connected engine: on SQLite
in a database in memory; on PostgreSQL in a scratch schema, in a transaction that is rolled back, so that
nobody sees it and no right to make databases is needed. In it an index is not built CONCURRENTLY, and
VACUUM and the like are left out. Migrations write names without a schema, or they would reach the real
tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from repo import migrating
from repo.database import Database
from repo.schemas import Schema, SchemaDifference, compare
from repo.scripts import for_transaction, statements


def describe(db: Database) -> Schema:
    """The tables and views of a database, those of other programs included.

    On PostgreSQL those of the current schema. Left out are the record of migrations, what belongs to an
    extension, and the index that maintenance renews. Inside a transaction, its own changes count.
    """
    with db._session.connection() as connection:
        return db._backend.introspection().describe(connection, db._session.executor.queries)


def built(db: Database, scripts: Iterable[str], *, limit: int | None = None) -> Iterator[Schema]:
    """The schema of an empty database of the connected engine after each of some scripts.

    The real tables are not touched.

    :param limit: how many instructions a statement may take, where the engine counts them.
    :raises RepoError: when a statement fails, by its kind.
    :raises DatabaseUnavailable: on a PostgreSQL server that takes no writes.
    """
    introspection = db._backend.introspection()
    with introspection.scratch() as connection:
        for script in scripts:
            for statement in statements(script):
                if sql := for_transaction(statement.sql):
                    db._backend.run_script(connection, sql, limit=limit)
            yield introspection.describe(connection, db._session.executor.queries)


def expected(db: Database) -> Schema:
    """The schema that the migrations applied to a database should have made.

    :raises MigrationError: when other migrations were applied than the files say.
    """
    applied = migrating.applied(db._session)
    return next(iter(built(db, ["\n;\n".join(each.sql for each in applied)])))


def differences(db: Database) -> list[SchemaDifference]:
    """What was altered by hand in the tables that migrations made.

    Other tables are left out, because programs share a database.
    """
    wanted = expected(db)
    return compare(wanted, describe(db).only(each.name for each in wanted.tables))


def check(db: Database) -> list[str]:
    """Where a database differs from its migrations, a line each.

    Migrations that are pending, unfinished, changed since they were applied, or newer; and what was
    altered by hand.
    """
    states = db.migrations()
    found = [each.meaning for each in states if each.state not in ("applied", "other")]
    if any(each.state in ("changed", "newer") for each in states):
        return [*found, "what was altered by hand is not known: the files are not those applied"]
    return [*found, *map(str, differences(db))]
