"""Single values: those that records take, thickest where engines differ."""

from __future__ import annotations

import math
from datetime import date
from typing import Final

from hypothesis import strategies as st

__all__ = [
    "EDGE_DAYS",
    "EDGE_PERCENTS",
    "EDGE_PRICES",
    "EDGE_SCORES",
    "HUGE_COUNTS",
    "INT64_MAX",
    "SMALL_COUNTS",
    "TAME_PRICES",
    "ciks",
    "company_names",
    "counts",
    "cusips",
    "days",
    "percents",
    "prices",
    "scores",
    "small_counts",
    "sources",
    "spelled",
    "symbols",
    "texts",
]

INT64_MAX: Final = 2**63 - 1

EDGE_DAYS: Final = (
    date.min,
    date(1, 1, 2),
    date(1582, 10, 4),
    date(1582, 10, 15),
    date(1899, 12, 31),
    date(1900, 2, 28),
    date(1969, 12, 31),
    date(1970, 1, 1),
    date(1999, 12, 31),
    date(2000, 1, 1),
    date(2000, 2, 29),
    date(2038, 1, 20),
    date(9999, 12, 30),
    date.max,
)

_EDGE_SYMBOLS: Final = (
    *("A", "AA", "AAPL", "B", "BRK.B", "BRK-B", "Z", "0", "007", "1E5", "NAN", "NULL", "TRUE"),
    *(".", "-", "--", "A.", "A-", "ABCDEFGHIJKLMNOP", "0123456789.-AZ00"),
)
_SYMBOL_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

_EDGE_CUSIPS: Final = (
    *("037833100", "000000000", "0000001E5", "00846U101", "999999999", "*********", "@@@@@@@@@"),
    *("#########", "ABCDEFGHI", "*@#00AZ99", "0X1234567", "1E0000010"),
)

_EDGE_NAMES: Final = (
    "Apple Inc.",
    'Procter & Gamble "P&G"; O\'Neil, 100 %',
    "%s %(name)s :name ? $1 {} \\N \\. \\\\",
    "AGILENT TECHNOLOGIES, INC.",
    "Société Générale",
    "Socie\u0301te\u0301 Ge\u0301ne\u0301rale",
    "トヨタ自動車株式会社",
    "삼성전자",
    "Газпром",
    "Εθνική Τράπεζα",
    "البنك الأهلي",
    "\u202eבנק לאומי\u202c",
    "हिन्दुस्तान यूनिलीवर",
    "👩\u200d💻 & 🏳️\u200d🌈 Ltd.",
    "\U0010ffff\ufffe\uffff\ufeff",
    "z\u0335\u0321\u0321\u034b\u0350\u0308",
    "straße STRASSE ſs ﬁ İi Iı",
    " edges \t",
    "line\nbreak\r\nand\u2028another",
    "\x01\x1f\x7f\x80\x9f",
    "null",
    "0",
    "x" * 300,
    "\U0001f4c8" * 300,
)

_EDGE_SOURCES: Final = (
    *("robintrack", "Robintrack", "s", "S", "é", "e\u0301", "ß", "ss", "\uffff", "\U0001f4c8", "~"),
    *(" s", "s ", "'", '"', "%", ":x", "\\", "🦍" * 64, "a" * 64),
)

_EDGE_CIKS: Final = (1, 2, 320193, 807985, 2**31 - 1, 2**31, 2**32, 9_999_999_998, 9_999_999_999)

_PRICE_END: Final = 1e12
EDGE_PRICES: Final = (
    *(5e-324, 1e-323, 2.2250738585072009e-308, 2.2250738585072014e-308, 1e-300, 1e-05, 4.9999999e-05),
    *(5e-05, 0.00015, 0.1, 0.2, 0.30000000000000004, 1 / 3, 1.0, 1.00005, 1.0000000000000002, 2.5, 3.0),
    *(123.45678901234567, 9007199254.740993, 99999999999.99998, 1e11, 549755813888.0),
    *(math.nextafter(_PRICE_END, 0), 999999999999.0),
)
EDGE_SCORES: Final = (
    *(-1.0, -0.9999999999999999, -0.1, -2.2250738585072014e-308, -5e-324, -0.0, 0.0, 5e-324),
    *(0.1, 1 / 3, 0.30000000000000004, 0.9999999999999999, 1.0),
)
EDGE_PERCENTS: Final = (
    *(-0.0, 0.0, 5e-324, 2.2250738585072014e-308, 0.1, 1 / 3, 7.0, 33.333333333333336),
    *(99.99999999999999, 100.0),
)
TAME_PRICES: Final = (1.0, 2.5, 3.0, 0.1, 123.45678901234567, 1 / 3, 99999999999.99998, 0.00015, 2.0)
"""Prices of which any two have a quotient."""

SMALL_COUNTS: Final = (1, 0, 2, 3, 4, 6, 10, 12, 100, 999, 10**6, 71_886_963)
"""Counts whose sums fit and whose quotients tie."""

HUGE_COUNTS: Final = (0, 1, 2, 3 * 10**9, 2**61, 2**62 - 1, 2**62, INT64_MAX - 1, INT64_MAX)
"""Counts of which a few add up to about 2**63, and whose products pass it."""

_EDGE_COUNTS: Final = (
    *(0, 1, 2, 127, 128, 255, 256, 32767, 32768, 2**31 - 1, 2**31, 2**32, 2**53 - 1, 2**53, 2**53 + 1),
    *(2**62, INT64_MAX - 1, INT64_MAX),
)


def symbols() -> st.SearchStrategy[str]:
    """Symbols in upper case."""
    return st.sampled_from(_EDGE_SYMBOLS) | st.text(_SYMBOL_LETTERS, min_size=1, max_size=16)


def spelled(symbol: str) -> st.SearchStrategy[str]:
    """Ways to write a symbol or a CUSIP that mean the same."""
    return st.sampled_from(sorted({symbol, symbol.lower(), symbol.capitalize()}, reverse=True))


def cusips() -> st.SearchStrategy[str]:
    """CUSIPs in upper case, some of which look like numbers."""
    return st.sampled_from(_EDGE_CUSIPS) | st.text(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*@#", min_size=9, max_size=9
    )


def texts(length: int) -> st.SearchStrategy[str]:
    """Text that databases take: no NUL, no lone surrogate, not blank."""
    letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    return st.text(letters, min_size=1, max_size=length).filter(lambda text: bool(text.strip()))


def company_names() -> st.SearchStrategy[str]:
    """Names in several scripts, up to the 300 characters there may be."""
    return st.sampled_from(_EDGE_NAMES) | texts(300)


def sources() -> st.SearchStrategy[str]:
    """Names of sources, some alike but for case, accents or blanks."""
    return st.sampled_from(_EDGE_SOURCES) | texts(64)


def ciks() -> st.SearchStrategy[int]:
    """Central Index Keys over their whole range."""
    return st.sampled_from(_EDGE_CIKS) | st.integers(1, 9_999_999_999)


def days() -> st.SearchStrategy[date]:
    """Any day there is, often one at which something ends or begins."""
    return st.sampled_from(EDGE_DAYS) | st.dates()


def prices() -> st.SearchStrategy[float]:
    """Prices from the smallest float above 0 to the greatest below 1e12."""
    return (
        st.sampled_from(EDGE_PRICES)
        | st.floats(5e-324, math.nextafter(_PRICE_END, 0))
        | st.integers(1, 1_000_000).map(lambda cents: cents / 100)
    )


def scores() -> st.SearchStrategy[float]:
    """Scores from -1 to 1, both zeros among them."""
    return st.sampled_from(EDGE_SCORES) | st.floats(-1.0, 1.0)


def percents() -> st.SearchStrategy[float]:
    """Percentages from 0 to 100, both zeros among them."""
    return st.sampled_from(EDGE_PERCENTS) | st.floats(0.0, 100.0)


def counts() -> st.SearchStrategy[int]:
    """Counts over all of 0 to 2**63 - 1."""
    return st.sampled_from(_EDGE_COUNTS) | st.integers(0, INT64_MAX)


def small_counts() -> st.SearchStrategy[int]:
    """Counts whose sums fit and whose quotients tie."""
    return st.integers(0, 10**9)
