"""Rows as they are stored, between two keys: asked by names, for each database numbers its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from hypothesis import strategies as st

import repo
from tests.equivalence.reads import asked_sources, asked_symbols
from tests.strategies import Content, within

__all__ = ["keys_between", "read_between"]

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "market": ("ticker_id", "date"),
    "holdings": ("ticker_id", "quarter_end", "institution_id", "filing_date"),
    "sentiment": ("ticker_id", "source", "date"),
}
_EPOCH: Final = date(1970, 1, 1).toordinal()
_LARGEST_KEY: Final = 2**31 - 1


def keys_between(content: Content) -> st.SearchStrategy[dict[str, Any]]:
    """From one ticker, source and day to another, and how many rows at the most."""
    key = st.tuples(asked_symbols(content).map(str.upper), asked_sources(content), within(content.days))
    return st.builds(
        lambda pair, rows: {"first": min(pair), "last": max(pair), "rows": rows},
        st.tuples(key, key),
        st.sampled_from((1000, 0, 1, 5)),
    )


def _limits(
    db: repo.Database,
    key: tuple[str, ...],
    end: tuple[str, str, date],
    ids: Mapping[str, int],
    institution: int,
) -> list[Any]:
    symbol, source, on = end
    # What no record decodes, no type codes either: days go in as they are stored.
    day = on.toordinal() - _EPOCH if db.dialect == "sqlite" else on
    values: dict[str, Any] = dict.fromkeys(("date", "quarter_end", "filing_date"), day)
    values |= {"ticker_id": ids.get(symbol, 0), "source": source, "institution_id": institution}
    return [values[column] for column in key]


def read_between(db: repo.Database, name: str, arguments: Mapping[str, Any]) -> Any:
    """The rows with names for keys and dates for days; no record says how to decode them.

    Each database numbers tickers in the order they came, but institutions as it likes: holdings are
    asked of all institutions, all at once, and sorted.
    """
    aggregate = name.partition(".")[0]
    key = _KEYS[aggregate]
    read = db._session.read
    symbols = [ticker.symbol for ticker in db.tickers.all()]
    ciks = [institution.cik for institution in db.institutions.all()]
    ids = {row.symbol: row.ticker_id for row in read("tickers.identify", symbols=symbols)}
    names: dict[str, dict[int, Any]] = {
        "ticker_id": {number: symbol for symbol, number in ids.items()},
        "institution_id": {
            row.institution_id: row.cik for row in read("institutions.identify", ciks=ciks)
        },
    }
    rows = read(
        name,
        **dict(zip(key, _limits(db, key, arguments["first"], ids, 0), strict=True)),
        **{
            f"last_{column}": value
            for column, value in zip(
                key, _limits(db, key, arguments["last"], ids, _LARGEST_KEY), strict=True
            )
        },
        rows=1000 if aggregate == "holdings" else arguments["rows"],
    )
    named = [
        tuple(_named(value, names.get(column), column) for value, column in zip(row, (*key, *[""] * 9)))  # noqa: B905  # the key comes first
        for row in rows
    ]
    return sorted(named) if aggregate == "holdings" else named


def _named(value: Any, names: Mapping[int, Any] | None, column: str) -> Any:
    if names is not None:
        return names[value]
    if column in ("date", "quarter_end", "filing_date") and isinstance(value, int):
        return date.fromordinal(value + _EPOCH)
    return value
