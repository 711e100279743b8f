"""What the backends share: the writing of rows, the columns of results, the options of ``connect()``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from repo.batches import Batches, Columns, RepeatedKeys, Table, Tally
from repo.engine import Bound, Connection
from repo.errors import ConfigurationError, QueryContractError
from repo.queries import Query

__all__ = [
    "ROWS_TOGETHER",
    "check_option",
    "merge",
    "refuse_unknown",
    "unlike",
    "write_counted",
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


def write_counted(
    connection: Connection, queries: Bound, table: Table, columns: Columns, tally: Tally | None
) -> int:
    """The same, the new rows counted apart where there is a tally: as those that can be added."""
    new = 0
    if tally is not None and columns:
        new = write_rows(connection, queries, table, columns, statement="add")
        tally.new += new
        if new == len(columns[0]):
            return new
    return new + write_rows(connection, queries, table, columns)


def merge(connection: Connection, queries: Bound, table: Table, rows: Batches) -> int:
    """Write the rows that were set aside, of each key the last; how many were new or different.

    :raises RepeatedKeys: where the rows' tally is strict and a key came again.
    """
    tally = rows.tally
    if tally is not None:
        settled = queries[f"{table.aggregate}.settled"](connection, {})
        tally.repeated = rows.count - settled.keys
        tally.new = settled.keys - settled.there
        if tally.strict and tally.repeated:
            raise RepeatedKeys(queries[f"{table.aggregate}.superseded"](connection, {}))
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
        raise ConfigurationError(f"{name} must be {kind} from 0 on, not {value!r}")
