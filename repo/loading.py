"""Files of rows into a database: CSV and TSV, plain or gzip, and Parquet, a file or a folder at a time.

    loading.load(db, "2018-2020")                         # tickers, institutions, market, ...
    loading.load(db, "BYND.csv", symbol="BYND")           # Yahoo Finance's history of one ticker

A file's first row names its columns. They are the record's fields in any case and order, with a few
other names that Yahoo Finance and Stooq use:

- ``Ticker`` is the symbol, ``Vol`` the volume, ``Name`` a ticker's company_name; Stooq's ``<TICKER>``
  and the like are read without their brackets, and a blank, ``-`` or ``_`` between words is all one;
- ``Adj Close`` is the close, but only where there is no ``Close``.

Other columns are ignored. A field that may be NULL and has no column keeps its stored values, and is
NULL in new rows: a file of ``symbol,date,close`` changes closes. Blanks around a cell are ignored; an
empty cell is NULL. Dates are YYYY-MM-DD or YYYYMMDD, numbers have a
decimal point and no separators, and a whole number may be written 467700.0.

A Parquet file (with the extra ``arrow``) has values instead of cells: what cannot be a field's without
loss is refused, and text is taken as it is. Its lines, in errors, are the numbers of its rows.

The name of a file says what it holds (tickers, institutions, market, holdings or sentiment, and the
ending), or else its columns do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from repo import migrations
from repo.batches import RepeatedKeys, RowEncoder, Tally, Unfit
from repo.database import Database
from repo.delimited.files import PARQUET, SUFFIXES, Delimited, split_name
from repo.delimited.headers import find_kind, lay_out
from repo.delimited.parquet import Parquet
from repo.delimited.rejects import Rejects
from repo.delimited.source import Progress, Source
from repo.errors import (
    PROBLEM_LIMIT,
    ConfigurationError,
    InvalidRecord,
    RepoError,
    UniqueViolation,
    UnknownTicker,
)
from repo.records import Ticker
from repo.repositories.base import ahead, reads_ahead
from repo.repositories.cusips import Clash, clashes
from repo.showing import short
from repo.tables import TABLES
from repo.validation import argument

__all__ = ["Contents", "Loaded", "Progress", "contents", "load"]


class Loaded(NamedTuple):
    """What was done with one file.

    Of the ``rows`` that were read, ``rejected`` were left out, ``repeated`` were replaced by a later row
    of the same key, ``new`` were inserted, ``changed`` differed from the stored row, and ``unchanged``
    equalled it. ``ignored`` are the columns that belong to no field, ``rejects`` is the file with the
    rejected rows.
    """

    kind: str
    file: Path
    rows: int
    new: int
    changed: int
    unchanged: int
    repeated: int
    rejected: int = 0
    ignored: tuple[str, ...] = ()
    rejects: Path | None = None


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


def load(
    db: Database,
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    kind: str | None = None,
    symbol: str | None = None,
    mapping: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    strict: bool = False,
    rejects: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    on_other: Callable[[Path], None] = lambda path: None,
) -> list[Loaded]:
    """Load a file, a folder or several of them, all or nothing, in bounded memory.

    Files are loaded by kind: tickers, institutions, market, holdings, sentiment. Of a folder, the files
    named for a kind are loaded and the others left alone. Loading a file again changes nothing.

    :param kind: what the file holds, where neither its name nor its columns say so.
    :param symbol: the ticker that a file of market or sentiment is about, which has no column for it.
    :param mapping: columns by field, for files whose headers say something else.
    :param skip_bad: leave bad rows out, those of unknown tickers and institutions among them and those
        with the CUSIP of another ticker, and write them to a reject file: a CSV with a line for each
        problem, naming file, line, column, value and reason, with the row as it was. It replaces an
        earlier one and is there only once the load is committed; inside a transaction of the caller's,
        when this returns.
    :param strict: refuse a file in which a key comes more than once, where the last row would count.
    :param rejects: that file, written even when nothing is rejected; None is ``<file
        name>.rejects.csv`` in the current folder, for each file with bad rows.
    :param progress: called now and then with the kind, the rows so far, and the bytes read so far of
        how many in the file; the count starts over where a file has to be read a second time.
    :param on_other: called with each file of a folder that is left alone, but for hidden ones.
    :returns: what was done with each file, in the order of loading.
    :raises MigrationError: for a database that lacks migrations, or is not this package's.
    :raises ConfigurationError: for files that cannot be read, columns that cannot be told, and options
        that do not fit; nothing is written.
    :raises InvalidRecord: naming the first 20 problems of the first file that has any, with their
        lines, the repeated keys of a ``strict`` load among them; nothing is written.
    :raises UnknownTicker: naming every symbol of a file that is missing; nothing is written.
    :raises UnknownInstitution: naming every CIK of a file that is missing; nothing is written.
    :raises UniqueViolation: when two tickers would have one CUSIP, naming the first 20 such rows with
        their lines, and whose CUSIP it is; nothing is written.
    """
    if kind is not None and kind not in TABLES:
        raise ConfigurationError(f"the kinds of rows are {', '.join(TABLES)}, not {short(kind)}")
    if rejects is not None and not skip_bad:
        raise ConfigurationError("a reject file is for a load that skips bad rows")
    if symbol is not None:
        symbol = argument("symbol", "symbol", symbol)
    paths = _paths(path)
    _check_names([*paths, *([] if rejects is None else [rejects])], mapping or {})
    try:
        files = [each for path in paths for each in _files(Path(path), kind, on_other)]
        sources = _sources(files, symbol, mapping or {}, progress)
        targets = [_reject_path(source, rejects, sources) for source in sources] if skip_bad else []
    except OSError as error:
        raise ConfigurationError(f"cannot read {error.filename}: {error.strerror}") from error
    migrations.require_newest(db.dialect, db.version())
    with ExitStack() as stack:
        outboxes: dict[Path, Rejects] = {}
        for target in targets:
            if target not in outboxes:
                outboxes[target] = stack.enter_context(closing(Rejects(target)))
        boxes = [outboxes[target] for target in targets]
        written = _Load(db, sources, symbol, boxes, strict=strict).write()
        for outbox in outboxes.values():
            outbox.publish(if_empty=rejects is not None)
    return [
        _loaded(source, count, always=rejects is not None)
        for source, count in zip(sources, written, strict=True)
    ]


def _paths(path: Any) -> Sequence[str | os.PathLike[str]]:
    """One path or several, as a list.

    :raises ConfigurationError: for anything else.
    """
    paths: Any = [path] if isinstance(path, str | os.PathLike) else path
    if not isinstance(paths, Sequence) or not all(isinstance(each, str | os.PathLike) for each in paths):
        raise ConfigurationError(f"a path or several are wanted, not {short(path)}")
    return paths


def _check_names(paths: Iterable[str | os.PathLike[str]], mapping: Mapping[Any, Any]) -> None:
    """Refuse names that a file or a column cannot have.

    :raises ConfigurationError: naming the first.
    """
    if any("\0" in os.fspath(each) for each in paths):
        raise ConfigurationError("the name of a file cannot contain NUL")
    for field, column in mapping.items():
        if not (isinstance(field, str) and isinstance(column, str)):
            raise ConfigurationError(
                f"a mapping is of names to names, not {short(field)} to {short(column)}"
            )


def _loaded(source: Source, written: int, *, always: bool) -> Loaded:
    """What was done with a file; with ``always`` it has a reject file even if that is empty."""
    # Another transaction may have inserted some of the new rows at the same moment.
    new = min(source.tally.new, written)
    repeated = source.tally.repeated
    return Loaded(
        kind=source.layout.kind,
        file=source.file.path,
        rows=source.rows,
        new=new,
        changed=written - new,
        unchanged=source.rows - source.rejected - repeated - written,
        repeated=repeated,
        rejected=source.rejected,
        ignored=source.layout.ignored,
        rejects=source.rejects.path if source.rejects and (source.rejected or always) else None,
    )


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


def _sources(
    files: Iterable[tuple[Path, str | None]],
    symbol: str | None,
    mapping: Mapping[str, str],
    progress: Progress | None,
) -> list[Source]:
    """The files in the order of loading, their headers read."""
    sources = [_source(path, kind, symbol, mapping, progress) for path, kind in files]
    if not sources:
        raise ConfigurationError("no file is named")
    names = {field.name for source in sources for field in source.layout.table.fields}
    for name in mapping:
        if name not in names:
            fields = ", ".join(sorted(names))
            raise ConfigurationError(f"a mapping is of the fields {fields}, not {short(name)}")
    order = list(TABLES)
    return sorted(sources, key=lambda source: order.index(source.layout.kind))


def _source(
    path: Path,
    kind: str | None,
    symbol: str | None,
    mapping: Mapping[str, str],
    progress: Progress | None,
) -> Source:
    parts = split_name(path)
    file = Parquet(path) if parts is not None and parts[1] == PARQUET else Delimited(path)
    if kind is None:
        kind = find_kind(path, file.stem, file.header, mapping)
    return Source(file, lay_out(path, file.header, kind, symbol, mapping), symbol, progress)


def _reject_path(
    source: Source, rejects: str | os.PathLike[str] | None, inputs: Iterable[Source]
) -> Path:
    """The reject file of a file, which must not be one of those being loaded."""
    target = Path(f"{source.file.path.name}.rejects.csv" if rejects is None else rejects)
    for other in inputs:
        if target.exists() and target.samefile(other.file.path):
            raise ConfigurationError(f"{target} is being loaded; rejected rows must go elsewhere")
    return target


class _Load:
    """Files on their way into a database, all or nothing, in order.

    On an engine with one writer, as many files as possible are read before the transaction begins,
    because all others would wait meanwhile. The result depends on the stored tickers and institutions;
    if those have changed when the transaction begins, the files are read again inside it.
    """

    def __init__(
        self,
        db: Database,
        sources: Sequence[Source],
        symbol: str | None,
        outboxes: Sequence[Rejects],
        *,
        strict: bool,
    ) -> None:
        self._db = db
        self._sources = sources
        self._symbol = symbol
        self._outboxes = outboxes
        self._strict = strict
        self._ready: list[RowEncoder] = []
        self._failed: RepoError | None = None
        self._tickers: list[Ticker] = []
        self._known: dict[str, set[Any]] = {}

    def write(self) -> list[int]:
        """Write every file's rows or none; returns how many of each were new or different.

        A load that is a transaction of its own is repeated after a deadlock.
        """
        return self._db._session.until_no_deadlock(self._write, lambda: self._read_again_from(0))

    def _write(self) -> list[int]:
        written: list[int] = []
        try:
            with ExitStack() as stack:
                self._read_ahead(stack)
                # Writes deal with conflicts themselves; at a stricter level they would fail instead.
                with self._db.transaction(isolation="read committed"):
                    for number in range(len(self._sources)):
                        written.append(self._write_one(number))  # noqa: PERF401  # asked for after errors
        except RepeatedKeys as repeated:
            raise InvalidRecord(self._sources[len(written)].repeated(repeated.rows)) from repeated
        except InvalidRecord as invalid:
            if self._outboxes:
                raise
            # upsert stops early and knows no lines, so the file is read again for all its problems.
            problems = self._sources[len(written)].diagnose()
            raise InvalidRecord(problems or invalid.problems) from invalid
        return written

    def _read_ahead(self, stack: ExitStack) -> None:
        """Read the files up to the first that fails; its error is raised when its turn comes."""
        db = self._db
        if not reads_ahead(db.tickers):
            return
        if self._outboxes:
            self._tickers = db.tickers.all()
            self._known = self._there()
        try:
            for number, source in enumerate(self._sources):
                if self._outboxes and self._has_earlier(number) and source.layout.kind == "tickers":
                    return  # its clashes are known only once the earlier files are written
                self._prepare(number, self._known)
                batches = ahead(getattr(db, source.layout.kind), source, keys=bool(self._outboxes))
                self._ready.append(stack.enter_context(batches))
                name = source.layout.table.key[0]
                if source.layout.table.surrogate and name in self._known:
                    self._known[name] = self._known[name] | batches.keys
        except RepoError as error:
            self._failed = error

    def _there(self) -> dict[str, set[Any]]:
        """The stored keys of tickers and institutions, by the field that refers to them."""
        return {
            table.key[0]: set(map(attrgetter(table.key[0]), getattr(self._db, table.aggregate).all()))
            for table in TABLES.values()
            if table.surrogate
        }

    def _has_earlier(self, number: int) -> bool:
        """Whether the load has an earlier file of tickers."""
        return any(other.layout.kind == "tickers" for other in self._sources[:number])

    def _prepare(self, number: int, known: Mapping[str, set[Any]]) -> None:
        """Set what a source is to leave out."""
        source = self._sources[number]
        source.tally = Tally(strict=self._strict)
        if not self._outboxes:
            return
        references = source.layout.table.references
        if references and self._symbol is not None and self._symbol not in known["symbol"]:
            raise UnknownTicker([self._symbol])
        source.refuse({})
        source.reject_to(self._outboxes[number], {name: known[name] for name in references})
        if source.layout.kind == "tickers":
            source.refuse(_clashing(self._db, source, earlier=self._has_earlier(number)))

    def _write_one(self, number: int) -> int:
        """Write the rows of a file, which may have been read ahead."""
        source = self._sources[number]
        rows: RowEncoder | Source = source
        if not self._still_true(number):
            self._read_again_from(number)
        if number < len(self._ready):
            rows = self._ready[number]
        elif number == len(self._ready) and self._failed is not None:
            raise self._failed
        else:
            self._prepare_inside(number)
        refused: dict[int, tuple[str, str]] = {}
        while True:
            try:
                written: int = getattr(self._db, source.layout.kind).upsert(rows)
                return written  # noqa: TRY300  # in a loop
            except UniqueViolation as error:
                earlier = self._has_earlier(number)
                found = _clashing(self._db, source, earlier=earlier) if error.problems else {}
                named = source.located(found)
                raise (UniqueViolation.of(named) if named else error) from error.__cause__
            except Unfit as unfit:
                told = unfit.rows if self._outboxes else unfit.rows[:PROBLEM_LIMIT]
                lines = source.numbers({row for row, *_ in told})
                found = {lines[row]: (field, reason) for row, field, _, reason in told}
                if not self._outboxes:
                    raise InvalidRecord(source.located(found)) from unfit
                # They are left out; an earlier row of the same key may then count in place of one.
                refused.update(found)
                self._read_again_from(number)
                self._prepare_inside(number)
                source.refuse(refused)
                rows = source

    def _read_again_from(self, number: int) -> None:
        """Forget what was read ahead of this file and those after it."""
        for other in reversed(self._sources[number : len(self._ready) + 1]):
            other.take_back()
        del self._ready[number:]
        self._failed = None

    def _prepare_inside(self, number: int) -> None:
        """Set what a source is to leave out, by the rows that are stored now."""
        references = self._sources[number].layout.table.references
        self._prepare(number, self._there() if self._outboxes and references else {})

    def _still_true(self, number: int) -> bool:
        """Whether the stored rows by which rows were left out are still the same."""
        if not self._outboxes or number > len(self._ready):
            return True
        layout = self._sources[number].layout
        if layout.kind == "tickers":
            return self._db.tickers.all() == self._tickers
        return not layout.table.references or self._there() == self._known


def _clashing(db: Database, source: Source, *, earlier: bool) -> dict[int, tuple[str, str]]:
    """The field and the reason for each row of tickers with another's CUSIP, by its number.

    If a row is left out, an earlier row of its ticker becomes the last one, and may clash too.

    :param earlier: whether the load has an earlier file of tickers, whose rows are stored by then.
    """
    if "cusip" in source.absent:
        return {}
    there = db.tickers.all()
    rows = [(number, values[0], values[2]) for number, values in source.numbered()]
    found: dict[int, Clash] = {}
    while more := clashes(there, rows, found):
        found.update((clash.row, clash) for clash in more)
        if source.rejects is None:  # rows are not left out
            break
    lines = source.lines({clash.owner_row for clash in found.values() if clash.owner_row is not None})
    told = {}
    elsewhere = "in the database" + (" or an earlier file" if earlier else "")
    for row, clash in sorted(found.items()):
        where = elsewhere if clash.owner_row is None else f"on line {lines[clash.owner_row]}"
        told[row] = ("cusip", clash.reason(where))
    return told
