"""Divergence: where institutions and retail investors disagree.

The definition of the index, as known on a day D with a window of W days. Only filings with
``filing_date <= D`` and rows with ``date <= D`` count.

- Of each ticker, institution and quarter the last filing counts. Q is the newest quarter among them, P
  the newest before Q, M the institutions that filed for both, whatever the ticker. ``now`` and
  ``before`` are a ticker's shares held over M in Q and in P (none is 0), and
  ``flow = (now - before) / before``; a ticker with ``before = 0`` is left out.
- Of one source, r and nr are the sum and the number of rows with ``D-W < date <= D``, p and np of those
  with ``D-2W < date <= D-W``, and ``interest_change = (r*np - p*nr) / (p*nr)``, which is the change of
  the mean; a ticker without rows on a side, or with ``p = 0``, is left out.
- ``price_return`` is the close of the last bar on or before D over that of the last on or before D-W,
  minus 1; None without both.
- ``institutional_rank`` and ``retail_rank`` are PERCENT_RANK by flow and by interest_change over the
  tickers that are left, and ``divergence`` is the first minus the second.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from repo.errors import InvalidRecord, Problem, RangeError
from repo.frames import from_records
from repo.records import Divergence, Point
from repo.repositories.repository import Repository, bounds, join_matched
from repo.validation import INT64_MAX, argument

if TYPE_CHECKING:
    import pyarrow


class DivergenceRepository(Repository):
    """The ranking of all tickers on a day, and the timeline of one."""

    def ranking(
        self, as_of: date, source: str | None = None, window_days: int = 90, limit: int | None = None
    ) -> list[Divergence]:
        """Every ticker with a flow and a change of interest, by divergence, greatest first, then symbol.

        :param source: whose interest; None means the only source there is.
        :param window_days: the length of each of the two windows of interest, at least 1.
        :param limit: how many rows at the most; None means all.
        :raises InvalidRecord: for a bad argument, and for no source if there are several.
        :raises RangeError: when a sum of shares or of interest leaves 64 bits, a product of the
            definition reaches 9e18, or a quotient of closes leaves the range of a float.
        """
        day = argument("date", "as_of", as_of)
        window = argument("days", "window_days", window_days)
        rows = argument("count", "limit", limit, optional=True)
        with self._session.snapshot():
            named = self._source(source)
            if rows == 0:
                return []  # whether sums are out of range then depends on the engine
            found = self._session.read(
                "divergence.ranking",
                as_of=day,
                source=named,
                recent_from=_days_before(day, window - 1),
                before_from=_days_before(day, 2 * window - 1),
                limit=INT64_MAX if rows is None else rows,
            )
            if any(row.out_of_range for row in found):
                self._session.fail(RangeError("a product or a quotient of the ranking is out of range"))
        return [Divergence(*row[:-1]) for row in found if join_matched(row, "symbol")]

    def timeline(
        self, symbol: str, start: date | None = None, end: date | None = None, source: str | None = None
    ) -> list[Point]:
        """One point a bar, by date: close, interest and shares held as they were known that day.

        ``interest`` is that of the source's last row in the 7 days up to the bar's, ``shares_held`` the
        sum over institutions of the last filing for the ticker's newest quarter known; None where there
        is none.

        :param source: whose interest; None means the only source there is.
        :raises UnknownTicker: when there is no such ticker.
        :raises InvalidRecord: for a bad argument, and for no source if there are several.
        :raises RangeError: when the shares held on a day add up past 64 bits.
        """
        symbol = argument("symbol", "symbol", symbol)
        first, last = bounds(start, end)
        with self._session.snapshot():
            return self._joined_to_ticker(
                "divergence.timeline", "date", symbol, source=self._source(source), start=first, end=last
            )

    def ranking_frame(
        self, as_of: date, source: str | None = None, window_days: int = 90, limit: int | None = None
    ) -> pyarrow.Table:
        """The ranking as an Arrow table with the fields of Divergence; see :meth:`ranking`."""
        return from_records(Divergence, self.ranking(as_of, source, window_days, limit))

    def timeline_frame(
        self, symbol: str, start: date | None = None, end: date | None = None, source: str | None = None
    ) -> pyarrow.Table:
        """The timeline as an Arrow table with the fields of Point; see :meth:`timeline`."""
        return from_records(Point, self.timeline(symbol, start, end, source))

    def _source(self, source: str | None) -> str | None:
        """The source asked for, or the only one; None if there is none."""
        if source is not None:
            named: str = argument("source", "source", source)
            return named
        sources = [row.source for row in self._session.read("sentiment.sources")]
        if len(sources) > 1:
            reason = f"there are several sources, name one of: {', '.join(sources)}"
            raise InvalidRecord([Problem(None, "source", None, reason)])
        return sources[0] if sources else None


def _days_before(day: date, days: int) -> date:
    """The day that many days before, or the first there is."""
    return date.fromordinal(max(1, day.toordinal() - days))
