"""Keys that come more than once in the rows of an upsert."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter, lt
from typing import Any

from repo.batches import Columns
from repo.tables import Table


def deduplicate(batch: Columns, key_width: int) -> tuple[Columns, list[tuple[Any, ...]]]:
    """The batch with only the last row of each key, and the keys in order."""
    keys = list(zip(*batch[:key_width], strict=True))
    if all(map(lt, keys, islice(keys, 1, None))):
        return batch, keys
    last = dict(zip(keys, range(len(keys)), strict=True))
    ordered = sorted(last)
    if len(last) < len(keys):
        kept = sorted(last.values())
        batch = [list(map(column.__getitem__, kept)) for column in batch]
    return batch, ordered


class SeenKeyRanges:
    """The keys seen so far, as one range for each value of the key's first column.

    It holds one range a ticker, and can rule out repeated keys in rows that are sorted by ticker and
    date, by date and ticker, or newest first.
    """

    def __init__(self) -> None:
        self._ranges: dict[Any, tuple[tuple[Any, ...], tuple[Any, ...]]] = {}

    def admit(self, keys: list[tuple[Any, ...]]) -> bool:
        """Whether none of these ordered keys can have come before; if so, they are added."""
        if len(keys[0]) == 1:
            return self._admit(None, keys[0], keys[-1])
        if keys[0][0] == keys[-1][0]:
            return self._admit(keys[0][0], keys[0], keys[-1])
        for first, run in groupby(keys, key=itemgetter(0)):
            group = list(run)
            if not self._admit(first, group[0], group[-1]):
                return False
        return True

    def _admit(self, first: Any, low: tuple[Any, ...], high: tuple[Any, ...]) -> bool:
        seen = self._ranges.get(first)
        if seen is None:
            self._ranges[first] = (low, high)
        elif low > seen[1]:
            self._ranges[first] = (seen[0], high)
        elif high < seen[0]:
            self._ranges[first] = (low, seen[1])
        else:
            return False
        return True


class Passing:
    """Watches batches that are set aside for keys that may be repeated."""

    def __init__(self, table: Table) -> None:
        self._key_width = len(table.key)
        self._ranges = SeenKeyRanges()
        self.repeats = False

    def watch(self, batches: Iterable[Columns]) -> Iterator[Columns]:
        """The same batches; ``repeats`` is whether a key of those so far may have come twice."""
        for batch in batches:
            if not self.repeats:
                _, keys = deduplicate(batch, self._key_width)
                self.repeats = len(keys) < len(batch[0]) or not self._ranges.admit(keys)
            yield batch
