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
empty cell is NULL. Dates are YYYY-MM-DD or YYYYMMDD, numbers have a decimal point and no separators,
and a whole number may be written 467700.0.

A Parquet file (with the extra ``arrow``) has values instead of cells: what cannot be a field's without
loss is refused, and text is taken as it is. Its lines, in errors, are the numbers of its rows.

The name of a file says what it holds (tickers, institutions, market, holdings or sentiment, and the
ending), or else its columns do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from repo import migrations
from repo.database import Database
from repo.delimited.rejects import Rejects
from repo.delimited.source import FileSource, LoadProgress
from repo.errors import ConfigurationError
from repo.loading.sources import Contents, check_name, contents, open_sources
from repo.loading.writing import Load
from repo.showing import short
from repo.tables import TABLES
from repo.validation import argument

__all__ = ["Contents", "LoadProgress", "Loaded", "contents", "load"]


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
    progress: LoadProgress | None = None,
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
    :raises ConfigurationError: for files that cannot be read, columns that are not known, and options
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
    if rejects is not None:
        check_name(rejects)
    try:
        sources = open_sources(path, kind, symbol, mapping or {}, progress, on_other)
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
        written = Load(db, sources, symbol, boxes, strict=strict).write()
        for outbox in outboxes.values():
            outbox.publish(if_empty=rejects is not None)
    return [
        _loaded(source, count, always=rejects is not None)
        for source, count in zip(sources, written, strict=True)
    ]


def _loaded(source: FileSource, written: int, *, always: bool) -> Loaded:
    """What was done with a file; with ``always`` it has a reject file even if no row was rejected."""
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


def _reject_path(
    source: FileSource, rejects: str | os.PathLike[str] | None, inputs: Iterable[FileSource]
) -> Path:
    """The reject file of a file, which must not be one of those being loaded."""
    target = Path(f"{source.file.path.name}.rejects.csv" if rejects is None else rejects)
    for other in inputs:
        if target.exists() and target.samefile(other.file.path):
            raise ConfigurationError(f"{target} is being loaded; rejected rows must go elsewhere")
    return target
