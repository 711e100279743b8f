"""Rows of one database upserted into another, by symbols and CIKs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Any

from repo.errors import TransferError
from repo.records import Holding
from repo.tables import TABLES
from repo.transfer.slices import Slice

if TYPE_CHECKING:
    from repo.database import Database


def merge(source: Database, target: Database, part: Slice) -> dict[str, int]:
    """Upsert a slice in one transaction, and see by doing it again that nothing differs.

    :returns: how many rows of each table were new or different.
    """
    since, until = part.since, part.until
    with source.transaction(read_only=True, isolation="repeatable read") as old:
        tickers = old.tickers.all()
        if part.symbols is not None:
            tickers = [old.tickers.get(symbol) for symbol in dict.fromkeys(part.symbols)]
        symbols = [each.symbol for each in tickers]

        def held() -> Iterator[Holding]:
            for symbol in symbols:
                for each in old.holdings.history(symbol):
                    if (since or date.min) <= each.filing_date <= (until or date.max):
                        yield each

        institutions = old.institutions.all()
        if not part.whole:
            ciks = {each.cik for each in held()}
            institutions = [each for each in institutions if each.cik in ciks]

        def merged(new: Database) -> dict[str, int]:
            rows: dict[str, Iterable[Any]] = {
                "tickers": tickers,
                "institutions": institutions,
                "market": chain.from_iterable(
                    old.market.history(symbol, since, until) for symbol in symbols
                ),
                "holdings": held(),
                "sentiment": chain.from_iterable(
                    old.sentiment.history(symbol, since, until) for symbol in symbols
                ),
            }
            # By the tables, so that one that is not above fails instead of being left out.
            return {
                table.name: getattr(new, aggregate).upsert(rows[aggregate])
                for aggregate, table in TABLES.items()
            }

        with target.transaction(isolation="read committed") as new:
            written = merged(new)
            if any(again := merged(new).values()):
                raise TransferError(f"{sum(again)} rows differ after they were merged")
    return written
