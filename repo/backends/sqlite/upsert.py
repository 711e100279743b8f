"""Rows written straight into a SQLite table."""

from __future__ import annotations

import sqlite3
from typing import Any

from repo.backends.repeats import SeenKeyRanges, deduplicate
from repo.backends.upserts import finder, write_many
from repo.batches import Columns, RowEncoder, Tally
from repo.binding import BoundQueries
from repo.errors import IntegrityError, UniqueViolation
from repo.tables import Table


class DirectWrite:
    """Rows written straight into their table.

    While most rows turn out to be stored already, each batch is first compared with the stored rows:
    reading a row takes half the time of an upsert that changes nothing.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        queries: BoundQueries,
        table: Table,
        values: int,
        tally: Tally | None,
    ) -> None:
        """Take where to write, and how many values a statement is given."""
        self._connection = connection
        self._queries = queries
        self._table = table
        self._values = values
        self._tally = tally
        self._between = queries.get(f"{table.aggregate}.between")
        self._key = [name for name, *_ in table.written[: len(table.key)]]
        self._comparing = False
        self._ranges = SeenKeyRanges()
        self._keys = 0

    def write(self, rows: RowEncoder) -> int | None:
        """The number of rows written.

        None if a key of an earlier batch may have come again, or all rows must be known first: for a
        strict tally, and for a unique value that a later row frees.
        """
        written = 0
        batches = rows.batches(finder(self._connection, self._queries), keep=True)
        for batch in batches:
            there = self._there(batch.columns) if self._comparing else set()
            if there is None:
                continue
            checked = batch.checked()
            if checked is None:
                continue
            try:
                count = self._write_new(checked, there)
            except IntegrityError as error:
                if self._table.unique and isinstance(error, UniqueViolation):
                    return None
                # A bad row further on is reported first, as on PostgreSQL, which gets no row before all
                # are read.
                for each in batches:
                    each.checked()
                raise
            if count is None:
                return None
            written += count
        if self._tally is not None:
            self._tally.repeated = rows.count - self._keys
        return written

    def _there(self, batch: Columns) -> set[tuple[Any, ...]] | None:
        """The stored rows from a batch's first key to its last, at most one more than the batch has.

        None if they equal the batch, which then needs no check of its numbers.
        """
        assert self._between is not None
        limits = {"rows": len(batch[0]) + 1}
        for name, column in zip(self._key, batch, strict=False):
            limits[name], limits[f"last_{name}"] = column[0], column[-1]
        there: list[tuple[Any, ...]] = self._between(self._connection, limits)
        if there == list(zip(*batch, strict=True)) and (
            self._tally is None or self._admit(deduplicate(batch, len(self._key))[1])
        ):
            return None
        return set(there)

    def _write_new(self, batch: Columns, there: set[tuple[Any, ...]]) -> int | None:
        """Write the rows that are not in ``there``; None if a key may have come before."""
        columns, keys = deduplicate(batch, len(self._key))
        strict = self._tally is not None and self._tally.strict
        if (strict and len(keys) < len(batch[0])) or not self._admit(keys):
            return None
        if there:
            new = (row for row in zip(*columns, strict=True) if row not in there)
            columns = list(zip(*new, strict=True))
        count = self._write(columns)
        self._comparing = self._between is not None and count < len(keys) / 2
        return count

    def _admit(self, keys: list[tuple[Any, ...]]) -> bool:
        """Whether no earlier batch of this upsert can have had one of these keys; if so, counts them."""
        admitted = self._ranges.admit(keys)
        if admitted:
            self._keys += len(keys)
        return admitted

    def _write(self, columns: Columns) -> int:
        """Write rows. For a tally, the new ones are added and counted first.

        On PostgreSQL two such statements would take locks out of order.
        """
        new = 0
        if self._tally is not None and columns:
            new = self._run(columns, statement="add")
            self._tally.new += new
            if new == len(columns[0]):
                return new
        return new + self._run(columns, statement="upsert")

    def _run(self, columns: Columns, *, statement: str) -> int:
        name = f"{self._table.aggregate}.{statement}"
        return write_many(self._connection, self._queries, name, columns, self._values)
