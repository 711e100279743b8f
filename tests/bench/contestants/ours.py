"""This package, as a caller uses it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import repo
from repo import Bar
from tests.bench.contestants.base import Contestant


class Ours(Contestant):
    """``repo.connect()`` with nothing but the URL: checked rows in, records out."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.db = repo.connect(url)

    def close(self) -> None:
        self.db.close()

    def latest(self, symbol: str) -> Bar:
        return self.db.market.latest([symbol])[0]

    def history(self, symbol: str, start: date, end: date) -> list[Bar]:
        return self.db.market.history(symbol, start, end)

    def load(self, bars: Sequence[Bar]) -> int:
        return self.db.market.upsert(bars)
