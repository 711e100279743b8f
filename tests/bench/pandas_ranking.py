"""The ranking in pandas, over the rows known on a day as SQLAlchemy Core reads them."""

from __future__ import annotations

from datetime import date
from importlib import import_module
from typing import Any

import sqlalchemy as sa

from tests.bench.contestants.sqlalchemy_core import Day

_pandas: Any = import_module("pandas")


def _frame(connection: sa.Connection, statement: Any) -> Any:
    # By columns: pandas looks at every Row of SQLAlchemy's for a long time.
    found = connection.execute(statement)
    return _pandas.DataFrame(dict(zip(found.keys(), zip(*found.all(), strict=True), strict=True)))


def _table(name: str, day: Any, days: list[str], others: list[str]) -> Any:
    return sa.table(
        name, *(sa.column(each, day) for each in days), *(sa.column(each) for each in others)
    )


def _flows(held: Any) -> Any:
    """The flow of each ticker, from filings known that day."""
    newest = held["quarter_end"].max()
    before = held.loc[held["quarter_end"] < newest, "quarter_end"].max()
    both = held[held["quarter_end"].isin([newest, before])]
    last = both.sort_values("filing_date").drop_duplicates(
        ["ticker_id", "institution_id", "quarter_end"], keep="last"
    )
    quarters = last.groupby("institution_id")["quarter_end"].nunique()
    last = last[last["institution_id"].isin(quarters.index[quarters == 2])]
    now = last[last["quarter_end"] == newest].groupby("ticker_id")["shares_held"].sum()
    then = last[last["quarter_end"] == before].groupby("ticker_id")["shares_held"].sum()
    sides = _pandas.DataFrame({"now": now, "before": then}).fillna(0).astype("int64")
    sides = sides[sides["before"] > 0]
    return (sides["now"] - sides["before"]) / sides["before"]


def _changes(interest: Any, recent_from: date) -> Any:
    """The change of interest of each ticker, from the rows of both windows."""
    recent = interest["date"] >= recent_from
    now = interest[recent].groupby("ticker_id")["interest"].agg(["sum", "count"])
    before = interest[~recent].groupby("ticker_id")["interest"].agg(["sum", "count"])
    both = now.join(before, how="inner", lsuffix="_r", rsuffix="_p")
    both = both[both["sum_p"] > 0]
    product = both["sum_p"] * both["count_r"]
    return (both["sum_r"] * both["count_p"] - product) / product


def _returns(bars: Any, recent_from: date) -> Any:
    """The price return of each ticker, from bars by date."""
    now = bars.groupby("ticker_id")["close"].last()
    then = bars[bars["date"] < recent_from].groupby("ticker_id")["close"].last()
    return now / then - 1


def ranking(engine: sa.Engine, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of the ranking, as this package defines it."""
    day: Any = Day() if engine.dialect.name == "sqlite" else sa.Date()
    tickers = _table("tickers", day, [], ["ticker_id", "symbol"])
    h = _table(
        "institutional_holdings",
        day,
        ["quarter_end", "filing_date"],
        ["ticker_id", "institution_id", "shares_held"],
    )
    s = _table("retail_sentiment", day, ["date"], ["ticker_id", "source", "interest"])
    m = _table("market_data", day, ["date"], ["ticker_id", "close"])
    as_of, recent_from = parameters["as_of"], parameters["recent_from"]
    known = sa.select(h).where(h.c.filing_date <= as_of)
    asked = sa.select(s.c.ticker_id, s.c.date, s.c.interest).where(
        s.c.source == parameters["source"], s.c.date.between(parameters["before_from"], as_of)
    )
    closes = sa.select(m).where(m.c.date <= as_of).order_by(m.c.ticker_id, m.c.date)
    with engine.connect() as connection:
        symbols = dict(map(tuple, connection.execute(sa.select(tickers))))
        held, interest, bars = (_frame(connection, each) for each in (known, asked, closes))
    found = _pandas.DataFrame(
        {"flow": _flows(held), "interest_change": _changes(interest, recent_from)}
    ).dropna()
    found["price_return"] = _returns(bars, recent_from)
    for rank, by in (("institutional_rank", "flow"), ("retail_rank", "interest_change")):
        found[rank] = (found[by].rank(method="min") - 1) / max(len(found) - 1, 1)
    found["divergence"] = found["institutional_rank"] - found["retail_rank"]
    found.insert(0, "symbol", found.index.map(symbols))
    found.insert(1, "as_of", as_of)
    found = found.sort_values(["divergence", "symbol"], ascending=[False, True])
    return [
        (row[0], row[1], *(None if value != value else float(value) for value in row[2:]))
        for row in found.itertuples(index=False, name=None)
    ]
