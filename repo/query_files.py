"""Reads files of SQL, through aiosql, into queries.

A query is written so::

    -- name: history(symbol, start, end)
    -- record_class: Bar
    -- What it answers, for whom. Index: what serves it.
    SELECT ... WHERE m.date >= CAST(:start AS date) ...

``record_class`` names one of the package's records, or declares one with its columns:
``-- record_class: Momentum(symbol: str, date: date, change: float | None)``. A query that returns rows
has one, even for a single value, and its rows are held to these columns. Every parameter is in a cast
somewhere, and calls are held to that type. A ``*!`` query that is a COPY has no list of parameters
beside its name: its columns are that list.

A query named ``frame`` is read in columns, into an Arrow table; in PostgreSQL's variant a column may be
an array of the values of several rows, which is sent in a fraction of the time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from keyword import iskeyword
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiosql.query_loader import QueryLoader
from aiosql.types import QueryDatum, SQLOperationType
from aiosql.utils import SQLLoadException, SQLParseException

from repo import records
from repo.errors import QueryContractError
from repo.parameters import declared
from repo.queries import DIALECTS, OPERATORS, Query

_COLUMN_TYPES: Final[Mapping[str, type]] = {
    "str": str,
    "int": int,
    "float": float,
    "date": date,
    "datetime": datetime,
}
_HEADER: Final = re.compile(
    r"^(?P<name>--[^\S\n]*name[^\S\n]*:[^\n]*\n?)(?P<record>[^\S\n]*--[^\S\n]*record_class[^\n]*)?",
    re.MULTILINE,
)
_RECORD: Final = re.compile(r"--\s*record_class\s*:\s*(?P<name>\w+)\s*(?:\((?P<columns>[^)]*)\))?\s*$")
_COLUMN: Final = re.compile(r"(?P<name>[a-z_]\w*)\s*:\s*(?P<type>\w+)\s*(?P<null>\|\s*None)?")
_COPY: Final = re.compile(r"COPY\s+\w+\s*\((?P<columns>[^)]*)\)\s+FROM\s+STDIN", re.IGNORECASE)
_ENGINE: Final = "engine"
_RECORDS_REMEMBERED: Final = 512


class _AsWritten:
    """The adapter used while reading files: SQL stays as its author wrote it."""

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        return sql


class _Header(NamedTuple):
    """Where a query begins, and the line below its name that declares a record, if any."""

    line: int
    record: str | None


def _headers(text: str) -> tuple[str, list[_Header]]:
    """A file without its ``record_class`` lines, and the headers of its queries.

    aiosql keeps no columns of records, so these lines are read here. A blank line replaces each, so that
    the lines in aiosql's messages are those of the file.
    """
    found: list[_Header] = []
    line, counted = 1, 0

    def without_record(header: re.Match[str]) -> str:
        nonlocal line, counted
        line += text.count("\n", counted, header.start())
        counted = header.start()
        found.append(_Header(line, header["record"]))
        return header["name"]

    return _HEADER.sub(without_record, text), found


def _record(line: str) -> type[Any]:
    """The record that a line of a header declares."""
    found = _RECORD.match(line.strip())
    if found is None:
        raise QueryContractError(f"cannot read {line.strip()!r}")
    name, columns = found["name"], found["columns"]
    if columns is not None:
        return _declared_record(name, columns)
    record: type[Any] | None = getattr(records, name, None)
    if record is None or not hasattr(record, "_fields"):
        raise QueryContractError(
            f"there is no record {name!r}; declare it with its columns: {name}(column: type, ...)"
        )
    return record


@lru_cache(maxsize=_RECORDS_REMEMBERED)
def _declared_record(name: str, text: str) -> type[Any]:
    """Make a named tuple from ``symbol: str, change: float | None``."""
    fields: list[tuple[str, Any]] = []
    for part in text.split(","):
        found = _COLUMN.fullmatch(part.strip())
        if found is None or found["type"] not in _COLUMN_TYPES:
            known = ", ".join(_COLUMN_TYPES)
            raise QueryContractError(
                f"cannot read the column {part.strip()!r} of {name}; a column is 'name: type' or "
                f"'name: type | None', and the types are {known}"
            )
        kind = _COLUMN_TYPES[found["type"]]
        fields.append((found["name"], kind | None if found["null"] else kind))
    try:
        record: type[Any] = NamedTuple(name, fields)  # type: ignore[misc]  # fields known at run time
    except ValueError as error:  # a keyword or reserved name of Python, or a name twice
        raise QueryContractError(f"{name} cannot have these columns: {error}") from error
    return record


class QueryFile(NamedTuple):
    """A file of queries as it was when it was read."""

    path: str
    dialect: str | None
    text: str
    own: bool
    engine_only: bool

    @property
    def aggregate(self) -> str:
        """The file's name without its ending."""
        return Path(self.path).stem


def files_of(
    folder: Path, *, own: bool = False, refused: dict[Path, QueryContractError] | None = None
) -> tuple[QueryFile, ...]:
    """The files of a folder of queries, the portable ones first, each by name.

    :param own: whether they are the package's own.
    :param refused: where it is given, it is filled with the errors of single files, and none is raised.
    :raises QueryContractError: for a folder or file that cannot be read, and files in other folders.
    """
    found: list[QueryFile] = []
    wrong: dict[Path, QueryContractError] = {}
    try:
        if not folder.is_dir():
            raise QueryContractError(f"{folder} is not a folder of queries")
        found += _files(folder, None, wrong, own=own, inside=DIALECTS)
        for dialect in DIALECTS:
            found += _files(folder / dialect, dialect, wrong, own=own, inside=[_ENGINE])
        for dialect in DIALECTS:
            found += _files(folder / dialect / _ENGINE, dialect, wrong, own=own, engine_only=True)
    except OSError as error:
        raise QueryContractError(f"cannot read {folder}: {error.strerror}") from error
    if refused is not None:
        refused |= wrong
    elif wrong:
        raise next(iter(wrong.values()))
    return tuple(found)


def _files(
    folder: Path,
    dialect: str | None,
    wrong: dict[Path, QueryContractError],
    *,
    own: bool,
    inside: Sequence[str] = (),
    engine_only: bool = False,
) -> Iterator[QueryFile]:
    """The files of one folder; ``inside`` are the names of folders in it that may hold files too.

    :param wrong: is filled with what is wrong with other entries.
    """
    for entry in _entries(folder) if dialect is None or folder.is_dir() else ():
        path = folder / entry.name
        if _is_sql(entry):
            try:
                yield QueryFile(str(path), dialect, _text(path, entry), own, engine_only)
            except QueryContractError as error:
                wrong[path] = error
        elif entry.is_dir() and entry.name not in inside and any(map(_is_sql, _entries(entry))):
            known = (
                f"the folders of dialects are {', '.join(DIALECTS)}"
                if dialect is None
                else f"queries for {dialect} alone are in {dialect}/{_ENGINE}/*.sql"
            )
            wrong[path] = QueryContractError(f"{path}: {known}")


def _entries(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_sql(entry: os.DirEntry[str]) -> bool:
    return os.path.normcase(entry.name).endswith(".sql")


def _text(path: Path, entry: os.DirEntry[str]) -> str:
    if not entry.is_file():  # a folder, a broken link, or a pipe, which would block
        raise QueryContractError(f"{path} is not a regular file")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise QueryContractError(f"{path}: {error}") from error
    except OSError as error:
        raise QueryContractError(f"cannot read {path}: {error.strerror}") from error


def read(file: QueryFile) -> Iterator[Query]:
    """The queries of a file.

    :raises QueryContractError: for a query that cannot be read, when the queries before it were given.
    """
    # The adapter has only what aiosql calls while it reads. The None is for classes of records, which
    # aiosql calls deprecated and yet asks for. Without attribute, :a.b would be a parameter.
    loader = QueryLoader(_AsWritten(), None, attribute=None)  # type: ignore[arg-type]
    path = Path(file.path)
    text, headers = _headers(file.text)
    try:
        data = loader.load_query_data_from_sql(text, [path.stem], path)
    except (SQLParseException, SQLLoadException, ValueError) as error:
        # A ValueError is for a name that is no identifier.
        raise QueryContractError(f"{path}: {error}") from error
    # aiosql's own line numbers leave out block comments, so those of the headers are used.
    if len(headers) != len(data):
        raise QueryContractError(f"{path}: a '-- name:' is inside a statement or a comment")
    for datum, header in zip(data, headers, strict=True):
        try:
            yield _as_query(datum, file, path, header)
        except (QueryContractError, ValueError) as error:
            raise QueryContractError(f"{path}:{header.line}: {error}") from error.__cause__


def _as_query(datum: QueryDatum, file: QueryFile, path: Path, header: _Header) -> Query:
    name = datum.query_name.rpartition(".")[2]
    for each in (path.stem, name):
        if iskeyword(each):
            raise QueryContractError(
                f"{each!r} is a keyword of Python, which cannot be written in a call"
            )
    operator = OPERATORS.get(datum.operation_type)
    if operator is None:
        raise QueryContractError("scripts ('#') commit behind a transaction's back; use '!'")
    parameters = _parameters(datum)
    if not datum.doc_comments.strip():
        raise QueryContractError(
            "a comment must say what the query answers, for whom, and by which index"
        )
    types = declared(datum.sql)
    return Query(
        aggregate=path.stem,
        name=name,
        dialect=file.dialect,
        operator=operator,
        parameters=parameters,
        record=None if header.record is None else _record(header.record),
        comment=datum.doc_comments,
        sql=datum.sql,
        file=path,
        line=header.line,
        # In the order of the parameters, because rows are bound by position.
        types={name: types[name] for name in parameters if name in types},
        engine_only=file.engine_only,
    )


def _parameters(datum: QueryDatum) -> tuple[str, ...]:
    """The parameters that a query declares: a COPY by its columns, any other beside its name."""
    if datum.parameters is not None:
        return tuple(datum.parameters)
    copy = _COPY.match(datum.sql)
    if copy is None:
        raise QueryContractError("the parameter list is missing, '()' if there is none")
    return tuple(column.strip() for column in copy["columns"].split(","))


def split(file: QueryFile) -> Iterator[QueryFile]:
    """A file cut into one for each query, whose lines keep their numbers."""
    starts = [header.start() for header in _HEADER.finditer(file.text)]
    for start, end in zip(starts, [*starts[1:], len(file.text)], strict=True):
        blank = "\n" * file.text.count("\n", 0, start)
        yield file._replace(text=blank + file.text[start:end])
