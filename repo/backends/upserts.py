"""What the backends share of upserts: statements of many rows, keys looked up, and the merge."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from repo.batches import Columns, FindKeys, RepeatedKeys, RowEncoder, Unfit
from repo.binding import BoundQueries
from repo.engine.connection import Connection
from repo.queries import many_rows, rows_per_statement
from repo.tables import Table


def write_many(
    connection: Connection, queries: BoundQueries, name: str, columns: Columns, values: int
) -> int:
    """Write rows with a statement, many at once if it can: a call costs as much as a row.

    :param values: the best number of values for a statement that takes many rows at once.
    :returns: how many were written.
    """
    rows = len(columns[0]) if columns else 0
    together = rows_per_statement(values, len(columns))
    even = rows - rows % together if together else 0
    written = 0
    if even:
        # The values of several rows side by side: with ten rows, every tenth value of each column.
        abreast = [column[index:even:together] for index in range(together) for column in columns]
        written += queries[many_rows(name)](connection, zip(*abreast, strict=True))
    if even < rows:
        rest = [column[even:] for column in columns]
        written += queries[name](connection, zip(*rest, strict=True))
    return written


def finder(connection: Connection, queries: BoundQueries) -> FindKeys:
    """A function that looks keys up on the connection on which rows are written."""

    def find(table: Table, names: list[Any]) -> Iterable[tuple[Any, int]]:
        found: Iterable[tuple[Any, int]] = queries[f"{table.aggregate}.identify"](
            connection, {f"{table.key[0]}s": names}
        )
        return found

    return find


def merge(
    connection: Connection,
    queries: BoundQueries,
    table: Table,
    rows: RowEncoder,
    *,
    repeats: bool,
    changes: Callable[[], int | None] = lambda: None,
) -> int:
    """Write the last of the set-aside rows of each key; how many were new or different.

    :param repeats: whether a key may have come twice.
    :param changes: how many rows of the table the transaction has changed so far. If it cannot tell
        (None) and there is a tally, the stored keys are counted, which takes longer.
    :raises RepeatedKeys: if the rows' tally is strict and a key came again.
    :raises Unfit: if rows that lack columns contradict the stored ones.
    """
    name, tally = table.aggregate, rows.tally
    given = {f"with_{column}": int(column not in rows.absent) for column in table.nullable}
    if repeats and tally is not None and tally.strict:
        ranges = queries[f"{name}.superseded"](connection, {})
        if ranges:
            raise RepeatedKeys(ranges)
        repeats = False
    repeated = queries[f"{name}.settle"](connection, {}) if repeats else 0
    before = changes() if tally is not None else 0
    there = queries[f"{name}.there"](connection, {}) if before is None else 0
    if rows.absent and f"{name}.unfit" in queries:
        found = queries[f"{name}.unfit"](connection, given)
        if found:
            raise Unfit([_contradiction(table, each, rows.absent) for each in found])
    written: int = queries[f"{name}.merge"](connection, given)
    if tally is not None:
        tally.repeated = repeated
        if before is None:
            tally.new = rows.count - repeated - there
        else:
            tally.new = written - ((changes() or 0) - before)
    return written


def _contradiction(table: Table, row: Any, absent: Collection[str]) -> tuple[int, str, Any, str]:
    """What is wrong with a row that has one of two fields and contradicts the stored other."""
    assert table.not_below is not None
    upper, lower = table.not_below
    high, low, noun = getattr(row, upper), getattr(row, lower), table.record.__name__.lower()
    if lower in absent:
        return row.place, upper, high, f"is below the stored {lower} of the {noun}, {low}"
    return row.place, lower, low, f"is above the stored {upper} of the {noun}, {high}"
