"""What a backend does for a database: connections, transactions, bulk writes and its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final, Protocol

from repo.batches import Batches, Table
from repo.errors import InvalidRecord, Problem
from repo.queries import Adapter

__all__ = ["ISOLATION_LEVELS", "Backend", "Bound", "Connection", "check_parameters"]

ISOLATION_LEVELS: Final = ("serializable", "repeatable read", "read committed")

Connection = Any
"""A driver's connection; only its backend looks inside."""

Bound = Mapping[str, Callable[..., Any]]
"""Queries bound to an engine, by full name: see :meth:`repo.queries.Catalogue.bind`."""

_INT64: Final = 2**63


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


def _check_int(value: int) -> str | None:
    return None if -_INT64 <= value < _INT64 else "must fit in 64 bits"


def _check_float(value: float) -> str | None:
    return None if value - value == 0.0 else "must be finite"


def _check_text(value: str) -> str | None:
    if "\0" in value:
        return "must not contain NUL"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "must not contain a lone surrogate"
    return None


def _check_datetime(value: datetime) -> str | None:
    return None if value.utcoffset() is not None else "must have a time zone"


def _check_list(value: list[Any]) -> str | None:
    return next((reason for item in value if (reason := _refusal(item)) is not None), None)


_CHECKS: Final[dict[type, Callable[[Any], str | None]]] = {
    int: _check_int,
    float: _check_float,
    str: _check_text,
    datetime: _check_datetime,
    list: _check_list,
    date: lambda _: None,
    type(None): lambda _: None,
}


def _refusal(value: Any) -> str | None:
    check = _CHECKS.get(type(value))
    return f"a {type(value).__name__} is not stored" if check is None else check(value)


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Let no value reach a driver that two engines would take differently.

    :raises InvalidRecord: for a value that is not None, an int of 64 bits, a finite float, text
        without NUL and lone surrogates, a date, an aware datetime, or a list of these.
    """
    for name, value in parameters.items():
        reason = _refusal(value)
        if reason is not None:
            raise InvalidRecord([Problem(None, name, value, reason)])
