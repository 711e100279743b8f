"""Rows written straight into a SQLite table."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any

from repo.backends.base import write_rows
from repo.batches import Columns, RowEncoder, SeenKeyRanges, Tally, deduplicate
from repo.engine import Bound
from repo.errors import IntegrityError, UniqueViolation
from repo.tables import Table

__all__ = ["DirectWrite"]


class DirectWrite:
    """Rows written straight into their table.

    While most rows turn out to be there already, a batch is compared with what is there before it is
    written: reading a row takes half the time of an upsert that changes nothing.
    """

    def __init__(
        self, connection: sqlite3.Connection, queries: Bound, table: Table, values: int
    ) -> None:
        """Take where to write, and how many values a statement."""
        self._connection = connection
        self._queries = queries
        self._table = table
        self._values = values
        self._between = queries.get(f"{table.aggregate}.between")
        self._key = [name for name, *_ in table.written[: len(table.key)]]
        self.comparing = False
        self._there: set[Any] = set()
        self._ranges = SeenKeyRanges()
        self._tally: Tally | None = None
        self._keys = 0

    def write(self, batches: RowEncoder) -> int | None:
        """The number of rows written.

        None where a key of an earlier batch may have come again, or where only all rows together can
        tell what is to be written: for a strict tally, and for a unique value that a later row frees.
        """
        tally = self._tally = batches.tally
        written = 0
        source = batches.read(keep=True, stored=self)
        for batch in source:
            columns, keys = deduplicate(batch, len(self._key))
            if tally is not None and tally.strict and len(keys) < len(batch[0]):
                return None
            if not self._ranges.admit(keys):
                return None
            self._keys += len(keys)
            if self._there:
                rows = zip(*columns, strict=True)
                columns = list(zip(*(row for row in rows if row not in self._there), strict=True))
            try:
                count = self._write(columns)
            except IntegrityError as error:
                if self._table.unique and isinstance(error, UniqueViolation):
                    return None
                # A bad row further on comes before what the database says of this one: PostgreSQL hears
                # of no row before all are read.
                for _ in source:
                    pass
                raise
            written += count
            self._there = set()
            self.comparing = self._between is not None and count < len(keys) / 2
        if tally is not None:
            tally.repeated = batches.count - self._keys
        return written

    def _write(self, columns: Columns) -> int:
        """Write rows; where there is a tally count the new ones apart: as those that can be added.

        On PostgreSQL two statements would take their locks out of order.
        """
        write = partial(write_rows, self._connection, self._queries, self._table, columns, self._values)
        new = 0
        if self._tally is not None and columns:
            new = write(statement="add")
            self._tally.new += new
            if new == len(columns[0]):
                return new
        return new + write()

    def holds(self, batch: Columns) -> bool:
        """Whether these rows lie in the table just so, side by side in the order of their keys."""
        self._there = set()
        if not self.comparing or self._between is None:
            return False
        rows = list(zip(*batch, strict=True))
        limits = dict(zip(self._key, rows[0], strict=False))
        for name, value in zip(self._key, rows[-1], strict=False):
            limits[f"last_{name}"] = value
        there = self._between(self._connection, {**limits, "rows": len(rows) + 1})
        if there == rows:
            return self._tally is None or self._passes(batch)
        self._there = set(there)
        return False

    def _passes(self, batch: Columns) -> bool:
        """Whether no key of a batch that is there can have come before; it counts as seen then."""
        _, keys = deduplicate(batch, len(self._key))
        if not self._ranges.admit(keys):
            return False
        self._keys += len(keys)
        return True
