"""Which files a load is given, and what each of them holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from repo.delimited.files import PARQUET, SUFFIXES, Delimited, split_name
from repo.delimited.headers import find_kind, lay_out
from repo.delimited.parquet import Parquet
from repo.delimited.source import FileSource, LoadProgress
from repo.errors import ConfigurationError
from repo.showing import short
from repo.tables import TABLES


class Contents(NamedTuple):
    """A folder's files by the kind they are named for, in loading order, and its other files."""

    files: dict[str, Path]
    others: list[Path]


def contents(folder: str | os.PathLike[str]) -> Contents:
    """Which files :func:`load` would take from a folder, and which not (without hidden files).

    :raises ConfigurationError: if it cannot be read, or has two files of one kind.
    """
    files: dict[str, Path] = {}
    others: list[Path] = []
    try:
        entries = [(entry, entry.is_dir()) for entry in sorted(Path(folder).iterdir())]
    except OSError as error:
        raise ConfigurationError(f"cannot read {folder}: {error.strerror}") from error
    for entry, is_folder in entries:
        parts = split_name(entry)
        kind = "" if parts is None or is_folder else parts[0].lower()
        if kind not in TABLES:
            if not entry.name.startswith("."):
                others.append(entry)
        elif kind in files:
            both = f"{files[kind].name}, {entry.name}"
            raise ConfigurationError(f"{folder} has two files of {kind}: {both}")
        else:
            files[kind] = entry
    return Contents({kind: files[kind] for kind in TABLES if kind in files}, others)


def open_sources(
    path: Any,
    kind: str | None,
    symbol: str | None,
    mapping: Mapping[Any, Any],
    progress: LoadProgress | None,
    on_other: Callable[[Path], None],
) -> list[FileSource]:
    """The files in the order of loading, their headers read; see :func:`repo.loading.load`.

    :raises ConfigurationError: for files that cannot be read, and columns that are not known.
    :raises InvalidRecord: for a file that is damaged up to its header.
    """
    paths: Any = [path] if isinstance(path, str | os.PathLike) else path
    if not isinstance(paths, Sequence) or not all(isinstance(each, str | os.PathLike) for each in paths):
        raise ConfigurationError(f"a path or several are wanted, not {short(path)}")
    check_name(*paths)
    for field, column in mapping.items():
        if not (isinstance(field, str) and isinstance(column, str)):
            raise ConfigurationError(
                f"a mapping is of names to names, not {short(field)} to {short(column)}"
            )
    files = [each for path in paths for each in _files(Path(path), kind, on_other)]
    if not files:
        raise ConfigurationError("no file is named")
    sources = [_source(path, kind, symbol, mapping, progress) for path, kind in files]
    fields = {field.name for source in sources for field in source.layout.table.fields}
    for name in mapping:
        if name not in fields:
            known = ", ".join(sorted(fields))
            raise ConfigurationError(f"a mapping is of the fields {known}, not {short(name)}")
    order = list(TABLES)
    return sorted(sources, key=lambda source: order.index(source.layout.kind))


def check_name(*paths: str | os.PathLike[str]) -> None:
    """Refuse names that a file cannot have."""
    if any("\0" in os.fspath(each) for each in paths):
        raise ConfigurationError("the name of a file cannot contain NUL")


def _files(
    path: Path, kind: str | None, on_other: Callable[[Path], None]
) -> list[tuple[Path, str | None]]:
    """A file, or those of a folder, each with its kind if that is known already."""
    if not path.is_dir():
        return [(path, kind)]
    if kind is not None:
        raise ConfigurationError(f"{path} is a folder: its files are named for their kinds")
    files, others = contents(path)
    for other in others:
        on_other(other)
    if not files:
        raise ConfigurationError(
            f"{path} has no file named {', '.join(TABLES)} with one of the endings {SUFFIXES}"
        )
    return [(file, each) for each, file in files.items()]


def _source(
    path: Path,
    kind: str | None,
    symbol: str | None,
    mapping: Mapping[str, str],
    progress: LoadProgress | None,
) -> FileSource:
    parts = split_name(path)
    file = Parquet(path) if parts is not None and parts[1] == PARQUET else Delimited(path)
    if kind is None:
        kind = find_kind(path, file.stem, file.header, mapping)
    return FileSource(file, lay_out(path, file.header, kind, symbol, mapping), symbol, progress)
