"""What repositories share: reads about one ticker, and the writing of rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, ClassVar, Final, Generic, TypeVar

from repo.batches import RowEncoder, Unfit
from repo.errors import InvalidRecord, Problem, UniqueViolation, UnknownTicker
from repo.frames import ArrowTable, as_rows
from repo.sessions import Session
from repo.tables import Table
from repo.validation import argument, arguments

RecordT = TypeVar("RecordT")

_ITERABLE: Final = (list, Iterable)
"""A list is known without the abstract class, which is asked in Python."""


class Repository:
    """The reads of one aggregate."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _rows(self, query: str, **parameters: Any) -> list[Any]:
        rows: list[Any] = self._session.read(query, **parameters)
        return rows

    def _none_of(self, symbol: str) -> list[Any]:
        """An empty list.

        :raises UnknownTicker: if the ticker does not exist.
        """
        if self._session.read("tickers.get", symbol=symbol) is None:
            raise UnknownTicker([symbol])
        return []

    def _joined_to_ticker(self, query: str, key: str, symbol: str, **parameters: Any) -> list[Any]:
        """The rows of one ticker from an outer join: a single row without ``key`` means none."""
        rows: list[Any] = self._session.read(query, symbol=symbol, **parameters)
        if not rows:
            return self._none_of(symbol)
        return rows if join_matched(rows[0], key) else []


class TableRepository(Repository, Generic[RecordT]):
    """The rows of one table."""

    _table: ClassVar[Table]

    def upsert(self, rows: Iterable[RecordT] | ArrowTable) -> int:
        """Insert records, or change those that are stored and differ.

        Takes any iterable of records, in bounded memory, and Arrow, pandas and polars tables. A table
        may lack columns that can be NULL: stored rows keep their values, new rows get NULL. If a key is
        repeated, its last row is written. After an error nothing is written.

        :returns: how many were new or different.
        :raises InvalidRecord: for bad rows, naming the first 20.
        :raises UnknownTicker: naming every symbol that is missing.
        :raises UnknownInstitution: naming every CIK that is missing.
        :raises UniqueViolation: when two tickers would have one CUSIP, naming the first 20 such rows and
            whose CUSIP it is.
        """
        if isinstance(rows, RowEncoder):
            return self._write(rows)
        with RowEncoder(self._table, as_rows(self._table, rows)) as batches:
            if self._session.reads_ahead():
                batches.ahead()
            return self._write(batches)

    def _write(self, batches: RowEncoder) -> int:
        try:
            return self._session.upsert(self._table, batches)
        except UniqueViolation as error:
            raise self._named(error, batches) from error.__cause__
        except Unfit as unfit:
            if batches.tally is not None:  # loading.load() names the lines
                raise
            raise InvalidRecord(Problem(*row) for row in unfit.rows) from unfit

    def _named(self, error: UniqueViolation, batches: RowEncoder) -> UniqueViolation:
        """The error with the rows named, if a repository can."""
        return error

    def _frame(
        self,
        query: str,
        symbols: Iterable[str] | None,
        start: date | None,
        end: date | None,
        **parameters: Any,
    ) -> Any:
        """Rows of all tickers, or of those named, as an Arrow table."""
        first, last = bounds(start, end)
        asked = None if symbols is None else several_symbols(symbols)
        with self._session.snapshot():
            if asked:
                found = {row.symbol for row in self._session.read("tickers.identify", symbols=asked)}
                if len(found) < len(asked):
                    raise UnknownTicker(set(asked) - found)
            return self._session.frame(query, symbols=asked, start=first, end=last, **parameters)


def several_symbols(symbols: Iterable[str]) -> list[str]:
    """Symbols as they are stored, each once, sorted.

    :raises InvalidRecord: for one that cannot be a symbol, and for a str instead of several.
    """
    if isinstance(symbols, str) or not isinstance(symbols, _ITERABLE):
        reason = f"must be several symbols, not {type(symbols).__name__}"
        raise InvalidRecord([Problem(None, "symbols", symbols, reason)])
    asked = arguments("symbol", "symbols", symbols)
    return sorted(set(asked)) if len(asked) > 1 else asked


def join_matched(row: Any, key: str) -> bool:
    """Whether an outer join found something for this row: then its ``key`` is not NULL."""
    return getattr(row, key) is not None


def bounds(start: date | None, end: date | None) -> tuple[date, date]:
    """Both ends of a range of days, an open end being the first or last day of the calendar.

    :raises InvalidRecord: if one is not a ``datetime.date``.
    """
    first = argument("date", "start", start, optional=True)
    last = argument("date", "end", end, optional=True)
    return first or date.min, last or date.max
