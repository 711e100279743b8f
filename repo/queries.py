"""Loads ``queries/`` through aiosql and holds it to the contract of both dialects.

A folder of queries has ``<aggregate>.sql`` for what runs unchanged on both engines, and
``sqlite/<aggregate>.sql`` and ``postgresql/<aggregate>.sql`` for what must differ. A name has one
portable statement or exactly one in each dialect; anything else is refused here, with both files
named: of an application's files by :func:`load`, of the package's own when a query of the file is first
asked for. What only one engine has to be asked stands in ``<dialect>/engine/<noun>.sql``, has no
counterpart, and is for that engine's backend. A query is written so::

    -- name: history(symbol, start, end)
    -- record_class: Bar
    -- What it answers, for whom. Index: what serves it.
    SELECT ... WHERE m.date >= CAST(:start AS date) ...

``record_class`` names one of the package's records, or declares one of its own with its columns:
``-- record_class: Momentum(symbol: str, date: date, change: float | None)``. A query that returns rows
has one, a single value's too, and every parameter stands in a cast somewhere, for what a call gives is
held to that type and what comes back to these columns. A ``*!`` query that is a COPY has no list of
parameters beside its name: its columns are that list.

A query named ``frame`` is read in columns, into an Arrow table; in PostgreSQL's variant a column may be
an array of the values of several rows, which is sent in a fraction of the time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache, partial, reduce
from pathlib import Path
from typing import Any, Final, NamedTuple, get_type_hints

from aiosql.query_loader import QueryLoader
from aiosql.types import QueryDatum, SQLOperationType
from aiosql.utils import SQLLoadException, SQLParseException

from repo import records
from repo.errors import QueryContractError
from repo.parameters import Declared, agreed, declared, list_form
from repo.statements import misuse

__all__ = [
    "DIALECTS",
    "OPERATORS",
    "Catalogue",
    "Column",
    "Query",
    "columns_of",
    "load",
    "many_rows",
    "rows_together",
    "shipped",
    "survey",
    "with_rows",
]

DIALECTS: Final = ("sqlite", "postgresql")

OPERATORS: Final[Mapping[SQLOperationType, str]] = {
    SQLOperationType.SELECT: "",
    SQLOperationType.SELECT_ONE: "^",
    SQLOperationType.SELECT_VALUE: "$",
    SQLOperationType.INSERT_UPDATE_DELETE: "!",
    SQLOperationType.INSERT_UPDATE_DELETE_MANY: "*!",
    SQLOperationType.INSERT_RETURNING: "<!",
}
"""What stands behind a query's name, of the operations there are: scripts are none."""

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
_RETURNING: Final = re.compile(r"\bRETURNING\b", re.IGNORECASE)
_DEFINES: Final = re.compile(r"\s*(create|drop|alter)\b", re.IGNORECASE)
_VALUES: Final = re.compile(r"\bVALUES\s*(?P<row>\(\s*:\w+(?:\s*,\s*:\w+)*\s*\))", re.IGNORECASE)
_NAME: Final = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_COPY: Final = re.compile(r"COPY\s+\w+\s*\((?P<columns>[^)]*)\)\s+FROM\s+STDIN", re.IGNORECASE)
_STAGE: Final = re.compile(r"\b[a-z_]+_stage\b")
_NEEDS: Final = re.compile(r"\bNeeds:\s+(?P<relation>\w+)")
_ENGINE: Final = "engine"
_FILES_REMEMBERED: Final = 128
_RECORDS_REMEMBERED: Final = 512


class Column(NamedTuple):
    """One column of a query's rows."""

    name: str
    type: type
    nullable: bool


@dataclass(frozen=True, slots=True)
class Query:
    """One named statement as it stands in a file, for one dialect or for both (None)."""

    aggregate: str
    name: str
    dialect: str | None
    operator: str
    parameters: tuple[str, ...]
    record: type[Any] | None
    comment: str
    sql: str
    file: Path
    line: int
    types: Mapping[str, Declared]
    engine_only: bool = False

    @property
    def full_name(self) -> str:
        """``aggregate.name``."""
        return f"{self.aggregate}.{self.name}"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The declared columns of its rows; none where no record is declared."""
        return columns_of(self.record) if self.record is not None else ()

    @property
    def location(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"

    @property
    def writes(self) -> bool:
        """Whether it may change rows: by its operator, or since it says what a write returns."""
        return self.operator.endswith("!") or _RETURNING.search(self.sql) is not None

    @property
    def defines(self) -> bool:
        """Whether it makes or drops what other statements are about."""
        return _DEFINES.match(self.sql) is not None

    @property
    def aside(self) -> bool:
        """Whether it is about rows that the package's own writes set aside in a table."""
        return self.ours and _STAGE.search(self.sql) is not None

    @property
    def ours(self) -> bool:
        """Whether it is the package's own."""
        return self.file.is_relative_to(shipped("queries"))

    @property
    def framed(self) -> bool:
        """Whether it is read in columns, as a query named ``frame`` is: see the module."""
        return self.name == "frame"

    @property
    def answers(self) -> bool:
        """Whether it returns rows."""
        return not self.operator.endswith("!") or self.operator == "<!"

    @property
    def needs(self) -> str | None:
        """The relation without which an engine cannot prepare it, where not every database has that."""
        found = _NEEDS.search(self.comment)
        return None if found is None else found["relation"]

    @property
    def bare(self) -> bool:
        """Whether it lacks the types of parameters, or the columns of rows.

        Only the package's own writes may: their values come from records, as the engine stores them, and
        their rows go no further.
        """
        untyped = any(name not in self.types for name in self.parameters)
        return untyped or (self.answers and self.record is None)

    @property
    def contract(self) -> dict[str, object]:
        """What must be equal in both variants."""
        record = None if self.record is None else (self.record.__name__, self.columns)
        return {"operator": self.operator, "parameters": self.parameters, "record": record}


def columns_of(record: type[Any]) -> tuple[Column, ...]:
    """The columns of a record, from its fields' types."""
    return _columns(record)  # type: ignore[arg-type]  # a class can be hashed, but mypy denies it


@lru_cache(maxsize=_RECORDS_REMEMBERED)
def _columns(record: type[Any]) -> tuple[Column, ...]:
    hints = get_type_hints(record)
    columns = []
    for name in record._fields:
        members = getattr(hints[name], "__args__", (hints[name],))
        plain = [member for member in members if member is not type(None)]
        columns.append(Column(name, plain[0], len(plain) < len(members)))
    return tuple(columns)


class _AsWritten:
    """The adapter used while reading files: SQL stays as its author wrote it."""

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        return sql


class _Header(NamedTuple):
    """Where a query begins, and the line below its name that declares a record, if one does."""

    line: int
    record: str | None


def _headers(text: str) -> tuple[str, list[_Header]]:
    """A file without its lines of records, and the headers of its queries.

    aiosql passes over a record that it does not know, and keeps no columns; so these lines are read
    here. A blank line stands in place of each, and the lines of its messages stay those of the file.
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
    """The record that a line of a header declares.

    :raises QueryContractError: where there is none of that name, or the columns cannot be read.
    """
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
    except ValueError as error:  # a keyword of Python's, a name twice, or one that it reserves
        raise QueryContractError(f"{name} cannot have these columns: {error}") from error
    return record


class _Source(NamedTuple):
    """A file of queries as it is at this moment."""

    file: str
    dialect: str | None
    text: str
    own: bool
    engine_only: bool

    @property
    def aggregate(self) -> str:
        """The file's name without its ending."""
        return Path(self.file).stem


def _sources(folder: Path, *, own: bool = False) -> tuple[_Source, ...]:
    """The files of a folder, those of both dialects first, each by name."""
    found: list[_Source] = []
    try:
        if not folder.is_dir():
            raise QueryContractError(f"{folder} is not a folder of queries")
        found += _files(folder, None, own=own, inside=DIALECTS)
        for dialect in DIALECTS:
            found += _files(folder / dialect, dialect, own=own, inside=[_ENGINE])
        for dialect in DIALECTS:
            found += _files(folder / dialect / _ENGINE, dialect, own=own, engine_only=True)
    except OSError as error:
        raise QueryContractError(f"cannot read {folder}: {error.strerror}") from error
    return tuple(found)


def _files(
    folder: Path,
    dialect: str | None,
    *,
    own: bool,
    inside: Sequence[str] = (),
    engine_only: bool = False,
) -> Iterator[_Source]:
    """The files of one folder of those that may hold some; ``inside`` are those that may lie in it.

    :raises QueryContractError: where there are files in another.
    """
    for entry in _entries(folder) if dialect is None or folder.is_dir() else ():
        if _is_sql(entry):
            path = folder / entry.name
            yield _Source(str(path), dialect, _text(path, entry), own, engine_only)
        elif entry.is_dir() and entry.name not in inside and any(map(_is_sql, _entries(entry))):
            known = (
                f"the folders of dialects are {', '.join(DIALECTS)}"
                if dialect is None
                else f"what only {dialect} is asked stands in {dialect}/{_ENGINE}/*.sql"
            )
            raise QueryContractError(f"{folder / entry.name}: {known}")


def _entries(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_sql(entry: os.DirEntry[str]) -> bool:
    return os.path.normcase(entry.name).endswith(".sql")


def _text(path: Path, entry: os.DirEntry[str]) -> str:
    if not entry.is_file():  # a folder, a link to nothing, or a pipe whose other end would be waited for
        raise QueryContractError(f"{path} is not a regular file")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise QueryContractError(f"{path}: {error}") from error
    except OSError as error:
        raise QueryContractError(f"cannot read {path}: {error.strerror}") from error


@lru_cache(maxsize=_FILES_REMEMBERED)
def _queries_of(sources: tuple[_Source, ...]) -> Mapping[str, Mapping[str, Query]]:
    """The queries of one aggregate by full name and dialect, held to the contract.

    They are remembered by what stands in the files: those are read in a fraction of the time that
    parsing takes, and no change is missed, as one of the same size within a tick of the clock would be
    by size and time. Nothing is changed once it is made, so that databases, threads and children of a
    fork share it; two threads at once may do the work twice, and wait for nobody.
    """
    # The adapter has no more than what aiosql calls while it reads. The None is for classes of records,
    # which aiosql says are deprecated, and asks for here. Without attribute, :a.b is no parameter.
    loader = QueryLoader(_AsWritten(), None, attribute=None)  # type: ignore[arg-type]
    read = [(source, query) for source in sources for query in _read(loader, source)]
    grouped = _check(query for _, query in read)
    for name in dict.fromkeys(query.full_name for source, query in read if not source.own):
        for query in grouped[name].values():
            _hold(query)
    return grouped


def _read(loader: QueryLoader, source: _Source) -> Iterator[Query]:
    path = Path(source.file)
    text, headers = _headers(source.text)
    try:
        data = loader.load_query_data_from_sql(text, [path.stem], path)
    except (SQLParseException, SQLLoadException, ValueError) as error:
        # A ValueError is of a name that Python cannot have.
        raise QueryContractError(f"{path}: {error}") from error
    # aiosql counts lines in the text without its block comments; the headers' own are exact.
    if len(headers) != len(data):
        raise QueryContractError(f"{path}: a '-- name:' stands inside a statement or a comment")
    for datum, header in zip(data, headers, strict=True):
        try:
            yield _as_query(datum, source, path, header)
        except (QueryContractError, ValueError) as error:
            raise QueryContractError(f"{path}:{header.line}: {error}") from error.__cause__


def _as_query(datum: QueryDatum, source: _Source, path: Path, header: _Header) -> Query:
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
        name=datum.query_name.rpartition(".")[2],
        dialect=source.dialect,
        operator=operator,
        parameters=parameters,
        record=None if header.record is None else _record(header.record),
        comment=datum.doc_comments,
        sql=datum.sql,
        file=path,
        line=header.line,
        # In the order of the parameters, for rows are bound by position.
        types={name: types[name] for name in parameters if name in types},
        engine_only=source.engine_only,
    )


def _parameters(datum: QueryDatum) -> tuple[str, ...]:
    """The parameters that a query declares: a COPY by its columns, any other beside its name."""
    if datum.parameters is not None:
        return tuple(datum.parameters)
    copy = _COPY.match(datum.sql)
    if copy is None:
        raise QueryContractError("the parameter list is missing, '()' if there is none")
    return tuple(column.strip() for column in copy["columns"].split(","))


def _check(queries: Iterable[Query]) -> dict[str, dict[str, Query]]:
    """Group by full name and dialect; raise for what breaks the contract."""
    grouped: dict[str, dict[str, Query]] = {}
    for query in queries:
        variants = grouped.setdefault(query.full_name, {})
        for dialect in DIALECTS if query.dialect is None else (query.dialect,):
            if dialect in variants:
                raise QueryContractError(
                    f"{query.full_name} is there twice for {dialect}: "
                    f"{variants[dialect].location} and {query.location}"
                )
            variants[dialect] = query
    for name, variants in grouped.items():
        first, *rest = _in_every_dialect(name, variants)
        for other in rest:
            for what, value in first.contract.items():
                if value != other.contract[what]:
                    raise QueryContractError(
                        f"{name}: the {what} differs: {value!r} in {first.location}, "
                        f"{other.contract[what]!r} in {other.location}"
                    )
        types = _types([first, *rest])
        grouped[name] = {
            dialect: query if query.types == types else replace(query, types=types)
            for dialect, query in variants.items()
        }
    return grouped


def _in_every_dialect(name: str, variants: Mapping[str, Query]) -> list[Query]:
    """The variants of a query in the order of the dialects.

    :raises QueryContractError: where one is missing, and where an engine's own is in several.
    """
    alone = [each for each in variants.values() if each.engine_only]
    if alone and len(variants) == 1:
        return alone
    if alone:
        where = " and ".join(each.location for each in variants.values())
        raise QueryContractError(
            f"{name} is in {where}: what is there in every dialect is written as variants, "
            f"in {', '.join(f'{each}/*.sql' for each in DIALECTS)}"
        )
    for dialect in DIALECTS:
        if dialect not in variants:
            other = next(iter(variants.values()))
            wanted = other.file.parent.parent / dialect / other.file.name
            raise QueryContractError(f"{name} is in {other.location}, but not in {wanted}")
    return [variants[dialect] for dialect in DIALECTS]


def _types(variants: Sequence[Query]) -> dict[str, Declared]:
    """The types of the parameters, on which all variants must agree."""
    types = {}
    for name in variants[0].parameters:
        found = [each.types[name] for each in variants if name in each.types]
        if not found:
            continue
        try:
            types[name] = reduce(partial(agreed, name), found)
        except ValueError as error:
            where = " and ".join(dict.fromkeys(each.location for each in variants))
            raise QueryContractError(f"{where}: {error}") from None
        if not types[name].type:
            raise QueryContractError(
                f"{variants[-1].location}: :{name} is a list on SQLite; cast it on PostgreSQL, as in "
                f"= ANY(CAST(:{name} AS text []))"
            )
    return types


def _hold(query: Query) -> None:
    """Check of an application's query what the package's own writes need not keep.

    :raises QueryContractError: for a parameter without a type, rows without a record, and what means
        something else on each engine: see :mod:`repo.statements`.
    """
    for name in query.parameters:
        if name not in query.types:
            listed = re.search(rf"\bIN\s*\(\s*:{name}\s*\)", query.sql, re.IGNORECASE)
            form = f"write CAST(:{name} AS type), for calls are held to that type"
            if listed:
                form = list_form(name, "text")
            raise QueryContractError(f"{query.location}: :{name} has no type; {form}")
    if query.answers and query.record is None:
        raise QueryContractError(
            f"{query.location}: a query that returns rows says of which columns: "
            f"-- record_class: Name(column: type, other: type | None)"
        )
    columns = [(column.name, column.type) for column in query.columns]
    if wrong := misuse(query.sql, columns, answers=query.answers):
        raise QueryContractError(f"{query.location}: {wrong}")


class Catalogue:
    """Every query of some folders; :mod:`repo.binding` makes them callable on an engine.

    A file of the package's own is parsed when a query of it is first asked for, since a program uses
    few of them, and tests have held them all to the contract; those of an application are parsed by
    :func:`load`.
    """

    def __init__(self, sources: Iterable[_Source]) -> None:
        """Take the files, which are those of one aggregate where they have one name."""
        self._files: dict[str, tuple[_Source, ...]] = {}
        for source in sources:
            self._files[source.aggregate] = (*self._files.get(source.aggregate, ()), source)
        self._parsed: dict[str, Mapping[str, Mapping[str, Query]]] = {}

    def __contains__(self, full_name: object) -> bool:
        return isinstance(full_name, str) and full_name in self._of(full_name.rpartition(".")[0])

    def _of(self, aggregate: str) -> Mapping[str, Mapping[str, Query]]:
        try:
            return self._parsed[aggregate]
        except KeyError:
            if aggregate not in self._files:
                return {}
            found = self._parsed[aggregate] = _queries_of(self._files[aggregate])
            return found

    def aggregates(self, dialect: str | None = None) -> list[str]:
        """The names of the files with queries in them, without their endings, sorted.

        :param dialect: without those that are of other engines alone; None is all.
        """
        return sorted(
            each
            for each, sources in self._files.items()
            if self._parsed.get(each) != {}
            and (dialect is None or any(source.dialect in (None, dialect) for source in sources))
        )

    def names(self, aggregate: str | None = None, dialect: str | None = None) -> list[str]:
        """The full names, sorted; those of one file, or all.

        :param dialect: with this engine's own among them; None is what every engine is asked.
        """
        wanted = self._files if aggregate is None else [aggregate]
        return sorted(
            name
            for each in wanted
            for name, variants in self._of(each).items()
            if (len(variants) > 1 if dialect is None else dialect in variants)
        )

    def query(self, full_name: str, dialect: str) -> Query:
        """One query as it stands for a dialect.

        :raises QueryContractError: when there is none of that name, or another engine's.
        """
        variants = self._of(full_name.rpartition(".")[0]).get(full_name, {})
        if dialect in variants:
            return variants[dialect]
        others = ", ".join(f"{each} has one, in {query.location}" for each, query in variants.items())
        also = f": only {others}" if others else ""
        raise QueryContractError(f"there is no query {full_name} for {dialect}{also}")


def many_rows(name: str) -> str:
    """The name of the many-row form of a ``*!`` query, which no query of a file can have."""
    return f"{name}, many rows"


def rows_together(values: int, columns: int) -> int:
    """How many rows of so many columns a statement takes that is given so many values; 0 for one row."""
    rows = values // columns if columns else 0
    return rows if rows > 1 else 0


def with_rows(query: Query, rows: int) -> Query | None:
    """A ``*!`` query that takes so many rows at once, their values side by side; None for another.

    Its ``VALUES (:a, :b)`` is repeated as it stands in its file, and nothing else is done to it. It has
    to have all of the query's parameters and each of them once, for they are bound by position.
    """
    found = _VALUES.findall(query.sql)
    if query.operator != "*!" or len(found) != 1 or not rows:
        return None
    (row,) = found
    if not _NAME.findall(query.sql) == _NAME.findall(row) == [*query.parameters]:
        return None
    return replace(query, sql=query.sql.replace(row, ", ".join([row] * rows)))


def shipped(folder: str) -> Path:
    """Where the package's own ``queries`` or ``schema`` is: in the wheel, or in the checkout."""
    inside = Path(__file__).parent / "sql" / folder
    return inside if inside.is_dir() else Path(__file__).parent.parent / folder


def load(folders: Sequence[Path | str] = ()) -> Catalogue:
    """Read the package's queries and those of an application's folders, and check them together.

    The files are read every time, and parsed once in a process as long as they say the same.

    :raises QueryContractError: naming the files, for a duplicate, a missing variant, variants that
        differ in operator, parameters, their types or record, a parameter without a type, rows without
        a record, a missing comment, a name of the package's own, or SQL that aiosql cannot read.
    """
    own = _sources(shipped("queries"), own=True)
    others = [source for folder in folders for source in _sources(Path(folder))]
    catalogue, package = Catalogue([*own, *others]), Catalogue(own)
    theirs = sorted({source.aggregate for source in others})
    for aggregate in theirs:
        catalogue.names(aggregate)  # which parses and checks them
    if shared := [each for each in theirs if each in package.aggregates()]:
        _refuse_own_names(catalogue, package, shared)
    return catalogue


def survey(
    folder: Path, *, own: bool = False
) -> tuple[dict[str, dict[str, Query]], list[QueryContractError]]:
    """A folder's queries by full name and dialect as far as they can be read, and all that is wrong.

    :param own: whether they are the package's own, of which less is asked.
    """
    loader = QueryLoader(_AsWritten(), None, attribute=None)  # type: ignore[arg-type]
    read: list[Query] = []
    wrong: list[QueryContractError] = []
    for source in _sources(folder):
        try:
            read.extend(list(_read(loader, source)))
        except QueryContractError:
            for each in _one_by_one(source):
                try:
                    read.extend(_read(loader, each))
                except QueryContractError as error:
                    wrong.append(error)
    found: dict[str, dict[str, Query]] = {}
    for name in dict.fromkeys(query.full_name for query in read):
        variants = [query for query in read if query.full_name == name]
        try:
            (found[name],) = _check(variants).values()
            for query in () if own else found[name].values():
                _hold(query)
        except QueryContractError as error:
            wrong.append(error)
            found[name] = {
                dialect: query
                for query in variants
                for dialect in (DIALECTS if query.dialect is None else (query.dialect,))
            }
    return found, wrong


def _one_by_one(source: _Source) -> Iterator[_Source]:
    """A file as one for each of its queries, which stands on the line that it stood on."""
    starts = [header.start() for header in _HEADER.finditer(source.text)]
    for start, end in zip(starts, [*starts[1:], len(source.text)], strict=True):
        blank = "\n" * source.text.count("\n", 0, start)
        yield source._replace(text=blank + source.text[start:end])


def _refuse_own_names(catalogue: Catalogue, package: Catalogue, shared: Iterable[str]) -> None:
    """Refuse queries that an application adds to a file of the package's by a name that is looked for.

    :raises QueryContractError: naming the first of them.
    """
    reserved = {name.rpartition(".")[2] for each in DIALECTS for name in package.names(dialect=each)}
    for aggregate in shared:
        queries = [
            catalogue.query(name, dialect)
            for dialect in DIALECTS
            for name in catalogue.names(aggregate, dialect)
        ]
        for query in queries:
            name = query.full_name
            if name not in package and query.name in reserved:
                raise QueryContractError(
                    f"{query.location}: {name} is a name of the package's own; choose another name, or "
                    "another file"
                )
