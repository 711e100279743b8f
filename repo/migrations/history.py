"""The history of migrations that a database records, compared with the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from repo.errors import MigrationError, QueryContractError
from repo.migrations.files import PACKAGE, Migration, MigrationFolder, label, load
from repo.queries import RunQuery

APPLIED: Final = "applied"
APPLYING: Final = "applying"
UNDOING: Final = "undoing"

Chains = Mapping[str, Sequence[Migration]]
"""The migrations by the names of their sequences, the package's first."""


@dataclass(frozen=True, slots=True)
class History:
    """The migrations applied, by sequence and number, and the state of those begun and not finished.

    ``tables`` counts the tables of the record: none in an empty database; that of unfinished steps is
    made when it is first needed.
    """

    tables: int
    applied: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    begun: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def at(self, sequence: str = PACKAGE) -> int:
        """The number of the newest migration of a sequence; 0 for none."""
        found = self.applied.get(sequence)
        return int(found[-1].version) if found else 0


class State(NamedTuple):
    """The state of a migration: applied, pending, unfinished, changed, newer or other."""

    migration: str
    state: str
    meaning: str


def chains(dialect: str, folders: Iterable[MigrationFolder] = (), schema: Path | None = None) -> Chains:
    """The files of the package and of an application; see :func:`repo.migrations.load`."""
    own = {PACKAGE: load(dialect, schema)}
    return own | {each.name: load(dialect, each.folder, each.name) for each in folders}


def read(ask: RunQuery) -> History:
    """The record of a database.

    :raises MigrationError: when it is another program's.
    """
    tables = ask("migrations.started")
    if not tables:
        return History(0)
    try:
        applied: dict[str, list[Any]] = {PACKAGE: list(ask("migrations.applied"))}
        steps = ask("migrations.steps") if tables > 1 else []
    except QueryContractError as error:
        raise MigrationError(
            f"the table schema_migrations is not this package's, so neither is the database: {error}"
        ) from error
    begun: dict[tuple[str, int], str] = {}
    for step in steps:
        if step.state != APPLIED:
            begun[step.sequence, step.version] = step.state
        if step.sequence != PACKAGE and step.state != APPLYING:
            applied.setdefault(step.sequence, []).append(step)
    return History(tables, applied, begun)


def refuse_strangers(ask: RunQuery) -> None:
    """Refuse a database that has tables and no record of migrations."""
    names = ask("migrations.strangers")
    if names:
        raise MigrationError(
            f"the database has tables that no migration of this package made, such as {names}; it is "
            "another program's, and is left as it is: choose another file"
        )


def states(history: History, files: Chains) -> list[State]:
    """The state of each migration, by sequence and number."""
    found = []
    for sequence, migrations in files.items():
        applied = history.applied.get(sequence, ())
        for index, each in enumerate(applied):
            name = label(sequence, each.version, each.name)
            found.append(State(name, *_state(history, sequence, each, migrations, index, name)))
        for migration in migrations[len(applied) :]:
            if (sequence, migration.number) in history.begun:
                state = "unfinished", f"{migration.label} was begun and not finished: migrate again"
            else:
                state = "pending", f"{migration.label} is not applied"
            found.append(State(migration.label, *state))
    found += [
        State(name, "other", f"{name} was applied from a folder that was not given")
        for sequence, rows in history.applied.items()
        if sequence not in files
        for name in [label(sequence, each.version, each.name) for each in rows]
    ]
    return found


def _state(
    history: History, sequence: str, row: Any, files: Sequence[Migration], index: int, name: str
) -> tuple[str, str]:
    if index >= len(files):
        whose = "this package" if sequence == PACKAGE else f"the files of {sequence}"
        return "newer", f"{name} was applied by a newer version of {whose}"
    if files[index].label != name:
        return "changed", f"{name} was applied where the files have {files[index].label}"
    if files[index].checksum != row.checksum:
        return "changed", f"{name} was changed after it was applied"
    if (sequence, row.version) in history.begun:
        return "unfinished", f"the undo of {name} was begun and not finished: migrate again"
    return APPLIED, ""


def refuse_differences(history: History, files: Chains) -> None:
    """Refuse a database whose migrations are not those of the files."""
    found = [each.meaning for each in states(history, files) if each.state in ("changed", "newer")]
    if found:
        raise MigrationError("; ".join(found))


def lacking(dialect: str, ask: RunQuery, folders: Iterable[MigrationFolder] = ()) -> str:
    """What to say of a database that lacks migrations; empty if it lacks none."""
    history = read(ask)
    files = chains(dialect, folders)
    given = [PACKAGE, *(each.option for each in folders)]
    for option, (name, chain) in zip(given, files.items(), strict=True):
        if lacks := _behind(history.at(name), len(chain), name, option):
            return lacks
    return ""


def require_newest(dialect: str, at: int) -> None:
    """Refuse long work on a database that lacks the package's migrations, before it begins.

    :raises MigrationError: saying what to do.
    """
    if lacks := _behind(at, len(load(dialect))):
        raise MigrationError(f"the database is {lacks}")


def _behind(at: int, there: int, sequence: str = PACKAGE, option: str = PACKAGE) -> str:
    of, options = ("", "") if sequence == PACKAGE else (f" of {sequence}", f" --schema {option}")
    return (
        f"at migration {at} of {there}{of}: smdi migrate{options}, or db.migrate()" if at < there else ""
    )


def fitting(dialect: str, ask: RunQuery, folders: Iterable[MigrationFolder] = ()) -> bool:
    """Whether a database may be written to: not while nothing is applied.

    :raises MigrationError: when it is newer than these files, was migrated by other files, or is another
        program's.
    """
    history = read(ask)
    if not history.tables:
        refuse_strangers(ask)
        return False
    refuse_differences(history, chains(dialect, folders))
    return history.at() > 0
