"""What the backends share of results: how they are fetched, and how they are held to their records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from repo.errors import QueryContractError
from repo.queries import Query
from repo.records import OF_TICKER

FETCH_ROWS: Final = 100
"""Few enough rows for the processor's cache while they become records."""


def record_of(query: Query) -> tuple[Any, bool]:
    """The record that a query's rows become, and whether the caller's symbol is put in front of each."""
    record = query.record
    if record in OF_TICKER and "symbol" in query.parameters and query.ours:
        return OF_TICKER[record], True
    return record, False


def wrong_columns(query: Query, found: Sequence[str]) -> QueryContractError:
    """The error for a result whose columns are not those of the query's record."""
    wanted = ", ".join(column.name for column in query.columns)
    return QueryContractError(
        f"{query.full_name} ({query.location}) gives the columns {', '.join(found)}; "
        f"its record has {wanted}, in this order"
    )


def wrong_type(query: Query, column: str, found: str) -> QueryContractError:
    """The error for a column of another type than the query's record says."""
    declared = next(each.type.__name__ for each in query.columns if each.name == column)
    return QueryContractError(
        f"{query.full_name} ({query.location}) gives {column} as {found}; its record says {declared}"
    )


def unlike(query: Query, reason: str) -> QueryContractError:
    """The error for a query that does not fit the schema, in the engine's words."""
    return QueryContractError(
        f"{query.full_name} ({query.location}) does not fit the database: {reason}"
    )
