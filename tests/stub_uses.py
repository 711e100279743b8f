"""Uses of an application's queries: checkers have to refuse each line marked WRONG, and no other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import repo

if TYPE_CHECKING:
    from sql.queries import MoversGainersGain, OddListdate, Queries, WatchPutRow

db: repo.Database[Queries] = repo.connect("sqlite://", queries=["sql"])


def reads(db: repo.Database[Queries], day: date) -> float:
    """What names, parameters and records there are."""
    gains: list[MoversGainersGain] = db.queries.movers.gainers(as_of=day, symbols=["AAPL"], limit=None)
    db.queries.movers.gainers(as_of="2020-06-01", symbols=["AAPL"], limit=3)  # WRONG
    db.queries.movers.gainers(as_of=day, symbols="AAPL", limit=3)  # WRONG
    db.queries.movers.gainers(as_of=day, symbols=("AAPL",))  # WRONG
    db.queries.movers.gainers(day, ["AAPL"], 3)  # WRONG
    db.queries.movers.losers(as_of=day)  # WRONG
    db.queries.mover.gainers(as_of=day)  # WRONG
    bars = db.queries.market.history(symbol="AAPL", start=None, end=day)
    db.queries.market.history(symbol="AAPL", begin=day, end=day)  # WRONG
    share: float = db.queries.movers.share(symbol="AAPL")  # WRONG
    share = db.queries.movers.share(symbol="AAPL") or 0.0
    last = db.queries.market.last(symbol="AAPL")
    changes = [gain.chang for gain in gains]  # WRONG
    return gains[0].change + bars[0].close + share + len(changes) + (last.close if last else 0.0)


def writes(db: repo.Database[Queries], rows: Iterable[WatchPutRow]) -> int:
    """What rows a query takes, in a transaction too."""
    with db.transaction() as tx:
        tx.queries.watch.put(rows)
        tx.queries.watch.put([{"symbol": "AAPL", "target": 1.0}])
        tx.queries.watch.put([{"symbol": "AAPL", "goal": 1.0}])  # WRONG
        written: str = tx.queries.watch.drop(symbol="AAPL")  # WRONG
    return db.run(lambda tx: tx.queries.watch.drop(symbol=written))


def odd(db: repo.Database[Queries], day: date) -> int | None:
    """Names of queries, parameters and columns that are those of types."""
    rows: list[OddListdate] = db.queries.odd.list(since=day, date=None)
    db.queries.odd.list(since=day, date="2020-06-01")  # WRONG
    days: list[date] = [row.date for row in rows]
    days = [row.until for row in rows]  # WRONG
    bar: repo.Bar = db.queries.odd.int(symbols="A")  # WRONG
    bar = db.queries.odd.int(symbols="A") or repo.Bar("A", day, None, None, None, 1.0, None)
    db.queries.odd.put([{"date": bar.date, "at": day}])  # WRONG
    written: int = db.queries.odd.put([{"date": bar.date, "at": None}])
    one: int = db.queries.odd.date()  # WRONG
    index: str = rows[0].index  # WRONG
    return db.queries.odd.date() or rows[0].count + len(days) + written + one + len(index)


def anything(db: repo.Database) -> None:
    """A database of which nothing is said."""
    db.queries.movers.gainers(1)


anything(db)
