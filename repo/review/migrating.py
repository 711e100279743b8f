"""A migration tried on a real engine: what it locks and writes anew, and whether its undo undoes it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from repo.database import Database
from repo.errors import DatabaseUnavailable, NotNullViolation, RepoError
from repo.introspection import built
from repo.migrations import Migration
from repo.review.codes import finding
from repo.review.findings import Finding
from repo.review.trial import Trial
from repo.schemas import SchemaDifference, compare
from repo.scripts import ScriptStatement, statements

__all__ = ["Effect", "MigrationReport", "migrated", "undone", "words"]

_INDEX: Final = re.compile(
    r"\w+\s+(UNIQUE\s+)?INDEX\s+(?P<concurrently>CONCURRENTLY\b)?(?=.*\bON\b)",
    re.I | re.S,
)
_NO_LIMIT: Final = re.compile(
    r"\bSET\s+(LOCAL\s+|SESSION\s+)?lock_timeout\s*(=|\bTO\b)\s*('?0\w*'?|DEFAULT)", re.I
)
_SAID: Final = re.compile(r"^\w+\.\w+ \([^)]*:\d+\) (?:does not fit the database: )?")
_NOT_NULL: Final = "NOT NULL column"
_STRONGEST: Final = "AccessExclusiveLock"
_MANY: Final = 1_000
"""Rows of a large table from which on it matters that a migration writes them."""


@dataclass(frozen=True)
class Effect:
    """What a statement of a migration does to a table that has rows."""

    line: int
    sql: str
    table: str
    lock: str
    rewrites: bool
    reads: bool
    rows: int
    """How many it writes."""

    @property
    def many(self) -> bool:
        """Whether it matters how many."""
        return self.rows >= _MANY


@dataclass
class MigrationReport:
    """A migration on one engine: its effects, and why it failed; empty where it did not."""

    dialect: str
    label: str
    effects: list[Effect] = field(default_factory=list)
    failure: str = ""


def migrated(
    there: Trial,
    script: str,
    file: Path,
    report: MigrationReport,
    large: Collection[str],
    limit: int,
) -> Iterator[Finding]:
    """Run a migration, fill in its report, and say what is wrong with it.

    :param large: the tables of which it matters that they are locked.
    :param limit: the instructions that a statement may take, where the engine counts them.
    """
    lines = ["", *script.splitlines()]
    before = there.states()
    held = {name: (each.locks or "").split() for name, each in before.items()}
    line = 1
    try:
        for statement in statements(script):
            line = statement.line
            there.migrate(statement, limit)
            after = there.states()
            if _INDEX.match(statement.sql) and not lines[line - 1].startswith("--"):
                message = "say above it which query the index serves"
                yield finding(file, line, "", "undocumented-index", message)
            if _NO_LIMIT.search(statement.sql):
                message = "the limit of waiting for a lock is taken away"
                yield finding(file, line, "", "lock-timeout", message)
            for effect in _effects(statement, before, after, large, held):
                report.effects.append(effect)
                yield from _of_effect(effect, statement, file)
            before = after
    except DatabaseUnavailable as error:
        report.failure = f"it came to no end on the sample, and was stopped: {words(str(error))}"
        yield finding(file, line, "", "runs-away", f"on {report.dialect}, {report.failure}")
    except RepoError as error:
        report.failure = words(str(error))
        unfilled = isinstance(error, NotNullViolation) or _NOT_NULL in report.failure
        code = "not-null-without-default" if unfilled else "failing-migration"
        yield finding(file, line, "", code, f"fails on {report.dialect}: {report.failure}")


def undone(
    db: Database, first: Sequence[Migration], added: Sequence[Migration], folder: Path, limit: int
) -> Iterator[Finding]:
    """Whether each undo brings back the schema before its migration.

    :param first: the migrations before those that were added.
    :param folder: where those are.
    :param limit: the instructions that a statement may take, where the engine counts them.
    """
    done = [each.sql for each in (*first, *added)]
    for number, migration in enumerate(added, len(first)):
        before = "\n;\n".join(done[:number])
        try:
            old, _, new = built(db, [before, migration.sql, migration.undo], limit=limit)
        except RepoError as error:
            told = [f"it fails: {words(str(error))}"]
        else:
            told = [str(each) for each in compare(old, new) if not _validated(each)]
        for each in told:
            file = folder / f"{migration.label}.undo.sql"
            yield finding(file, 1, "", "undo", f"on {db.dialect}: {each}")


def _validated(difference: SchemaDifference) -> bool:
    """Whether it is no more than a constraint that holds for all rows, where it was NOT VALID."""
    return difference.expected == f"{difference.found} NOT VALID"


def _effects(
    statement: ScriptStatement,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    large: Collection[str],
    held: Mapping[str, Collection[str]],
) -> Iterator[Effect]:
    """What a statement did to large tables.

    :param held: the locks from migrations before, which are over when this one is run in earnest.
    """
    for name, now in after.items():
        was = before.get(name)
        if was is None or name not in large:
            continue
        rewrites, reads = now.file != was.file, now.scans > was.scans
        if rewrites or reads or now.locks != was.locks or now.written > was.written:
            sql = " ".join(statement.sql.split())
            rows = now.written - was.written
            locks = (now.locks or "").split()
            own = [lock for lock in locks if lock not in held.get(name, ())] or [*locks, ""]
            yield Effect(statement.line, sql, name, own[0], rewrites, reads, rows)


def _of_effect(effect: Effect, statement: ScriptStatement, file: Path) -> Iterator[Finding]:
    index = _INDEX.match(statement.sql)
    if index:
        if effect.reads and not index["concurrently"]:
            message = (
                f"writes to {effect.table} wait until the index is built: build it CONCURRENTLY, in a "
                "migration of its own"
            )
            yield finding(file, effect.line, "", "blocking-index", message)
    elif effect.rewrites:
        message = f"{effect.table} is written anew under {effect.lock}: nobody reads it meanwhile"
        yield finding(file, effect.line, "", "table-rewrite", message)
    elif effect.many:
        message = f"{effect.rows:,} rows of {effect.table} are locked until all of the migration is done"
        yield finding(file, effect.line, "", "many-rows-written", message)
    elif effect.reads and effect.lock == _STRONGEST:
        message = f"all of {effect.table} is read under {effect.lock}: add the constraint NOT VALID"
        yield finding(file, effect.line, "", "validated-constraint", message)


def words(text: str) -> str:
    """An engine's words without the name and the place of the query, which are said already."""
    return _SAID.sub("", text, count=1).partition("\n")[0]
