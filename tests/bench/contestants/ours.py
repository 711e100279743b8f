"""This package, as a caller uses it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import repo
from repo import Bar, Divergence, Summary
from tests.bench.contestants.base import Contestant
from tests.bench.data import SOURCE, WINDOW_DAYS

__all__ = ["Ours"]


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

    def cross_section(self, day: date) -> list[Bar]:
        return self.db.market.on(day)

    def summary(self, symbol: str, start: date, end: date) -> Summary | None:
        return self.db.market.summary(symbol, start, end)

    def ranking(self, as_of: date) -> list[Divergence]:
        return self.db.divergence.ranking(as_of, SOURCE, WINDOW_DAYS)

    def load(self, bars: Sequence[Bar]) -> int:
        return self.db.market.upsert(bars)

    def delete(self, symbol: str, start: date, end: date) -> int:
        return self.db.market.delete(symbol, start, end)
