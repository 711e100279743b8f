"""What a backend does for a database: connections, transactions, bulk writes and its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Protocol

from repo.batches import Batches, Columns, Table
from repo.errors import ConfigurationError, InvalidRecord, Problem
from repo.queries import Adapter

__all__ = [
    "CODERS",
    "ISOLATION_LEVELS",
    "ROWS_TOGETHER",
    "Backend",
    "Bound",
    "Connection",
    "check_option",
    "coded_items",
    "coded_parameters",
    "coded_rows",
    "refuse_unknown",
    "write_rows",
]

ISOLATION_LEVELS: Final = ("serializable", "repeatable read", "read committed")

Connection = Any
"""A driver's connection; only its backend looks inside."""

Bound = Mapping[str, Callable[..., Any]]
"""Queries bound to an engine, by full name: see :meth:`repo.queries.Catalogue.bind`."""

Coders = Mapping[type, Callable[[Any], Any]]
"""How values of each type are checked and coded; a type that is not there is refused."""

ROWS_TOGETHER: Final = 100
"""Rows few enough to be turned into records while the processor's nearest cache holds them."""

_INT64: Final = 2**63
_OPTION_END: Final = 1_000_000

_TOGETHER: Final = 10
"""The rows of an ``upsert_ten``."""


class Backend(Protocol):
    """One engine. Errors of the driver leave it as errors of this package, chained."""

    dialect: str
    read_only: bool

    @property
    def adapter(self) -> Adapter:
        """What aiosql runs queries with."""

    def acquire(self, *, write: bool) -> Connection:
        """A connection for the calling thread alone, until :meth:`release`."""

    def release(self, connection: Connection, *, write: bool) -> None:
        """Take a connection back, whatever its state."""

    def begin(self, connection: Connection, *, read_only: bool, isolation: str) -> None: ...

    def commit(self, connection: Connection) -> None:
        """Commit; where that fails, the transaction is over all the same."""

    def rollback(self, connection: Connection) -> None:
        """Roll back; a connection that is beyond that is left for :meth:`release`."""

    def savepoint(self, connection: Connection, depth: int) -> None: ...

    def release_savepoint(self, connection: Connection, depth: int) -> None: ...

    def rollback_to(self, connection: Connection, depth: int) -> None: ...

    def upsert(self, connection: Connection, queries: Bound, table: Table, rows: Batches) -> int:
        """Write rows inside a transaction; how many were new or different."""

    def run_script(self, connection: Connection, script: str) -> None:
        """Run the statements of a migration inside a transaction."""

    def schema_changed(self) -> None:
        """Forget what connections remember of the schema as it was."""

    def close(self) -> None: ...


class Refused(Exception):
    """A parameter that is not sent; the argument is the reason, in words."""


def _int(value: int) -> int:
    if not -_INT64 <= value < _INT64:
        raise Refused("must fit in 64 bits")
    return value


def _float(value: float) -> float:
    if value - value != 0.0:
        raise Refused("must be finite")
    return value + 0.0  # -0.0 becomes 0.0


def _text(value: str) -> str:
    if "\0" in value:
        raise Refused("must not contain NUL")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused("must not contain a lone surrogate") from None
    return value


def _aware(value: datetime) -> datetime:
    if value.utcoffset() is None:
        raise Refused("must have a time zone")
    return value


def _unknown(value: Any) -> Any:
    raise Refused(f"a {type(value).__name__} is not stored")


def coded_items(items: list[Any], coders: Coders) -> list[Any]:
    """The values of a list, which must be of one type, as a driver takes them.

    :raises Refused: for a value that is refused, several types, and lists of lists.
    """
    kinds = set(map(type, items)) - {type(None)}
    if len(kinds) > 1:
        raise Refused(
            f"must hold values of one type, not {', '.join(sorted(k.__name__ for k in kinds))}"
        )
    if list in kinds:
        raise Refused("must not hold lists")
    return [coders.get(type(item), _unknown)(item) for item in items]


CODERS: Final[Coders] = {
    int: _int,
    float: _float,
    str: _text,
    date: lambda day: day,
    datetime: _aware,
    list: lambda items: coded_items(items, CODERS),
    type(None): lambda none: none,
}
"""The values that may be sent: what a driver's own conversion starts from."""


def coded_rows(
    rows: Iterable[Mapping[str, Any]], names: Sequence[str], coders: Coders
) -> list[list[Any]]:
    """Rows of parameters as a driver takes them, in the order of ``names``.

    :raises InvalidRecord: as :func:`coded_parameters`, for the first bad row, with its number.
    """
    ready = []
    for number, row in enumerate(rows):
        try:
            values = coded_parameters({name: row[name] for name in names}, coders)
        except KeyError as missing:
            problem = Problem(number, str(missing.args[0]), None, "is missing")
            raise InvalidRecord([problem]) from None
        except InvalidRecord as invalid:
            raise InvalidRecord([invalid.problems[0]._replace(row=number)]) from None
        ready.append(list(values.values()))
    return ready


def coded_parameters(parameters: Mapping[str, Any], coders: Coders) -> dict[str, Any]:
    """Parameters as a driver takes them.

    :raises InvalidRecord: for a value that is not None, an int of 64 bits, a finite float, text
        without NUL and lone surrogates, a date, an aware datetime, or a list of these.
    """
    ready = {}
    for name, value in parameters.items():
        try:
            ready[name] = coders.get(type(value), _unknown)(value)
        except Refused as refused:
            raise InvalidRecord([Problem(None, name, value, str(refused))]) from None
    return ready


def write_rows(connection: Connection, queries: Bound, table: Table, columns: Columns) -> int:
    """Upsert rows with the table's statement, as many as can be by ten: a call costs as much as a row.

    :returns: how many were new or different.
    """
    rows = len(columns[0]) if columns else 0
    wide = queries.get(f"{table.aggregate}.upsert_ten")
    even = rows - rows % _TOGETHER if wide is not None else 0
    written = 0
    if wide is not None and even:
        # The values of ten rows side by side, a column of them being every tenth of a column.
        abreast = [column[place:even:_TOGETHER] for place in range(_TOGETHER) for column in columns]
        written += wide(connection, zip(*abreast, strict=True))
    if even < rows:
        rest = [column[even:] for column in columns]
        written += queries[f"{table.aggregate}.upsert"](connection, zip(*rest, strict=True))
    return written


def refuse_unknown(engine: str, unknown: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options of ``connect()`` that an engine does not have.

    :raises ConfigurationError: naming the first of them, and those there are.
    """
    for name in unknown:
        raise ConfigurationError(f"{engine} has no option {name!r}; it has {', '.join(known)}")


def check_option(name: str, value: Any, *, whole: bool = False) -> None:
    """Refuse an option of ``connect()`` that is no number of seconds, or of things where ``whole``.

    :raises ConfigurationError: naming the option.
    """
    number = isinstance(value, int) or (isinstance(value, float) and not whole)
    if not number or isinstance(value, bool) or not 0 <= value < _OPTION_END:
        kind = "a whole number" if whole else "a number of seconds"
        raise ConfigurationError(f"{name} must be {kind} from 0 on, not {value!r}")
