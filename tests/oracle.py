"""What the repositories' reads must answer, in plain Python, straight from the definitions.

Slow and obvious on purpose: no SQL, nothing of the package, every rule where it can be read. The
answers are plain tuples in the field order of the records, so they compare equal to them.
Arguments are taken to be valid; the oracle says what comes out, not what is refused on the way in.
"""

import csv
import gzip
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

# Content, as the tables key it.
TickerContent = tuple[str, str | None]
BarContent = tuple[float | None, float | None, float | None, float, int | None]
HoldingContent = tuple[int, int, float | None]
SentimentContent = tuple[int, float | None]

# Answers, in the order of the records' fields.
TickerRow = tuple[str, str, str | None]
InstitutionRow = tuple[int, str]
BarRow = tuple[str, date, float | None, float | None, float | None, float, int | None]
HoldingRow = tuple[str, int, date, date, int, int, float | None]
SentimentRow = tuple[str, str, date, int, float | None]
CoverageRow = tuple[str, date, date, int]
SummaryRow = tuple[
    str,
    date,
    date,
    int,
    float | None,
    float | None,
    float | None,
    float,
    int | None,
    float,
    float | None,
]
PointRow = tuple[date, float, int | None, int | None]
DivergenceRow = tuple[str, date, float, float, float | None, float, float, float]

TIMELINE_DAYS = 7
PRODUCT_END = 9e18


class Unknown(Exception):
    """Symbols were asked for that no ticker has."""

    def __init__(self, symbols: list[str]) -> None:
        super().__init__(symbols)
        self.symbols = symbols


class SeveralSources(Exception):
    """No source was named and there is more than one to choose from."""

    def __init__(self, sources: list[str]) -> None:
        super().__init__(sources)
        self.sources = sources


class OutOfRange(Exception):
    """A sum left signed 64 bits, a product reached its end, or a quotient left the floats."""


@dataclass(frozen=True)
class World:
    """The whole content of a database, and the right answer to every read of it."""

    tickers: Mapping[str, TickerContent] = field(default_factory=dict)
    """symbol: (company_name, cusip)"""
    institutions: Mapping[int, str] = field(default_factory=dict)
    """cik: name"""
    bars: Mapping[tuple[str, date], BarContent] = field(default_factory=dict)
    """(symbol, date): (open, high, low, close, volume)"""
    holdings: Mapping[tuple[str, date, int, date], HoldingContent] = field(default_factory=dict)
    """(symbol, quarter_end, cik, filing_date): (shares_held, market_value, ownership_percent)"""
    sentiment: Mapping[tuple[str, str, date], SentimentContent] = field(default_factory=dict)
    """(symbol, source, date): (interest, score)"""

    # -- tickers and institutions ---------------------------------------------------------------

    def tickers_all(self) -> list[TickerRow]:
        """Every ticker, by symbol."""
        return sorted((symbol, name, cusip) for symbol, (name, cusip) in self.tickers.items())

    def institutions_all(self) -> list[InstitutionRow]:
        """Every institution, by CIK."""
        return sorted(self.institutions.items())

    # -- market ---------------------------------------------------------------------------------

    def market_history(
        self, symbol: str, start: date | None = None, end: date | None = None
    ) -> list[BarRow]:
        """The bars of one ticker in an inclusive range, by date."""
        symbol = self._known_symbol(symbol)
        return [bar for bar in self._bars() if bar[0] == symbol and within(bar[1], start, end)]

    def market_latest(self, symbols: Iterable[str] | None = None) -> list[BarRow]:
        """The last bar of each ticker asked for (None: of all) that has bars, by symbol."""
        wanted = set(self.tickers) if symbols is None else set(self._known_symbols(symbols))
        latest = {bar[0]: bar for bar in self._bars() if bar[0] in wanted}
        return [latest[symbol] for symbol in sorted(latest)]

    def market_on(self, day: date) -> list[BarRow]:
        """The bars of exactly that day, by symbol."""
        return [bar for bar in self._bars() if bar[1] == day]

    def market_coverage(self) -> list[CoverageRow]:
        """First day, last day and number of bars of each ticker that has bars, by symbol."""
        days: dict[str, list[date]] = {}
        for bar in self._bars():
            days.setdefault(bar[0], []).append(bar[1])
        return [(symbol, min(of), max(of), len(of)) for symbol, of in sorted(days.items())]

    def market_summary(
        self, symbol: str, start: date | None = None, end: date | None = None
    ) -> SummaryRow | None:
        """One ticker's bars of an inclusive range in one row; None when there are no bars."""
        bars = self.market_history(symbol, start, end)
        if not bars:
            return None
        first, last = bars[0], bars[-1]
        highs = [bar[3] for bar in bars if bar[3] is not None]
        lows = [bar[4] for bar in bars if bar[4] is not None]
        volumes = [bar[6] for bar in bars if bar[6] is not None]
        closes = fitting(sum(math.floor(bar[5] * 1e4 + 0.5) for bar in bars))
        volume = fitting(sum(volumes)) if volumes else None
        return (
            first[0],
            first[1],
            last[1],
            len(bars),
            first[2],
            max(highs, default=None),
            min(lows, default=None),
            last[5],
            volume,
            quotient(closes, len(bars) * 10000),
            None if volume is None else quotient(volume, len(volumes)),
        )

    # -- holdings -------------------------------------------------------------------------------

    def holdings_history(
        self, symbol: str, start: date | None = None, end: date | None = None
    ) -> list[HoldingRow]:
        """Every filing of one ticker for quarters in the range, by quarter, CIK, filing date."""
        symbol = self._known_symbol(symbol)
        rows = [row for row in self._holdings() if row[0] == symbol and within(row[2], start, end)]
        return sorted(rows, key=lambda row: (row[2], row[1], row[3]))

    def holdings_known(self, symbol: str, as_of: date) -> list[HoldingRow]:
        """Each institution's last word on the ticker's newest quarter known that day, by CIK."""
        return newest_quarter(self.holdings_history(symbol), as_of)

    # -- sentiment ------------------------------------------------------------------------------

    def sentiment_history(
        self, symbol: str, start: date | None = None, end: date | None = None, source: str | None = None
    ) -> list[SentimentRow]:
        """One ticker's rows in the range, of one source or (None) of all, by date, source."""
        symbol = self._known_symbol(symbol)
        rows = [
            (of, from_source, day, interest, positive_zero(score))
            for (of, from_source, day), (interest, score) in self.sentiment.items()
            if of == symbol and within(day, start, end) and source in (None, from_source)
        ]
        return sorted(rows, key=lambda row: (row[2], row[1]))

    def sentiment_sources(self) -> list[str]:
        """Every source that has a row, sorted."""
        return sorted({source for _, source, _ in self.sentiment})

    # -- divergence -----------------------------------------------------------------------------

    def ranking(
        self, as_of: date, source: str | None = None, window_days: int = 90, limit: int | None = None
    ) -> list[DivergenceRow]:
        """Who buys while the other looks away, greatest divergence first, then by symbol."""
        source = self._one_source(source)
        # Interest is looked at of the tickers that were held before, and closes of those that are
        # returned: only there can a number that does not fit be an error.
        if limit == 0:
            return []  # nothing is added up for an answer of no rows
        flows = self._flows(as_of)
        changes = self._interest_changes(flows.keys(), as_of, source, window_days)
        left = changes.keys()
        institutional = percent_rank({symbol: flows[symbol] for symbol in left})
        retail = percent_rank({symbol: changes[symbol] for symbol in left})
        now = self._last_closes(as_of.toordinal())
        then = self._last_closes(as_of.toordinal() - window_days)
        divergence = {symbol: institutional[symbol] - retail[symbol] + 0.0 for symbol in left}
        ordered = sorted(left, key=lambda symbol: (-divergence[symbol], symbol))
        return [
            (
                symbol,
                as_of,
                flows[symbol],
                changes[symbol],
                price_return(now.get(symbol), then.get(symbol)),
                institutional[symbol],
                retail[symbol],
                divergence[symbol],
            )
            for symbol in ordered[:limit]
        ]

    def timeline(
        self, symbol: str, start: date | None = None, end: date | None = None, source: str | None = None
    ) -> list[PointRow]:
        """Price, interest and known shares of one ticker on each day it has a bar."""
        bars = self.market_history(symbol, start, end)
        filings = self.holdings_history(symbol)
        source = self._one_source(source)
        interests: dict[int, int] = {}
        if source is not None:
            for row in self.sentiment_history(symbol, source=source):
                interests[row[2].toordinal()] = row[3]
        # What was known is added up on every day of a filing up to the last bar, even where an
        # amendment came before the next bar.
        for filed in {row[3] for row in filings if bars and row[3] <= bars[-1][1]}:
            fitting(sum(row[4] for row in newest_quarter(filings, filed)))
        points: list[PointRow] = []
        for bar in bars:
            today = bar[1].toordinal()
            recent = [interests.get(today - back) for back in range(TIMELINE_DAYS)]
            interest = next((value for value in recent if value is not None), None)
            known = newest_quarter(filings, bar[1])
            shares = sum(row[4] for row in known) if known else None
            points.append((bar[1], bar[5], interest, shares))
        return points

    # -- the parts of the ranking ---------------------------------------------------------------

    def _flows(self, as_of: date) -> dict[str, float]:
        """Relative change of the shares held, of each ticker that was held before."""
        # The last word on each (ticker, institution, quarter). Rows come by filing date, so a
        # later filing takes the place of an earlier one.
        last_word: dict[tuple[str, int, date], int] = {}
        for symbol, cik, quarter, filed, shares, _, _ in self._holdings():
            if filed <= as_of:
                last_word[symbol, cik, quarter] = shares
        quarters = sorted({quarter for _, _, quarter in last_word})
        if len(quarters) < 2:
            return {}
        current, previous = quarters[-1], quarters[-2]
        filed_current = {cik for _, cik, quarter in last_word if quarter == current}
        filed_previous = {cik for _, cik, quarter in last_word if quarter == previous}
        matched = filed_current & filed_previous
        now = dict.fromkeys(self.tickers, 0)
        before = dict.fromkeys(self.tickers, 0)
        for (symbol, cik, quarter), shares in last_word.items():
            if cik in matched and quarter == current:
                now[symbol] += shares
            if cik in matched and quarter == previous:
                before[symbol] += shares
        for total in (*now.values(), *before.values()):
            fitting(total)
        return {
            symbol: quotient(fitting(now[symbol] - before[symbol]), before[symbol])
            for symbol in self.tickers
            if before[symbol] > 0
        }

    def _interest_changes(
        self, symbols: Collection[str], as_of: date, source: str | None, window: int
    ) -> dict[str, float]:
        """Relative change of mean interest, of each of the tickers with rows in both windows."""
        # Ordinals, because as_of minus two windows may lie before the first date there is.
        today = as_of.toordinal()
        recent: dict[str, list[int]] = {}
        before: dict[str, list[int]] = {}
        for (symbol, from_source, day), (interest, _) in self.sentiment.items():
            if from_source != source or symbol not in symbols:
                continue
            if today - window < day.toordinal() <= today:
                recent.setdefault(symbol, []).append(interest)
            if today - 2 * window < day.toordinal() <= today - window:
                before.setdefault(symbol, []).append(interest)
        for interests in (*recent.values(), *before.values()):
            fitting(sum(interests))
        changes: dict[str, float] = {}
        for symbol in recent.keys() & before.keys():
            r, nr = sum(recent[symbol]), len(recent[symbol])
            p, np = sum(before[symbol]), len(before[symbol])
            if p > 0:
                grown, base = product(r, np), product(p, nr)
                changes[symbol] = quotient(grown - base, base)
        return changes

    def _last_closes(self, by: int) -> dict[str, float]:
        """The close of each ticker's last bar on or before a day, given by its ordinal."""
        # Bars come by date, so a later one takes the place of an earlier one.
        return {bar[0]: bar[5] for bar in self._bars() if bar[1].toordinal() <= by}

    # -- shared ---------------------------------------------------------------------------------

    def _known_symbols(self, symbols: Iterable[str]) -> list[str]:
        """The symbols folded; Unknown naming every one that no ticker has."""
        folded = [fold(symbol) for symbol in symbols]
        missing = sorted({symbol for symbol in folded if symbol not in self.tickers})
        if missing:
            raise Unknown(missing)
        return folded

    def _known_symbol(self, symbol: str) -> str:
        return self._known_symbols([symbol])[0]

    def _one_source(self, source: str | None) -> str | None:
        """The source named, else the only one there is, else (with none at all) None."""
        if source is not None:
            return source
        sources = self.sentiment_sources()
        if len(sources) > 1:
            raise SeveralSources(sources)
        return sources[0] if sources else None

    def _bars(self) -> list[BarRow]:
        """Every bar, by symbol and date."""
        return [(symbol, day, *self.bars[symbol, day]) for symbol, day in sorted(self.bars)]

    def _holdings(self) -> list[HoldingRow]:
        """Every filing, by symbol, quarter, CIK and filing date."""
        rows: list[HoldingRow] = []
        for key in sorted(self.holdings):
            symbol, quarter, cik, filed = key
            shares, value, percent = self.holdings[key]
            rows.append((symbol, cik, quarter, filed, shares, value, positive_zero(percent)))
        return rows


def newest_quarter(filings: list[HoldingRow], as_of: date) -> list[HoldingRow]:
    """Each institution's last row known by as_of on the newest quarter known by then, by CIK.

    The filings are one ticker's: its newest quarter may be older than another ticker's.
    """
    known = [row for row in filings if row[3] <= as_of]
    if not known:
        return []
    newest = max(row[2] for row in known)
    last_word: dict[int, HoldingRow] = {}
    for row in sorted(known, key=lambda row: row[3]):
        if row[2] == newest:
            last_word[row[1]] = row
    return [last_word[cik] for cik in sorted(last_word)]


def percent_rank(values: Mapping[str, float]) -> dict[str, float]:
    """PERCENT_RANK: (rank - 1) / (n - 1), where rank - 1 is how many values are smaller."""
    if len(values) == 1:
        return dict.fromkeys(values, 0.0)
    return {
        symbol: quotient(sum(other < value for other in values.values()), len(values) - 1)
        for symbol, value in values.items()
    }


def fitting(number: int) -> int:
    """The number, if signed 64 bits hold it."""
    if not -(2**63) <= number < 2**63:
        raise OutOfRange(number)
    return number


def product(left: int, right: int) -> int:
    """The product of two counts, if its floats say that it is below :data:`PRODUCT_END`.

    An engine that cannot multiply without overflow judges by the product of the floats; the end is
    far enough below 64 bits for their rounding not to matter.
    """
    if float(left) * float(right) >= PRODUCT_END:
        raise OutOfRange(left, right)
    return left * right


def price_return(now: float | None, then: float | None) -> float | None:
    """One close over another, minus 1; None without both."""
    if now is None or then is None:
        return None
    if now / then in (0.0, math.inf):
        raise OutOfRange(now, then)
    return now / then - 1.0 + 0.0


def quotient(numerator: int, denominator: int) -> float:
    """One division of two floats, as SQL does it; int / int would round only once. No -0.0."""
    return float(numerator) / float(denominator) + 0.0


def positive_zero(value: float | None) -> float | None:
    """The float as it is stored: -0.0 becomes 0.0."""
    return None if value is None else value + 0.0


def within(day: date, start: date | None, end: date | None) -> bool:
    """Whether the day is in an inclusive range, open where an end is None."""
    return (start is None or start <= day) and (end is None or day <= end)


def fold(symbol: str) -> str:
    """Upper case for ASCII letters only: str.upper() would turn other letters into ASCII ones."""
    return "".join(letter.upper() if "a" <= letter <= "z" else letter for letter in symbol)


def load_csv_world(folder: Path) -> World:
    """The world in a folder of CSV files (plain or .csv.gz) whose columns are the records' fields.

    An empty or absent optional column is None; an absent file is an empty table.
    """
    return World(
        tickers={
            row["symbol"]: (row["company_name"], row.get("cusip") or None)
            for row in _rows(folder, "tickers")
        },
        institutions={int(row["cik"]): row["name"] for row in _rows(folder, "institutions")},
        bars={
            (row["symbol"], date.fromisoformat(row["date"])): (
                _float(row.get("open")),
                _float(row.get("high")),
                _float(row.get("low")),
                float(row["close"]),
                _int(row.get("volume")),
            )
            for row in _rows(folder, "market")
        },
        holdings={
            (
                row["symbol"],
                date.fromisoformat(row["quarter_end"]),
                int(row["cik"]),
                date.fromisoformat(row["filing_date"]),
            ): (int(row["shares_held"]), int(row["market_value"]), _float(row.get("ownership_percent")))
            for row in _rows(folder, "holdings")
        },
        sentiment={
            (row["symbol"], row["source"], date.fromisoformat(row["date"])): (
                int(row["interest"]),
                _float(row.get("score")),
            )
            for row in _rows(folder, "sentiment")
        },
    )


def _rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    plain, packed = folder / f"{name}.csv", folder / f"{name}.csv.gz"
    if plain.exists():
        with plain.open(encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines)
    elif packed.exists():
        with gzip.open(packed, "rt", encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines)


def _float(text: str | None) -> float | None:
    return float(text) if text else None


def _int(text: str | None) -> int | None:
    return int(text) if text else None
