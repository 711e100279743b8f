"""The files of migrations: the package's, and an application's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from repo.errors import ConfigurationError, MigrationError
from repo.queries import DIALECTS, shipped
from repo.showing import short

PACKAGE: Final = "smdi"
"""The name of the package's own sequence of migrations."""

_FILE: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+?)(?P<undo>\.undo)?\.sql")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")

Folders = Path | str | Iterable[Path | str] | Mapping[str, Path | str]
"""A folder, several, or folders by the names of their sequences."""


class MigrationFolder(NamedTuple):
    """A sequence of an application's migrations: its name, and the folder laid out as ``schema/``."""

    name: str
    folder: Path

    @property
    def option(self) -> str:
        """What stands behind ``--schema`` for it."""
        named = self.folder.resolve().name == self.name
        return str(self.folder) if named else f"{self.name}={self.folder}"


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration in one dialect: its SQL, and the SQL that undoes it."""

    number: int
    name: str
    sql: str
    undo: str
    file: Path
    undo_file: Path
    sequence: str = PACKAGE

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL with Unix line ends, so that a checkout on Windows agrees."""
        import hashlib  # takes milliseconds, and a program that only reads does not need it

        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()

    @property
    def label(self) -> str:
        """``NNNN_name``, with the name of an application's sequence in front."""
        return label(self.sequence, self.number, self.name)


def label(sequence: str, number: int, name: str) -> str:
    """See :attr:`Migration.label`."""
    return f"{'' if sequence == PACKAGE else f'{sequence}/'}{number:04d}_{name}"


def named_folders(folders: Folders) -> tuple[MigrationFolder, ...]:
    """The sequences of some folders, in order, each named for its folder unless a name is given.

    :raises ConfigurationError: for a bad name, a name that is there twice, and a path that is no folder.
    """
    if isinstance(folders, Mapping):
        pairs = [(name, Path(folder)) for name, folder in folders.items()]
    else:
        several = [folders] if isinstance(folders, str | Path) else folders
        pairs = [(Path(each).resolve().name, Path(each)) for each in several]
    found = [MigrationFolder(name, folder) for name, folder in pairs]
    for each in found:
        if not _NAME.fullmatch(each.name) or each.name == PACKAGE:
            raise ConfigurationError(
                f"{short(each.name)} cannot name a sequence of migrations, which is lower-case letters, "
                f"digits and _, and not {PACKAGE}; give another: schema={{'name': folder}}, "
                "--schema name=folder"
            )
        if not each.folder.is_dir():
            raise ConfigurationError(f"{each.folder} is not a folder of migrations")
    names = [each.name for each in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigurationError(
            f"two folders are named {twice.pop()}; give them names: schema={{'name': folder}}"
        )
    return tuple(found)


def _read(folder: Path, sequence: str) -> dict[int, Migration]:
    texts: dict[tuple[int, str, bool], tuple[Path, str]] = {}
    for path in sorted(folder.glob("*.sql")):
        found = _FILE.fullmatch(path.name)
        if found is None:
            raise MigrationError(f"{path}: a migration is NNNN_name.sql or NNNN_name.undo.sql")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MigrationError(f"cannot read {path}: {error}") from error
        texts[int(found["number"]), found["name"], found["undo"] is not None] = path, text
    migrations: dict[int, Migration] = {}
    for (number, name, undo), (path, sql) in texts.items():
        stem = f"{number:04d}_{name}"
        if (number, name, not undo) not in texts:
            lacking = f"{stem}.sql" if undo else f"{stem}.undo.sql"
            raise MigrationError(f"{folder}: {lacking} is missing")
        if undo:
            continue
        if number in migrations:
            other = f"{number:04d}_{migrations[number].name}"
            raise MigrationError(f"{folder}: {other} and {stem} have one number")
        undo_path, undo_sql = texts[number, name, True]
        migrations[number] = Migration(number, name, sql, undo_sql, path, undo_path, sequence)
    return migrations


def load(dialect: str, schema: Path | None = None, sequence: str = PACKAGE) -> list[Migration]:
    """The migrations of one dialect, by number, checked against the other dialects.

    :param schema: the folder; None is the package's own.
    :raises MigrationError: for a gap, two files of one number, a missing undo, a file with another name,
        or a number whose name differs between dialects.
    """
    folder = shipped("schema") if schema is None else schema
    by_dialect = {each: _read(folder / each, sequence) for each in DIALECTS}
    for each, migrations in by_dialect.items():
        for expected, number in enumerate(sorted(migrations), 1):
            if number != expected:
                raise MigrationError(f"{folder / each}: {expected:04d} is missing")
    names = {each: [m.file.stem for _, m in sorted(found.items())] for each, found in by_dialect.items()}
    if len({tuple(found) for found in names.values()}) > 1:
        shown = "; ".join(f"{each}: {', '.join(found)}" for each, found in names.items())
        raise MigrationError(f"{folder}: the dialects differ: {shown}")
    if sequence != PACKAGE and not by_dialect[dialect]:
        raise MigrationError(f"{folder}: there are no migrations in {' and '.join(DIALECTS)}")
    return [migration for _, migration in sorted(by_dialect[dialect].items())]
