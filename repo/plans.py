"""How the connected engine runs a named query: :func:`explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repo.database import Database
from repo.engine.plans import Plan, Step
from repo.errors import ConfigurationError, QueryContractError
from repo.queries import Query
from repo.sessions import READ_ONLY

__all__ = ["Plan", "Step", "explain", "parameters"]


def parameters(query: Query) -> str:
    """The parameters of a query with their types, for a message."""
    return ", ".join(
        f"{name} ({query.types[name]})" if name in query.types else name for name in query.parameters
    )


def explain(
    db: Database, name: str, arguments: Mapping[str, Any] | None = None, *, analyze: bool = False
) -> Plan:
    """The plan of a named query, the package's own or an application's, for these arguments.

    :param arguments: one for each parameter, checked as in a call; a query that writes many rows takes
        those of one row.
    :param analyze: run it too, and measure what it reads. What it writes is rolled back, which leaves
        nothing but a gap in the numbers that PostgreSQL gives to new tickers and institutions.
    :raises QueryContractError: for an unknown name, other arguments, a statement without a plan (it
        makes or drops a table, or is a COPY), and one that does not fit the schema.
    :raises InvalidRecord: for a value of another type.
    :raises ConfigurationError: inside a transaction; on a database that was opened read only, for a
        write that would be run and for a query of rows that a write sets aside.
    """
    session = db._session
    query = session.catalogue.query(name, session.dialect)
    given = arguments or {}
    if given.keys() != set(query.parameters):
        missing = ", ".join(each for each in query.parameters if each not in given)
        unknown = ", ".join(each for each in given if each not in query.parameters)
        wrong = f"missing: {missing}" if missing else f"it has no {unknown}"
        raise QueryContractError(f"{name} takes {parameters(query) or 'no parameters'}; {wrong}")
    if query.defines or query.sql.lstrip()[:4].upper() == "COPY":
        raise QueryContractError(
            f"{name} ({query.location}) has no plan: it makes or drops a table, or copies"
        )
    backend, queries = db._backend, session.executor.queries
    writes = query.aside or (analyze and query.writes)
    if writes and backend.read_only:
        raise ConfigurationError(READ_ONLY)
    with session.undone("a plan", read_only=not writes, isolation="repeatable read") as transaction:
        connection = transaction.connection
        if query.aside:
            queries[f"{query.aggregate}.stage"](connection, {})
        return backend.planner().plan(connection, queries, query, given, analyze=analyze)
