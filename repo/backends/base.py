"""What the backends share: the writing of rows, the columns of results, the options of ``connect()``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from repo.batches import Batches, Columns, RepeatedKeys, Table
from repo.engine import Bound, Connection
from repo.errors import ConfigurationError, QueryContractError
from repo.queries import Query
from repo.showing import short

__all__ = [
    "ROWS_TOGETHER",
    "check_option",
    "merge",
    "refuse_unknown",
    "unlike",
    "write_rows",
    "wrong_columns",
    "wrong_type",
]

ROWS_TOGETHER: Final = 100
"""Rows few enough to be turned into records while the processor's nearest cache holds them."""

_OPTION_END: Final = 1_000_000

_TOGETHER: Final = 10
"""The rows of an ``upsert_ten``."""


def wrong_columns(query: Query, found: Sequence[str]) -> QueryContractError:
    """What to say of a result whose columns are not those of the query's record."""
    wanted = ", ".join(column.name for column in query.columns)
    return QueryContractError(
        f"{query.full_name} ({query.place}) gives the columns {', '.join(found)}; "
        f"its record has {wanted}, in this order"
    )


def wrong_type(query: Query, column: str, found: str) -> QueryContractError:
    """What to say of a column that holds another type than the query's record says."""
    declared = next(each.type.__name__ for each in query.columns if each.name == column)
    return QueryContractError(
        f"{query.full_name} ({query.place}) gives {column} as {found}; its record says {declared}"
    )


def unlike(query: Query, reason: str) -> QueryContractError:
    """What to say of a query that the engine cannot run on the schema there is, in its own words."""
    return QueryContractError(f"{query.full_name} ({query.place}) does not fit the database: {reason}")


def write_rows(
    connection: Connection, queries: Bound, table: Table, columns: Columns, *, statement: str = "upsert"
) -> int:
    """Write rows with a table's statement, as many as can be by ten: a call costs as much as a row.

    :param statement: ``upsert``, or ``add``, which leaves alone what is there.
    :returns: how many were written.
    """
    rows = len(columns[0]) if columns else 0
    wide = queries.get(f"{table.aggregate}.{statement}_ten")
    even = rows - rows % _TOGETHER if wide is not None else 0
    written = 0
    if wide is not None and even:
        # The values of ten rows side by side, a column of them being every tenth of a column.
        abreast = [column[place:even:_TOGETHER] for place in range(_TOGETHER) for column in columns]
        written += wide(connection, zip(*abreast, strict=True))
    if even < rows:
        rest = [column[even:] for column in columns]
        written += queries[f"{table.aggregate}.{statement}"](connection, zip(*rest, strict=True))
    return written


def merge(
    connection: Connection,
    queries: Bound,
    table: Table,
    rows: Batches,
    changes: Callable[[], int | None] = lambda: None,
) -> int:
    """Write the rows that were set aside, of each key the last; how many were new or different.

    :param changes: tells how many rows of the table the transaction has changed so far. Where it cannot
        (None), the keys that are there already are counted when there is a tally, which takes longer.
    :raises RepeatedKeys: where the rows' tally is strict and a key came again.
    """
    name, tally = table.aggregate, rows.tally
    if tally is None:
        return _merge(connection, queries, table, rows)
    if tally.strict and queries[f"{name}.keys"](connection, {}) < rows.count:
        raise RepeatedKeys(queries[f"{name}.superseded"](connection, {}))
    before = changes()
    there = queries[f"{name}.there"](connection, {}) if before is None else 0
    written = _merge(connection, queries, table, rows)
    keys = rows.count if written == rows.count else queries[f"{name}.keys"](connection, {})
    tally.repeated = rows.count - keys
    tally.new = keys - there if before is None else written - ((changes() or 0) - before)
    return written


def _merge(connection: Connection, queries: Bound, table: Table, rows: Batches) -> int:
    if rows.absent:
        given = {f"with_{name}": int(name not in rows.absent) for name in table.nullable}
        written: int = queries[f"{table.aggregate}.merge_some"](connection, given)
    else:
        written = queries[f"{table.aggregate}.merge"](connection, {})
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
        raise ConfigurationError(f"{name} must be {kind} from 0 on, not {short(value)}")
