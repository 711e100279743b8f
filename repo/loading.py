"""Files of rows into a database: CSV and TSV, plain or gzip, a file or a folder at a time.

    loading.load(db, "2018-2020")                         # tickers, institutions, market, ...
    loading.load(db, "BYND.csv", symbol="BYND")           # Yahoo Finance's history of one ticker

A file's first row names its columns. They are the record's fields in any case and order, with a few
other names that Yahoo Finance and Stooq use:

- ``Ticker`` is the symbol, ``Vol`` the volume, ``Name`` a ticker's company_name; Stooq's ``<TICKER>``
  and the like are read without their brackets, and a blank, ``-`` or ``_`` between words is all one;
- ``Adj Close`` is the close, but only where there is no ``Close``.

Other columns are left alone. A field that may be NULL and has no column stays as it is in rows that are
there, and is NULL in new ones: a file of ``symbol,date,close`` changes closes. A cell counts without the
blanks around it, and is NULL when nothing is left. Dates are YYYY-MM-DD or YYYYMMDD, numbers have a
decimal point and no separators, and a whole number may be written 467700.0.

What a file holds is told by its name (tickers, institutions, market, holdings or sentiment, and the
ending), or else by its columns.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from repo import migrations
from repo.batches import RepeatedKeys, Tally
from repo.database import Database
from repo.errors import ConfigurationError, InvalidRecord, UniqueViolation, UnknownTicker
from repo.records import argument
from repo.repositories.cusips import Clash, clashes
from repo.showing import short
from repo.tabular.files import SUFFIXES, Delimited, split_name
from repo.tabular.headers import KINDS, find_kind, lay_out
from repo.tabular.rejects import Rejects
from repo.tabular.source import Progress, Source

__all__ = ["KINDS", "Contents", "Loaded", "Progress", "contents", "load"]

_REFERENCES: Final[Mapping[str, tuple[str, ...]]] = {
    "market": ("symbol",),
    "holdings": ("symbol", "cik"),
    "sentiment": ("symbol",),
}
"""The fields of each kind that refer to tickers and institutions."""


class Loaded(NamedTuple):
    """What became of one file.

    ``rows`` were read, and ``rejected`` of them left out. ``repeated`` gave way to a later row of the
    same key. Of the others ``new`` were not there, ``changed`` were there and differed, ``unchanged``
    were there as they are. ``ignored`` are the columns that no field wants, and ``rejects`` is the file
    with the rows left out.
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
    """A folder's files by the kind they are named for, in loading order, and what else is there."""

    files: dict[str, Path]
    others: list[Path]


def contents(folder: str | os.PathLike[str]) -> Contents:
    """What :func:`load` would take of a folder, and what it would leave alone (but for hidden files).

    :raises ConfigurationError: when it cannot be read, or has two files of one kind.
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
        if kind not in KINDS:
            if not entry.name.startswith("."):
                others.append(entry)
        elif kind in files:
            both = f"{files[kind].name}, {entry.name}"
            raise ConfigurationError(f"{folder} has two files of {kind}: {both}")
        else:
            files[kind] = entry
    return Contents({kind: files[kind] for kind in KINDS if kind in files}, others)


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
    :returns: what became of each file, in the order of loading.
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
    if kind is not None and kind not in KINDS:
        raise ConfigurationError(f"the kinds of rows are {', '.join(KINDS)}, not {short(kind)}")
    if rejects is not None and not skip_bad:
        raise ConfigurationError("a reject file is for a load that skips bad rows")
    if symbol is not None:
        symbol = argument("symbol", "symbol", symbol)
    paths = [path] if isinstance(path, str | os.PathLike) else path
    try:
        sources = _sources(paths, kind, symbol, mapping or {}, progress)
        targets = [_reject_path(source, rejects, sources) for source in sources] if skip_bad else []
    except OSError as error:
        raise ConfigurationError(f"cannot read {error.filename}: {error.strerror}") from error
    migrations.require_newest(db.dialect, db.version())
    with ExitStack() as stack:
        outboxes: dict[Path, Rejects] = {}
        for target in targets:
            if target not in outboxes:
                outboxes[target] = stack.enter_context(closing(Rejects(target)))
        written = _write(db, sources, symbol, [outboxes[target] for target in targets], strict=strict)
        for outbox in outboxes.values():
            outbox.publish(if_empty=rejects is not None)
    return [
        _loaded(source, count, always=rejects is not None)
        for source, count in zip(sources, written, strict=True)
    ]


def _loaded(source: Source, written: int, *, always: bool) -> Loaded:
    """What became of a file of which so many rows were written; ``always`` has it a reject file."""
    # Where somebody else writes the same rows at the same moment, new ones may be there by then.
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


def _sources(
    paths: Iterable[str | os.PathLike[str]],
    kind: str | None,
    symbol: str | None,
    mapping: Mapping[str, str],
    progress: Progress | None,
) -> list[Source]:
    """The files that are meant, in the order of loading, with every header understood."""
    sources: list[Source] = []
    for path in map(Path, paths):
        if not path.is_dir():
            sources.append(_source(path, kind, symbol, mapping, progress))
            continue
        if kind is not None:
            raise ConfigurationError(f"{path} is a folder: its files are named for their kinds")
        files = contents(path).files
        if not files:
            raise ConfigurationError(
                f"{path} has no file named {', '.join(KINDS)} with one of the endings {SUFFIXES}"
            )
        sources += [_source(file, each, symbol, mapping, progress) for each, file in files.items()]
    if not sources:
        raise ConfigurationError("no file is named")
    names = {field.name for source in sources for field in source.layout.spec.fields}
    for name in mapping:
        if name not in names:
            fields = ", ".join(sorted(names))
            raise ConfigurationError(f"a mapping is of the fields {fields}, not {short(name)}")
    order = list(KINDS)
    return sorted(sources, key=lambda source: order.index(source.layout.kind))


def _source(
    path: Path,
    kind: str | None,
    symbol: str | None,
    mapping: Mapping[str, str],
    progress: Progress | None,
) -> Source:
    file = Delimited(path)
    if kind is None:
        kind = find_kind(path, file.stem, file.header, mapping)
    return Source(file, lay_out(path, file.header, kind, symbol, mapping), symbol, progress)


def _reject_path(
    source: Source, rejects: str | os.PathLike[str] | None, inputs: Iterable[Source]
) -> Path:
    """Where the bad rows of a file go: never over a file that is being read."""
    target = Path(f"{source.file.path.name}.rejects.csv" if rejects is None else rejects)
    for other in inputs:
        if target.exists() and target.samefile(other.file.path):
            raise ConfigurationError(f"{target} is being loaded; rejected rows must go elsewhere")
    return target


def _write(
    db: Database,
    sources: Sequence[Source],
    symbol: str | None,
    outboxes: Sequence[Rejects],
    *,
    strict: bool,
) -> list[int]:
    """Write every file's rows or none; how many of each were new or different."""
    written: list[int] = []
    known: dict[str, set[Any]] = {}
    try:
        # Writes settle their conflicts themselves; a stricter level would only make them fail instead.
        with db.transaction(isolation="read committed"):
            for number, source in enumerate(sources):
                kind = source.layout.kind
                earlier = any(other.layout.kind == "tickers" for other in sources[:number])
                source.tally = Tally(strict=strict)
                references = _REFERENCES.get(kind, ())
                if outboxes:
                    if references and not known:  # whatever is loaded of these came before
                        known["symbol"] = {ticker.symbol for ticker in db.tickers.all()}
                        known["cik"] = {institution.cik for institution in db.institutions.all()}
                    if references and symbol is not None and symbol not in known["symbol"]:
                        raise UnknownTicker([symbol])
                    source.reject_to(outboxes[number], {name: known[name] for name in references})
                    if kind == "tickers":
                        source.refuse(_clashing(db, source, earlier=earlier))
                try:
                    written.append(getattr(db, kind).upsert(source))
                except UniqueViolation as error:
                    found = _clashing(db, source, earlier=earlier) if error.problems else {}
                    named = source.located(found)
                    raise (UniqueViolation.of(named) if named else error) from error.__cause__
    except RepeatedKeys as repeated:
        raise InvalidRecord(sources[len(written)].repeated(repeated.places)) from repeated
    except InvalidRecord as invalid:
        if outboxes:
            raise
        # The rows in which upsert found something are now looked up in the file, with all others.
        problems = sources[len(written)].diagnose()
        raise InvalidRecord(problems or invalid.problems) from invalid
    return written


def _clashing(db: Database, source: Source, *, earlier: bool) -> dict[int, tuple[str, str]]:
    """The rows of tickers whose CUSIP is another's, by their number: the field and the reason of each.

    Once they are left out, an earlier row of the same ticker is its last, and may clash too.

    :param earlier: whether the load has an earlier file of tickers, whose rows look like the database's.
    """
    if "cusip" in source.absent:
        return {}
    there = db.tickers.all()
    rows = [(number, values[0], values[2]) for number, values in source.numbered()]
    found: dict[int, Clash] = {}
    while more := clashes(there, rows, found):
        found.update((clash.row, clash) for clash in more)
        if source.rejects is None:  # these are not left out, and nothing takes their place
            break
    lines = source.lines({clash.owner_row for clash in found.values() if clash.owner_row is not None})
    told = {}
    elsewhere = "in the database" + (" or an earlier file" if earlier else "")
    for row, clash in sorted(found.items()):
        place = elsewhere if clash.owner_row is None else f"on line {lines[clash.owner_row]}"
        told[row] = ("cusip", clash.reason(place))
    return told
