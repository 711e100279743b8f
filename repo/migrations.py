"""``schema/`` applied, checked and rolled back.

``schema/<dialect>/NNNN_name.sql`` is a migration and ``NNNN_name.undo.sql`` takes it back. The numbers
are gapless from 1, the same in every dialect. Each migration runs in one transaction with its own
record, which holds a checksum of the file; a file that was changed after it was applied is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from repo.errors import ConfigurationError, MigrationError, QueryContractError, RepoError
from repo.queries import DIALECTS, shipped
from repo.showing import short

__all__ = [
    "Migration",
    "Runner",
    "applied",
    "behind",
    "fitting",
    "load",
    "migrate",
    "require_newest",
    "version",
]

_FILE: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+?)(?P<undo>\.undo)?\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema in one dialect: its SQL, and the SQL that takes it back."""

    number: int
    name: str
    sql: str
    undo: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL with one kind of line end, so that a checkout on Windows agrees."""
        import hashlib  # takes milliseconds, and a program that only reads has no use for it

        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()

    @property
    def label(self) -> str:
        """``NNNN_name``."""
        return f"{self.number:04d}_{self.name}"


class Runner(Protocol):
    """What migrating needs of a database."""

    dialect: str

    def read(self, query: str, **parameters: Any) -> Any:
        """What a named query answers."""

    def write(self, query: str, **parameters: Any) -> Any:
        """The same for a query that writes."""

    def writing(self) -> AbstractContextManager[None]:
        """Let several statements succeed or fail as one."""

    def in_transaction(self) -> bool:
        """Whether the calling thread is in a transaction."""

    def run_script(self, script: str) -> None:
        """Run several statements in the transaction."""

    def schema_changed(self) -> None:
        """Forget what was remembered of the schema as it was."""


def _read(folder: Path) -> dict[int, Migration]:
    texts: dict[tuple[int, str, bool], str] = {}
    for path in sorted(folder.glob("*.sql")):
        found = _FILE.fullmatch(path.name)
        if found is None:
            raise MigrationError(f"{path}: a migration is NNNN_name.sql or NNNN_name.undo.sql")
        texts[int(found["number"]), found["name"], found["undo"] is not None] = path.read_text(
            encoding="utf-8"
        )
    migrations: dict[int, Migration] = {}
    for (number, name, undo), sql in texts.items():
        label = f"{number:04d}_{name}"
        if (number, name, not undo) not in texts:
            lacking = f"{label}.sql" if undo else f"{label}.undo.sql"
            raise MigrationError(f"{folder}: {lacking} is missing")
        if undo:
            continue
        if number in migrations:
            raise MigrationError(f"{folder}: {migrations[number].label} and {label} have one number")
        migrations[number] = Migration(number, name, sql, texts[number, name, True])
    return migrations


def load(dialect: str, schema: Path | None = None) -> list[Migration]:
    """The migrations of one dialect, by number, checked against those of the others.

    :param schema: the folder; None is the package's own.
    :raises MigrationError: for a gap, two files of one number, a missing undo, a name that is no
        migration's, or a number whose name differs between dialects.
    """
    folder = shipped("schema") if schema is None else schema
    by_dialect = {each: _read(folder / each) for each in DIALECTS}
    for each, migrations in by_dialect.items():
        for expected, number in enumerate(sorted(migrations), 1):
            if number != expected:
                raise MigrationError(f"{folder / each}: {expected:04d} is missing")
    labels = {each: [m.label for _, m in sorted(found.items())] for each, found in by_dialect.items()}
    if len({tuple(found) for found in labels.values()}) > 1:
        shown = "; ".join(f"{each}: {', '.join(found)}" for each, found in labels.items())
        raise MigrationError(f"{folder}: the dialects differ: {shown}")
    return [migration for _, migration in sorted(by_dialect[dialect].items())]


def version(runner: Runner) -> int:
    """The number of the newest migration applied; 0 for an empty database.

    :raises MigrationError: when the record of migrations is another program's.
    """
    if not runner.read("migrations.started"):
        return 0
    found = _applied(runner.read)
    return found[-1].version if found else 0


def applied(runner: Runner) -> list[Migration]:
    """The migrations that a database has, by number.

    :raises MigrationError: when others were applied than the files say.
    """
    found = _applied(runner.read) if runner.read("migrations.started") else []
    migrations = load(runner.dialect)
    _refuse_differences(found, migrations)
    return migrations[: len(found)]


def behind(dialect: str, at: int) -> str:
    """The message for a database that lacks migrations; empty where it lacks none."""
    there = len(load(dialect))
    return f"at migration {at} of {there}: smdi migrate, or db.migrate()" if at < there else ""


def require_newest(dialect: str, at: int) -> None:
    """Refuse long work on a database that lacks migrations, before it begins.

    :raises MigrationError: saying what to do.
    """
    if lacking := behind(dialect, at):
        raise MigrationError(f"the database is {lacking}")


def fitting(dialect: str, ask: Callable[[str], Any]) -> bool:
    """Whether a database is one to write to: False while nothing is applied.

    :param ask: gives what a named query without parameters answers.
    :raises MigrationError: when it is newer than these files, was migrated by others than these, or is
        another program's.
    """
    if not ask("migrations.started"):
        _refuse_strangers(ask)
        return False
    found = _applied(ask)
    _refuse_differences(found, load(dialect))
    return bool(found)


def migrate(
    runner: Runner,
    to: int | None = None,
    schema: Path | None = None,
    on_applied: Callable[[str], None] = lambda label: None,
) -> list[str]:
    """Apply what is not yet applied, or undo what is above ``to``.

    Processes that do so at once wait for each other; each then finds the work done.

    :param to: the number to end at; None is the newest there is, 0 takes everything back, rows
        included.
    :param on_applied: called with each migration's label when it is done.
    :returns: the labels, in the order done; those undone begin with a minus.
    :raises MigrationError: when an applied file was changed or is missing, or a migration fails; what
        was done before it stays.
    """
    migrations = load(runner.dialect, schema)
    target = len(migrations) if to is None else to
    if not 0 <= target <= len(migrations):
        raise ConfigurationError(f"there are migrations 0 to {len(migrations)}, not {short(target)}")
    if runner.in_transaction():
        raise ConfigurationError("migrations have transactions of their own; leave this one first")
    done: list[str] = []
    if version(runner) == target:
        if target:
            _refuse_differences(_applied(runner.read), migrations)
        return done
    while (label := _step(runner, migrations, target)) is not None:
        done.append(label)
        on_applied(label)
    if done:
        runner.schema_changed()
    return done


def _step(runner: Runner, migrations: Sequence[Migration], target: int) -> str | None:
    """Go one migration towards the target; None when there."""
    with runner.writing():
        runner.read("migrations.lock")
        if not runner.read("migrations.started"):
            _refuse_strangers(runner.read)
            runner.write("migrations.prepare")
        _refuse_differences(_applied(runner.read), migrations)
        at = version(runner)
        if at == target:
            return None
        migration = migrations[at] if at < target else migrations[at - 1]
        try:
            if at < target:
                runner.run_script(migration.sql)
                runner.write(
                    "migrations.record",
                    version=migration.number,
                    name=migration.name,
                    checksum=migration.checksum,
                )
                return migration.label
            runner.run_script(migration.undo)
            runner.write("migrations.forget", version=migration.number)
        except RepoError as error:
            raise MigrationError(f"{migration.label} failed: {error}") from error
        return f"-{migration.label}"


def _applied(ask: Callable[[str], Any]) -> Sequence[Any]:
    """What was applied, by number."""
    try:
        found: Sequence[Any] = ask("migrations.applied")
    except QueryContractError as error:
        raise MigrationError(
            f"the table schema_migrations is not this package's, so neither is the database: {error}"
        ) from error
    return found


def _refuse_strangers(ask: Callable[[str], Any]) -> None:
    """Refuse a database without a record of migrations that has tables all the same."""
    names = ask("migrations.strangers")
    if names:
        raise MigrationError(
            f"the database has tables that no migration of this package made, such as {names}; it is "
            "another program's, and is left as it is: choose another file"
        )


def _refuse_differences(applied: Sequence[Any], migrations: Sequence[Migration]) -> None:
    """Refuse a database to which something else was applied than the files there are."""
    found = []
    for place, each in enumerate(applied):
        label = f"{each.version:04d}_{each.name}"
        if place >= len(migrations):
            found.append(f"{label} was applied by a newer version of this package")
        elif migrations[place].label != label:
            found.append(f"{label} was applied where the files have {migrations[place].label}")
        elif migrations[place].checksum != each.checksum:
            found.append(f"{label} was changed after it was applied")
    if found:
        raise MigrationError("; ".join(found))
