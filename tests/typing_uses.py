"""Right and wrong uses: a type checker has to refuse each line marked WRONG, and no other."""

from datetime import date

import pandas as pd
import polars as pl
import pyarrow as pa

import repo
from repo import Bar, Database, Sentiment, Ticker, Transaction

BARS = [Bar("AAPL", date(2020, 6, 1), 79.4, 80.6, 79.3, 80.5, 80_791_200)]


def writes(db: Database, table: pa.Table, pandas: pd.DataFrame, polars: pl.DataFrame) -> int:
    """What upsert takes: records in any iterable, and tables."""
    written = db.market.upsert(BARS)
    written += db.market.upsert(bar for bar in BARS)
    written += db.market.upsert(table)
    written += db.market.upsert(pandas)
    written += db.market.upsert(polars)
    db.market.upsert([Ticker("AAPL", "Apple Inc.")])  # WRONG
    db.market.upsert("AAPL")  # WRONG
    db.market.upsert([("AAPL", date(2020, 6, 1), 1.0, 1.0, 1.0, 1.0, 1)])  # WRONG
    db.market.upsert(BARS[0])  # WRONG
    db.market.upsert({"symbol": ["AAPL"]})  # WRONG
    db.tickers.upsert(BARS)  # WRONG
    return written


def reads(db: Database) -> float:
    """What answers are."""
    closes = [bar.close for bar in db.market.history("AAPL", date(2020, 1, 1))]
    db.market.history("AAPL", "2020-01-01")  # WRONG
    days: list[str] = [bar.date for bar in BARS]  # WRONG
    days.append(BARS[0].day)  # WRONG
    ranked = db.divergence.ranking(date(2020, 6, 1), limit=5)
    db.divergence.ranking(date(2020, 6, 1), top=5)  # WRONG
    return sum(closes) + ranked[0].divergence + len(days)


def transactions(db: Database) -> str:
    """What a block and its work are given."""

    def work(tx: Transaction) -> str:
        tx.sentiment.upsert([Sentiment("AAPL", "trends", date(2020, 6, 1), 5)])
        return tx.tickers.get("AAPL").symbol

    with db.transaction(isolation="repeatable read", read_only=True) as tx:
        tx.tickers.all()
    with db.transaction(isolation="repeatable-read"):  # WRONG
        pass
    number: int = db.run(work)  # WRONG
    return db.run(work) + str(number)


def connects(url: str) -> None:
    """What can be set."""
    repo.connect(url, read_only=True, busy_timeout=3, slow_query=0.5).close()
    repo.connect(url, busy_timout=3)  # WRONG
    repo.connect(url, busy_timeout="3")  # WRONG
    repo.connect(url, on_query=lambda name: print(name))  # WRONG
