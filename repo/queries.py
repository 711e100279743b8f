"""Loads ``queries/`` through aiosql and holds it to the contract of both dialects.

A folder of queries has ``<aggregate>.sql`` for what runs unchanged on both engines, and
``sqlite/<aggregate>.sql`` and ``postgresql/<aggregate>.sql`` for what must differ. A name has one
portable statement or exactly one in each dialect; anything else is refused here, at load time, with
both files named. A query is written so::

    -- name: history(symbol, start, end)
    -- record_class: Bar
    -- What it answers, for whom. Index: what serves it.
    SELECT ...

``record_class`` names one of the package's records, or declares one of its own with its columns:
``-- record_class: Momentum(symbol: str, date: date, change: float | None)``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, get_type_hints

from aiosql.query_loader import QueryLoader
from aiosql.types import QueryDatum, SQLOperationType
from aiosql.utils import SQLLoadException, SQLParseException

from repo import records
from repo.errors import QueryContractError

__all__ = [
    "DIALECTS",
    "Adapter",
    "Catalogue",
    "Column",
    "Query",
    "columns_of",
    "load",
    "shipped",
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
_COPY: Final = re.compile(r"COPY\s+\w+\s*\((?P<columns>[^)]*)\)\s+FROM\s+STDIN", re.IGNORECASE)


class Column(NamedTuple):
    """One column of a query's rows."""

    name: str
    type: type
    nullable: bool


class Adapter(Protocol):
    """What a backend gives aiosql: how SQL is written and run on its driver.

    ``coders`` check and code the values of each type; rows of a ``*!`` query come coded.

    These are aiosql's adapter methods, by its names, and :meth:`shape` beside them.
    """

    coders: Mapping[type, Callable[[Any], Any]]

    def shape(self, query_name: str, columns: tuple[Column, ...], *, writes: bool) -> None:
        """Take note of the columns of a query's rows, by the query's full name."""

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
    record: type[Any] = NamedTuple(name, fields)  # type: ignore[misc]  # fields known at run time
    return record


def _read_file(reader: _Reader, path: Path, dialect: str | None) -> list[Query]:
    try:
        text = path.read_text(encoding="utf-8")
        data = reader.load_query_data_from_sql(text, [path.stem], path)
    except (SQLParseException, SQLLoadException, QueryContractError, UnicodeDecodeError) as error:
        raise QueryContractError(f"{path}: {error}") from error
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
    )


def _read_folder(folder: Path) -> list[Query]:
    if not folder.is_dir():
        raise QueryContractError(f"{folder} is not a folder of queries")
    found: list[Query] = []
    reader = _Reader()
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and entry.name not in DIALECTS and any(entry.glob("*.sql")):
            raise QueryContractError(f"{entry}: the folders of dialects are {', '.join(DIALECTS)}")
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
    return grouped


class Catalogue:
    """Every query of some folders, checked; :meth:`bind` makes them callable on an engine."""

    def __init__(self, queries: Mapping[str, Mapping[str, Query]]) -> None:
        self._queries = queries

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

    def bind(self, dialect: str, adapter: Adapter) -> Mapping[str, Callable[..., Any]]:
        """The queries as functions of a driver's connection, by full name.

        Each is called with the connection and a mapping of the declared parameters; a ``*!`` query
        with the connection and rows of values in the order of its parameters.
        """
        return MappingProxyType(
            {name: _bound(self.query(name, dialect), adapter) for name in self.names()}
        )

    def bind_batches(self, dialect: str, adapter: Adapter, name: str) -> Callable[..., list[Any]]:
        """One query as a function of a connection, its parameters and what builds a batch."""
        query = self.query(name, dialect)
        sql = adapter.process_sql(name, SQLOperationType.SELECT, query.sql)
        return lambda connection, parameters, build, /: adapter.select_batches(
            connection, name, sql, parameters, build
        )


def _bound(query: Query, adapter: Adapter) -> Callable[..., Any]:
    """One query on one adapter.

    aiosql's own container checks keywords again at every call; for a read of one row that is a
    tenth of the time, so the adapter's method is called without it.
    """
    operation = next(key for key, value in _OPERATORS.items() if value == query.operator)
    name, record = query.full_name, query.record
    adapter.shape(name, query.columns, writes=query.writes)
    sql = adapter.process_sql(name, operation, query.sql)
    if query.operator in ("", "^", "<!"):
        one = adapter.select_one
        read = {"": adapter.select, "^": one, "<!": adapter.insert_returning}[query.operator]
        return lambda connection, parameters, /: read(connection, name, sql, parameters, record)
    if query.operator == "*!":
        many = adapter.insert_update_delete_many
        return lambda connection, rows, /: many(connection, name, sql, rows)
    run = {"$": adapter.select_value, "!": adapter.insert_update_delete}[query.operator]
    return lambda connection, parameters, /: run(connection, name, sql, parameters)


def shipped(folder: str) -> Path:
    """Where the package's own ``queries`` or ``schema`` is: in the wheel, or in the checkout."""
    inside = Path(__file__).parent / "sql" / folder
    return inside if inside.is_dir() else Path(__file__).parent.parent / folder


def load(folders: Sequence[Path | str] = ()) -> Catalogue:
    """Read the package's queries and those of an application's folders, and check them together.

    :raises QueryContractError: naming the files, for a duplicate, a missing variant, variants that
        differ in operator, parameters or record, a missing comment, or SQL that aiosql cannot read.
    """
    own = _read_folder(shipped("queries"))
    others = [query for folder in folders for query in _read_folder(Path(folder))]
    return Catalogue(_check([*own, *others]))
