"""The tables of a database as files of a folder, which :mod:`repo.loading` reads back exactly.

A file is named for what it holds (``market.csv``) and has the fields of its records: tickers by their
symbols and institutions by their CIKs. Keys that the database gave are not in it, nor is ``created_at``:
where the files are loaded, the rows get their own. In a CSV numbers have every digit, dates are ISO's,
and NULL is an empty cell.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import date
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, NamedTuple

from repo import frames, migrations
from repo.batches import EPOCH, Columns
from repo.delimited.files import split_name
from repo.engine.transfer import Limits
from repo.errors import ConfigurationError, TransferError
from repo.progress import Progress, no_progress
from repo.queries import columns_of
from repo.showing import listed, short
from repo.tables import TABLES, Table
from repo.workplace import PRIVATE, keep_names, workplace

if TYPE_CHECKING:
    from repo.database import Database

__all__ = ["Exported", "Form", "Progress", "export"]

_GROUP_ROWS: Final = 100_000
"""Rows of a Parquet file that lie together, and in memory while they are written."""

Form = Literal["csv", "parquet"]

_Write = Callable[[Columns], None]
"""Takes the columns of some rows, in the order of the record's fields; dates are days since 1970."""


class Exported(NamedTuple):
    """A file that was written, and how many rows it has."""

    kind: str
    file: Path
    rows: int


def export(
    db: Database,
    folder: str | os.PathLike[str],
    *,
    form: Form = "csv",
    compress: bool = False,
    force: bool = False,
    progress: Progress = no_progress,
) -> list[Exported]:
    """Write every table into a file of its own, all of one state, in bounded memory.

    The files are readable by their owner alone. They get their names when all of them are on the disk;
    an export that failed leaves what was there.

    :param db: a database, or a transaction's handle, whose own writes are then among the rows.
    :param folder: made if it is not there.
    :param form: ``csv``, or ``parquet`` with the extra ``arrow``.
    :param compress: write gzip files, ``market.csv.gz``. Parquet has a compression of its own.
    :param force: replace files of the same names.
    :returns: the files, in the order of loading.
    :raises ConfigurationError: for files that are there, and where pyarrow is wanted and missing.
    :raises TransferError: where the folder cannot be written to, and for a text with blanks around it,
        which no CSV can have, for loading drops them.
    :raises MigrationError: for a schema that is not the newest.
    """
    if form not in ("csv", "parquet"):
        raise ConfigurationError(f"the forms are csv and parquet, not {short(form)}")
    if form == "parquet" and compress:
        raise ConfigurationError("a Parquet file is compressed by itself: leave out --gzip")
    if form == "parquet":
        frames.pyarrow("Parquet files")
    migrations.require_newest(db.dialect, db.version())
    place = Path(folder)
    suffix = f".{form}.gz" if compress else f".{form}"
    try:
        place.mkdir(exist_ok=True)
        _check(place, suffix, force=force)
    except OSError as error:
        raise ConfigurationError(f"cannot use {place}: {error.strerror}: name another folder") from error
    with workplace(place, TransferError) as aside:
        found = _Export(db, form, compress=compress, progress=progress).write(aside, suffix)
        _check(place, suffix, force=force)
        for each in reversed(found):  # a kill in this moment leaves no tickers to load the rest with
            each.file.replace(place / each.file.name)
        keep_names(place)
    return [each._replace(file=place / each.file.name) for each in found]


def _check(folder: Path, suffix: str, *, force: bool) -> None:
    """Refuse a folder whose files would be overwritten, or be loaded together with the new ones."""
    taken = []
    for entry in sorted(folder.iterdir()):
        parts = split_name(entry)
        if parts is not None and parts[0].lower() in TABLES:
            if entry.name != f"{parts[0].lower()}{suffix}":
                raise ConfigurationError(
                    f"{entry} is there, and a load of {folder} would find two files of "
                    f"{parts[0].lower()}: remove it first, or name another folder"
                )
            if entry.is_dir():
                raise ConfigurationError(f"{entry} is a folder: remove it first, or name another")
            taken.append(entry.name)
    if taken and not force:
        raise ConfigurationError(
            f"{folder} has {listed(taken)} already: --force replaces files, or name another folder"
        )


class _Export:
    """One run of an export."""

    def __init__(self, db: Database, form: Form, *, compress: bool, progress: Progress) -> None:
        self._db = db
        self._form = form
        self._compress = compress
        self._progress = progress
        self._names: dict[Table, dict[int, Any]] = {}

    def write(self, folder: Path, suffix: str) -> list[Exported]:
        """Write all files, to the disk."""
        queries = self._db._session.executor.queries
        scanning = self._db._backend.transfer().scanning
        with self._db._session.connection() as connection, scanning(connection):
            totals = {each.name: each.number for each in queries["proof.counts"](connection, {})}
            return [
                self._write_one(connection, table, folder / f"{kind}{suffix}", totals[table.name])
                for kind, table in TABLES.items()
            ]

    def _write_one(self, connection: Any, table: Table, path: Path, total: int) -> Exported:
        columns = [column.name for column in table.columns]
        places = []
        for field in table.fields:
            referred = table.references.get(field.name)
            name = field.name if referred is None else referred.surrogate
            places.append((columns.index(name or field.name), referred))
        names = self._names.setdefault(table, {})
        rows = 0

        def take(found: Columns) -> None:
            nonlocal rows
            values = [
                found[place]
                if referred is None
                else list(map(self._names[referred].__getitem__, found[place]))
                for place, referred in places
            ]
            write(values)
            rows += len(found[0])
            if table.surrogate is not None:
                named = table.positions[table.key[0]]
                names.update(zip(found[0], values[named], strict=True))
            self._progress(table.aggregate, rows, total)

        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(handle, "wb") as file:
            with self._writer(table, file) as write:
                self._db._backend.transfer().read(
                    connection, self._db._session.executor.queries, table, Limits(), take
                )
            file.flush()
            os.fsync(handle)
        return Exported(table.aggregate, path, rows)

    def _writer(self, table: Table, file: IO[bytes]) -> AbstractContextManager[_Write]:
        if self._form == "parquet":
            return _parquet(table, file)
        return _csv(table, file, compress=self._compress)


@contextmanager
def _csv(table: Table, file: IO[bytes], *, compress: bool) -> Iterator[_Write]:
    """What writes rows into a CSV."""
    with ExitStack() as stack:
        target: Any = file
        if compress:  # with neither a name nor a time in it: equal rows make equal files
            target = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
        text = io.TextIOWrapper(target, encoding="utf-8", newline="")
        stack.callback(text.detach)
        # Before Python 3.13 the writer quotes cells for the characters of its line end, and no others.
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(field.name for field in table.fields)

        def write(columns: Columns) -> None:
            values: list[Iterable[Any]] = []
            for field, column in zip(table.fields, columns, strict=True):
                if field.type is str:
                    _check_text(table, field.name, column)
                values.append(map(_day, column) if field.type is date else column)
            writer.writerows(zip(*values, strict=True))

        yield write


def _check_text(table: Table, name: str, column: Sequence[Any]) -> None:
    """Refuse text that would not come back as it is."""
    for value in set(column):
        if value is not None and value.strip() != value:
            raise TransferError(
                f"{table.aggregate}: {name} = {short(value)} has blanks around it, which are dropped "
                "where a CSV is loaded: change it, or write Parquet files (--format parquet)"
            )


@contextmanager
def _parquet(table: Table, file: IO[bytes]) -> Iterator[_Write]:
    """What writes rows into a Parquet file."""
    columns = columns_of(table.record)
    build = frames.builder(columns)
    batches: list[Any] = []
    made = frames.schema(columns)
    how = {"compression": "zstd", "write_page_checksum": True}
    with import_module("pyarrow.parquet").ParquetWriter(file, made, **how) as writer:

        def put() -> None:
            writer.write_table(frames.to_table(columns, batches))
            batches.clear()

        def write(values: Columns) -> None:
            batches.append(build(values))
            if sum(batch.num_rows for batch in batches) >= _GROUP_ROWS:
                put()

        yield write
        put()


@lru_cache(maxsize=100_000)
def _day(day: int) -> str:
    return date.fromordinal(day + EPOCH).isoformat()
