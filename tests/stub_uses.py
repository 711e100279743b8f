"""Uses of an application's queries: checkers have to refuse each line marked WRONG, and no other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import repo

if TYPE_CHECKING:
    from sql.queries import MoversGainersGain, Queries, WatchPutRow

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


def anything(db: repo.Database) -> None:
    """A database of which nothing is said."""
    db.queries.movers.gainers(1)


anything(db)
