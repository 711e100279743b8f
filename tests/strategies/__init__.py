"""Hypothesis strategies: rows, whole databases and what must be refused, thickest where it breaks."""

from tests.strategies.bad import (
    GOOD,
    REFUSED_ARGUMENTS,
    REFUSED_ROWS,
    REFUSED_VALUES,
    NumpyLike,
    OwnDate,
    OwnFloat,
    OwnInt,
    OwnText,
    refused_rows,
    refused_values,
)
from tests.strategies.content import Content, calendar, contents, within
from tests.strategies.rows import (
    Palette,
    bars,
    holdings,
    institutions,
    palettes,
    sentiment_rows,
    tickers,
)

__all__ = [
    "GOOD",
    "REFUSED_ARGUMENTS",
    "REFUSED_ROWS",
    "REFUSED_VALUES",
    "Content",
    "NumpyLike",
    "OwnDate",
    "OwnFloat",
    "OwnInt",
    "OwnText",
    "Palette",
    "bars",
    "calendar",
    "contents",
    "holdings",
    "institutions",
    "palettes",
    "refused_rows",
    "refused_values",
    "sentiment_rows",
    "tickers",
    "within",
]
