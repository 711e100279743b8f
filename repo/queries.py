"""Loads ``queries/`` through aiosql and holds it to the contract of both dialects.

A folder of queries has ``<aggregate>.sql`` for what runs unchanged on both engines, and
``sqlite/<aggregate>.sql`` and ``postgresql/<aggregate>.sql`` for what must differ. A name has one
portable statement or exactly one in each dialect; anything else is refused here, at load time, with
both files named. A query is written so::

    -- name: history(symbol, start, end)
    -- record_class: Bar
    -- What it answers, for whom. Index: what serves it.
    SELECT ... WHERE m.date >= CAST(:start AS date) ...

``record_class`` names one of the package's records, or declares one of its own with its columns:
``-- record_class: Momentum(symbol: str, date: date, change: float | None)``. A query that returns rows
has one, a single value's too, and every parameter stands in a cast somewhere, for what a call gives is
held to that type and what comes back to these columns.

A query named ``frame`` is read in columns, into an Arrow table; in PostgreSQL's variant a column may be
an array of the values of several rows, which is sent in a fraction of the time.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, get_type_hints

from aiosql.query_loader import QueryLoader
from aiosql.types import QueryDatum, SQLOperationType
from aiosql.utils import SQLLoadException, SQLParseException

from repo import records
from repo.errors import QueryContractError
from repo.parameters import Coding, Declared, agreed, coder, declared, list_form, row_coder
from repo.statements import misuse

__all__ = [
    "DIALECTS",
    "Adapter",
    "Catalogue",
    "Column",
    "Query",
    "Runs",
    "columns_of",
    "load",
    "many_rows",
    "rows_together",
    "sent",
    "shipped",
    "with_rows",
]

DIALECTS: Final = ("sqlite", "postgresql")

_OPERATORS: Final = {
    SQLOperationType.SELECT: "",
    SQLOperationType.SELECT_ONE: "^",
    SQLOperationType.SELECT_VALUE: "$",
    SQLOperationType.INSERT_UPDATE_DELETE: "!",
    SQLOperationType.INSERT_UPDATE_DELETE_MANY: "*!",
    SQLOperationType.INSERT_RETURNING: "<!",
}
_COLUMN_TYPES: Final[Mapping[str, type]] = {
    "str": str,
    "int": int,
    "float": float,
    "date": date,
    "datetime": datetime,
}
_HEADER: Final = re.compile(r"--\s*name\s*:")
_RECORD: Final = re.compile(r"--\s*record_class\s*:\s*(?P<name>\w+)\s*(?:\((?P<columns>[^)]*)\))?\s*$")
_COLUMN: Final = re.compile(r"(?P<name>[a-z_]\w*)\s*:\s*(?P<type>\w+)\s*(?P<null>\|\s*None)?")
_RETURNING: Final = re.compile(r"\bRETURNING\b", re.IGNORECASE)
_DEFINES: Final = re.compile(r"\s*(create|drop|alter)\b", re.IGNORECASE)
_VALUES: Final = re.compile(r"\bVALUES\s*(?P<row>\(\s*:\w+(?:\s*,\s*:\w+)*\s*\))", re.IGNORECASE)
_NAME: Final = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_COPY: Final = re.compile(r"COPY\s+\w+\s*\((?P<columns>[^)]*)\)\s+FROM\s+STDIN", re.IGNORECASE)


Runs = Callable[..., Any]
"""A query bound to an engine: called with a connection, and with parameters or rows."""


class Column(NamedTuple):
    """One column of a query's rows."""

    name: str
    type: type
    nullable: bool


class Adapter(Protocol):
    """What a backend gives aiosql: how SQL is written and run on its driver.

    Parameters come checked and coded, as ``coding`` says; so do the rows of a ``*!`` query, by position.
    Rows are held to the columns that :meth:`shape` was told of: QueryContractError names the query and
    its place where the names, their order or the types are others.

    ``values_a_statement`` is how many values a statement is best given that takes many rows at once.

    These are aiosql's adapter methods, by its names, and :meth:`shape` beside them.
    """

    coding: Coding
    values_a_statement: int

    def shape(self, query: Query) -> None:
        """Take note of a query and of the columns of its rows."""

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        """SQL as the driver takes it."""

    def select(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any) -> Any:
        """All rows, as records where a record is declared."""

    def select_one(
        self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any
    ) -> Any:
        """The first row, or None."""

    def select_value(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        """The first value of the first row, or None."""

    def select_batches(
        self,
        conn: Any,
        query_name: str,
        sql: str,
        parameters: Any,
        build: Callable[[Sequence[Any]], Any],
    ) -> list[Any]:
        """All rows as columns, in batches that ``build`` is called with; what it makes of each.

        Dates are whole days since 1970-01-01.
        """

    def insert_returning(
        self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any
    ) -> Any:
        """The row that a write returns, or None."""

    def insert_update_delete(self, conn: Any, query_name: str, sql: str, parameters: Any) -> int:
        """The number of rows written."""

    def insert_update_delete_many(self, conn: Any, query_name: str, sql: str, parameters: Any) -> int:
        """The number of rows written, of many."""


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

    @property
    def full_name(self) -> str:
        """``aggregate.name``."""
        return f"{self.aggregate}.{self.name}"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The declared columns of its rows; none where no record is declared."""
        return columns_of(self.record) if self.record is not None else ()

    @property
    def place(self) -> str:
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
    def bare(self) -> bool:
        """Whether it lacks the types of parameters, or the columns of rows.

        None but those may be so by which the package writes: their values come from records, as the
        engine stores them, and their rows go no further.
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


class _Reader(QueryLoader):
    """aiosql's loader with what it leaves open closed: unknown records, COPY's columns."""

    def __init__(self) -> None:
        super().__init__(_AsWritten(), None, attribute=None)  # type: ignore[arg-type]  # only process_sql is called while reading

    def _get_record_class(self, text: str) -> type[Any] | None:
        if not re.match(r"\s*--\s*record_class", text):
            return None
        found = _RECORD.match(text.strip())
        if found is None:
            raise QueryContractError(f"cannot read {text.strip()!r}")
        name, columns = found["name"], found["columns"]
        if columns is not None:
            return _declared_record(name, columns)
        record: type[Any] | None = getattr(records, name, None)
        if record is None or not hasattr(record, "_fields"):
            raise QueryContractError(
                f"there is no record {name!r}; declare it with its columns: {name}(column: type, ...)"
            )
        return record

    def _build_signature(self, sql: str, qname: str, sig: list[str] | None) -> inspect.Signature:
        """The columns that a COPY fills are its parameters, as those of an INSERT's VALUES are."""
        copy = _COPY.match(sql)
        if copy is None:
            return super()._build_signature(sql, qname, sig)
        if [column.strip() for column in copy["columns"].split(",")] != sig:
            raise SQLParseException(f"the columns of the COPY are not the parameters of {qname}")
        return inspect.Signature()


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


def _read_file(reader: _Reader, path: Path, dialect: str | None) -> list[Query]:
    if not path.is_file():  # a folder, a link to nothing, or a pipe whose other end would be waited for
        raise QueryContractError(f"{path} is not a regular file")
    try:
        text = path.read_text(encoding="utf-8")
        data = reader.load_query_data_from_sql(text, [path.stem], path)
    except (SQLParseException, SQLLoadException, QueryContractError, ValueError) as error:
        # A ValueError is of a name that Python cannot have, or of bytes that are no UTF-8.
        raise QueryContractError(f"{path}: {error}") from error
    except OSError as error:
        raise QueryContractError(f"cannot read {path}: {error.strerror}") from error
    # aiosql counts lines in the text without its block comments; the headers' own are exact.
    headers = [number for number, line in enumerate(text.splitlines(), 1) if _HEADER.match(line)]
    if len(headers) != len(data):
        raise QueryContractError(f"{path}: a '-- name:' stands inside a statement or a comment")
    return [_as_query(datum, dialect, path, line) for datum, line in zip(data, headers, strict=True)]


def _as_query(datum: QueryDatum, dialect: str | None, path: Path, line: int) -> Query:
    operator = _OPERATORS.get(datum.operation_type)
    place = f"{path}:{line}"
    if operator is None:
        raise QueryContractError(f"{place}: scripts ('#') commit behind a transaction's back; use '!'")
    if datum.parameters is None:
        raise QueryContractError(f"{place}: the parameter list is missing, '()' if there is none")
    if not datum.doc_comments.strip():
        raise QueryContractError(
            f"{place}: a comment must say what the query answers, for whom, and by which index"
        )
    try:
        types = declared(datum.sql)
    except ValueError as error:
        raise QueryContractError(f"{place}: {error}") from None
    return Query(
        aggregate=path.stem,
        name=datum.query_name.rpartition(".")[2],
        dialect=dialect,
        operator=operator,
        parameters=tuple(datum.parameters),
        record=datum.record_class,
        comment=datum.doc_comments,
        sql=datum.sql,
        file=path,
        line=line,
        # In the order of the parameters, for rows are bound by position.
        types={name: types[name] for name in datum.parameters if name in types},
    )


def _read_folder(folder: Path) -> list[Query]:
    try:
        if not folder.is_dir():
            raise QueryContractError(f"{folder} is not a folder of queries")
        for entry in sorted(folder.iterdir()):
            if entry.is_dir() and entry.name not in DIALECTS and any(entry.glob("*.sql")):
                raise QueryContractError(f"{entry}: the folders of dialects are {', '.join(DIALECTS)}")
    except OSError as error:
        raise QueryContractError(f"cannot read {folder}: {error.strerror}") from error
    found: list[Query] = []
    reader = _Reader()
    for dialect in (None, *DIALECTS):
        place = folder if dialect is None else folder / dialect
        for path in sorted(place.glob("*.sql")):
            found.extend(_read_file(reader, path, dialect))
    return found


def _check(queries: Iterable[Query]) -> dict[str, dict[str, Query]]:
    """Group by full name and dialect; raise for what breaks the contract."""
    grouped: dict[str, dict[str, Query]] = {}
    for query in queries:
        variants = grouped.setdefault(query.full_name, {})
        for dialect in DIALECTS if query.dialect is None else (query.dialect,):
            if dialect in variants:
                raise QueryContractError(
                    f"{query.full_name} is there twice for {dialect}: "
                    f"{variants[dialect].place} and {query.place}"
                )
            variants[dialect] = query
    for name, variants in grouped.items():
        for dialect in DIALECTS:
            if dialect not in variants:
                (other,) = variants.values()
                wanted = other.file.parent.parent / dialect / other.file.name
                raise QueryContractError(f"{name} is in {other.place}, but not in {wanted}")
        sqlite, postgresql = (variants[dialect] for dialect in DIALECTS)
        for what, value in sqlite.contract.items():
            if value != postgresql.contract[what]:
                raise QueryContractError(
                    f"{name}: the {what} differs: {value!r} in {sqlite.place}, "
                    f"{postgresql.contract[what]!r} in {postgresql.place}"
                )
        types = _types(sqlite, postgresql)
        for dialect in DIALECTS:
            variants[dialect] = replace(variants[dialect], types=types)
    return grouped


def _types(sqlite: Query, postgresql: Query) -> dict[str, Declared]:
    """The types of the parameters, on which both variants must agree."""
    types = {}
    for name in sqlite.parameters:
        both = [each.types[name] for each in (sqlite, postgresql) if name in each.types]
        if not both:
            continue
        try:
            types[name] = agreed(name, both[0], both[-1])
        except ValueError as error:
            where = sqlite.place if sqlite is postgresql else f"{sqlite.place} and {postgresql.place}"
            raise QueryContractError(f"{where}: {error}") from None
        if not types[name].type:
            raise QueryContractError(
                f"{postgresql.place}: :{name} is a list on SQLite; cast it on PostgreSQL, as in "
                f"= ANY(CAST(:{name} AS text []))"
            )
    return types


def _hold(query: Query) -> None:
    """Hold an application's query to what the package's writers are spared.

    :raises QueryContractError: for a parameter without a type, rows without a record, and what means
        something else on each engine: see :mod:`repo.statements`.
    """
    for name in query.parameters:
        if name not in query.types:
            listed = re.search(rf"\bIN\s*\(\s*:{name}\s*\)", query.sql, re.IGNORECASE)
            form = f"write CAST(:{name} AS type), for calls are held to that type"
            if listed:
                form = list_form(name, "text")
            raise QueryContractError(f"{query.place}: :{name} has no type; {form}")
    if query.answers and query.record is None:
        raise QueryContractError(
            f"{query.place}: a query that returns rows says of which columns: "
            f"-- record_class: Name(column: type, other: type | None)"
        )
    columns = [(column.name, column.type) for column in query.columns]
    if wrong := misuse(query.sql, columns, answers=query.answers):
        raise QueryContractError(f"{query.place}: {wrong}")


class Catalogue:
    """Every query of some folders, checked; :meth:`bind` makes them callable on an engine."""

    def __init__(self, queries: Mapping[str, Mapping[str, Query]]) -> None:
        self._queries = queries

    def __contains__(self, full_name: object) -> bool:
        return full_name in self._queries

    def names(self) -> list[str]:
        """The full names, sorted."""
        return sorted(self._queries)

    def query(self, full_name: str, dialect: str) -> Query:
        """One query as it stands for a dialect.

        :raises QueryContractError: when there is none of that name.
        """
        try:
            return self._queries[full_name][dialect]
        except KeyError:
            raise QueryContractError(f"there is no query {full_name} for {dialect}") from None

    def bind(
        self, dialect: str, adapter: Adapter, watched: Callable[[str, Runs], Runs]
    ) -> Mapping[str, Runs]:
        """The queries as functions of a driver's connection, by full name.

        Each is called with the connection and a mapping of the declared parameters; a ``*!`` query
        with the connection and rows of values in the order of its parameters, checked and coded. What
        can be written by many rows a statement is there in that form too, by the name that
        :func:`many_rows` gives it.

        :param watched: is given each function, with its query's name, for one that tells of its calls.
        """
        bound = {}
        for name in self.names():
            query = self.query(name, dialect)
            bound[name] = watched(name, _bound(query, adapter))
            wide = with_rows(query, rows_together(adapter.values_a_statement, len(query.parameters)))
            if wide is not None:
                bound[many_rows(name)] = watched(name, _bound(wide, adapter))
        return MappingProxyType(bound)

    def bind_rows(
        self, dialect: str, adapter: Adapter, name: str
    ) -> Callable[[Iterable[Mapping[str, Any]]], Iterator[list[list[Any]]]]:
        """What makes of mappings the rows that a ``*!`` query is called with, some at a time."""
        return row_coder(name, self.query(name, dialect).types, adapter.coding)

    def bind_batches(self, dialect: str, adapter: Adapter, name: str) -> Callable[..., list[Any]]:
        """One query as a function of a connection, its parameters and what builds a batch."""
        query = self.query(name, dialect)
        sql = sent(query, adapter)
        code = coder(name, query.types, adapter.coding)
        return lambda connection, parameters, build, /: adapter.select_batches(
            connection, name, sql, code(parameters), build
        )


def many_rows(name: str) -> str:
    """What the many-row form of a ``*!`` query is bound as; no query of a file can have such a name."""
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


def sent(query: Query, adapter: Adapter) -> str:
    """A query's SQL as its driver is given it, with its name in a comment for whoever reads the log.

    The comment follows the first word: what stands before a statement is left out by some that log it.
    """
    operation = next(key for key, value in _OPERATORS.items() if value == query.operator)
    name = re.sub(r"[^\w.]", "_", query.full_name)
    sql = re.sub(r"^\s*\w+", lambda word: f"{word[0]} /* {name} */", query.sql, count=1)
    return adapter.process_sql(query.full_name, operation, sql)


def _bound(query: Query, adapter: Adapter) -> Runs:
    """One query on one adapter.

    aiosql's own container checks keywords again at every call; for a read of one row that is a
    tenth of the time, so the adapter's method is called without it.
    """
    name, record = query.full_name, query.record
    adapter.shape(query)
    sql = sent(query, adapter)
    if query.operator == "*!":
        many = adapter.insert_update_delete_many
        return lambda connection, rows, /: many(connection, name, sql, rows)
    code = _as_given if query.bare else coder(name, query.types, adapter.coding)
    if query.operator in ("", "^", "<!"):
        one = adapter.select_one
        read = {"": adapter.select, "^": one, "<!": adapter.insert_returning}[query.operator]
        return lambda connection, given, /: read(connection, name, sql, code(given), record)
    run = {"$": adapter.select_value, "!": adapter.insert_update_delete}[query.operator]
    return lambda connection, given, /: run(connection, name, sql, code(given))


def _as_given(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    return parameters


def shipped(folder: str) -> Path:
    """Where the package's own ``queries`` or ``schema`` is: in the wheel, or in the checkout."""
    inside = Path(__file__).parent / "sql" / folder
    return inside if inside.is_dir() else Path(__file__).parent.parent / folder


def load(folders: Sequence[Path | str] = ()) -> Catalogue:
    """Read the package's queries and those of an application's folders, and check them together.

    :raises QueryContractError: naming the files, for a duplicate, a missing variant, variants that
        differ in operator, parameters, their types or record, a parameter without a type, rows without
        a record, a missing comment, a name of the package's own, or SQL that aiosql cannot read.
    """
    own = _read_folder(shipped("queries"))
    others = [query for folder in folders for query in _read_folder(Path(folder))]
    grouped = _check([*own, *others])
    files, names = {query.aggregate for query in own}, {query.name for query in own}
    for query in others:
        if query.aggregate in files and query.name in names:
            raise QueryContractError(
                f"{query.place}: {query.full_name} is a name of the package's own; choose "
                "another name, or another file"
            )
    ours = {query.full_name for query in own}
    for name, variants in grouped.items():
        if name not in ours:
            for query in variants.values():
                _hold(query)
    return Catalogue(grouped)
