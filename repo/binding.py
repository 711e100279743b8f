"""Queries bound to an engine: parameters checked and dumped, SQL as the driver takes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from aiosql.types import SQLOperationType

from repo.catalogue import Catalogue
from repo.errors import QueryContractError
from repo.parameters import PYTHON_TYPES, Dumpers, dumper, row_dumper
from repo.queries import OPERATORS, Query, many_rows, rows_per_statement, with_rows

Dump = Callable[[Mapping[str, Any]], Any]
"""Checks the parameters of a call, and gives them as the driver takes them."""

Runs = Callable[..., Any]
"""A query bound to an engine: called with a connection, and with parameters or rows."""

_OPERATIONS: Final[Mapping[str, SQLOperationType]] = {
    operator: operation for operation, operator in OPERATORS.items()
}

_NAMES: Final[Mapping[type, str]] = {kind: name for name, kind in PYTHON_TYPES.items()}


class Adapter(Protocol):
    """How SQL is written and run on a driver: aiosql's adapter, as far as it is needed.

    A query is made a function once, with its SQL as :meth:`process_sql` gives it, and with the function
    that checks the parameters of a call and dumps them by ``dumpers``. The rows of a query are compared
    with its record: where names, order or types differ, QueryContractError names the query and its file.
    ``values_a_statement`` is the best number of values for a statement that takes many rows.
    """

    dumpers: Dumpers
    values_a_statement: int

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        """SQL as the driver takes it."""

    def reading(self, query: Query, sql: str, dump: Dump) -> Runs:
        """A function of a connection and parameters: all rows, as records if a record is declared."""

    def reading_columns(self, query: Query, sql: str, dump: Dump) -> Runs:
        """A function of a connection, parameters and ``build``: all rows as columns, in batches.

        It gives the results of ``build`` for each. Dates are whole days since 1970-01-01.
        """

    def writing(self, query: Query, sql: str, dump: Dump) -> Runs:
        """A function of a connection and parameters: the number of rows written."""

    def writing_rows(self, query: Query, sql: str) -> Runs:
        """A function of a connection and rows, checked and dumped: the number of rows written in all."""

    def prove(self, conn: Any, query: Query) -> None:
        """Have the engine prepare a query inside a transaction, and compare its columns.

        A query that needs a relation that this database lacks is skipped.

        :raises QueryContractError: if it does not fit the schema.
        """


class BoundQueries(dict[str, Runs]):
    """The queries of a catalogue as functions of a driver's connection, by full name.

    Each is called with the connection and a mapping of the declared parameters; a ``*!`` query with the
    connection and rows of values in the order of its parameters, checked and dumped. A query that can
    take many rows in one statement has that form too, named by :func:`repo.queries.many_rows`.

    A query is bound on first use, because binding all would take most of the time of opening a database.
    Two threads may bind the same one at once, with equal results. As a dict with ``__missing__`` it
    costs one look-up; ``in`` and ``get`` answer for all queries, iterating gives those bound so far.
    """

    __slots__ = ("_adapter", "_catalogue", "_dialect", "_watched")

    def __init__(
        self, catalogue: Catalogue, dialect: str, adapter: Adapter, watched: Callable[[str, Runs], Runs]
    ) -> None:
        """Bind queries to an adapter.

        :param watched: wraps each function, given its query's name, in one that reports its calls.
        """
        super().__init__()
        self._catalogue = catalogue
        self._dialect = dialect
        self._adapter = adapter
        self._watched = watched

    def __missing__(self, name: str) -> Runs:
        query = self._query(name)
        if query is None:
            raise KeyError(name)
        bound = self[name] = self._watched(query.full_name, _bound(query, self._adapter))
        return bound

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        try:
            return isinstance(name, str) and self._query(name) is not None
        except QueryContractError:  # another engine's own
            return False

    def get(self, name: str, default: Any = None) -> Any:
        """The query of a name, or ``default`` where there is none."""
        try:
            return self[name]
        except KeyError:
            return default

    def _query(self, name: str) -> Query | None:
        """The query of a name, in its many-row form if the name says so."""
        if name in self._catalogue:
            return self._catalogue.query(name, self._dialect)
        one, _, _ = name.partition(",")
        if one not in self._catalogue or name != many_rows(one):
            return None
        query = self._catalogue.query(one, self._dialect)
        return with_rows(
            query, rows_per_statement(self._adapter.values_a_statement, len(query.parameters))
        )

    def rows(self, name: str) -> Callable[[Iterable[Mapping[str, Any]]], Iterator[list[list[Any]]]]:
        """A function from mappings to the rows that a ``*!`` query takes, some at a time."""
        return row_dumper(name, self._catalogue.query(name, self._dialect).types, self._adapter.dumpers)

    def statement(self, name: str) -> tuple[str, Dump]:
        """One query as its driver takes it, and the function that dumps its parameters."""
        query = self._catalogue.query(name, self._dialect)
        return sent(query, self._adapter), dumper(name, query.types, self._adapter.dumpers)

    def columnar(self, name: str) -> Callable[..., list[Any]]:
        """One query as a function of a connection, its parameters and a builder of batches."""
        query = self._catalogue.query(name, self._dialect)
        return self._adapter.reading_columns(query, *self.statement(name))


def dumped(query: Query, adapter: Adapter, given: Mapping[str, Any]) -> Any:
    """Parameters as the driver takes them: by name, or by position for a query that takes rows.

    :raises InvalidRecord: for a value that is not of its parameter's type.
    """
    ready = dumper(query.full_name, query.types, adapter.dumpers)(given)
    for name in query.parameters:
        if name not in ready:  # it comes from a record, whose type it has
            dump = adapter.dumpers.values.get(_NAMES.get(type(given[name]), ""))
            ready[name] = given[name] if dump is None else dump(given[name])
    return [ready[name] for name in query.parameters] if query.operator == "*!" else ready


def sent(query: Query, adapter: Adapter) -> str:
    """A query's SQL as its driver takes it, with its name in a comment for readers of logs.

    The comment follows the first word, because some logs leave out what comes before a statement.
    """
    name = re.sub(r"[^\w.]", "_", query.full_name)
    sql = re.sub(r"^\s*\w+", lambda word: f"{word[0]} /* {name} */", query.sql, count=1)
    return adapter.process_sql(query.full_name, _OPERATIONS[query.operator], sql)


def _bound(query: Query, adapter: Adapter) -> Runs:
    """One query on one adapter.

    aiosql's own container would check keywords again at every call, a tenth of the time of a small read.
    """
    sql = sent(query, adapter)
    if query.operator == "*!":
        return adapter.writing_rows(query, sql)
    dump = _as_given if query.bare else dumper(query.full_name, query.types, adapter.dumpers)
    if query.operator == "!":
        return adapter.writing(query, sql, dump)
    read = adapter.reading(query, sql, dump)
    if query.operator == "":
        return read
    first = _first_value if query.operator == "$" else _first_row
    return lambda connection, given, /: first(read(connection, given))


def _first_row(rows: Sequence[Any]) -> Any:
    return rows[0] if rows else None


def _first_value(rows: Sequence[Any]) -> Any:
    return rows[0][0] if rows else None


def _as_given(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    return parameters
