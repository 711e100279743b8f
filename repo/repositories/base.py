"""What all repositories share: the session that runs named queries, and the writing of rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, ClassVar

from repo.batches import RowEncoder, Unfit
from repo.errors import InvalidRecord, Problem, UniqueViolation, UnknownTicker
from repo.frames import ArrowTable, as_rows
from repo.sessions import Session
from repo.tables import Table
from repo.validation import argument


class Repository:
    """One aggregate's reads and writes.

    Every ``upsert`` takes any iterable of records, in bounded memory, and Arrow, pandas and polars
    tables. A table may lack columns that can be NULL: stored rows keep their values, new rows get NULL.
    If a key is repeated, its last row is written. A bad row leaves the database as it was.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    _table: ClassVar[Table]
    """The table into which rows are written."""

    def _upsert(self, rows: Iterable[Any] | ArrowTable | RowEncoder) -> int:
        if isinstance(rows, RowEncoder):
            return self._write(rows)
        with self._batches(rows) as batches:
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

    def _batches(self, rows: Iterable[Any] | ArrowTable) -> RowEncoder:
        """Rows on their way to a table."""
        return RowEncoder(self._table, as_rows(self._table, rows))

    def _named(self, error: UniqueViolation, batches: RowEncoder) -> UniqueViolation:
        """The error with the rows named, where a repository can."""
        return error

    def _frame(
        self,
        query: str,
        symbols: Iterable[str] | None,
        start: date | None,
        end: date | None,
        **parameters: Any,
    ) -> Any:
        """Rows of all tickers, or of those named, as an Arrow table.

        :raises UnknownTicker: naming every symbol that is missing.
        """
        first, last = bounds(start, end)
        asked = None if symbols is None else several_symbols(symbols)
        with self._session.snapshot():
            if asked:
                found = {row.symbol for row in self._session.read("tickers.identify", symbols=asked)}
                if len(found) < len(asked):
                    raise UnknownTicker(set(asked) - found)
            return self._session.frame(query, symbols=asked, start=first, end=last, **parameters)

    def _of_ticker(self, query: str, symbol: str, **parameters: Any) -> list[Any]:
        """The rows of one ticker.

        :raises UnknownTicker: when there is no such ticker.
        """
        rows: list[Any] = self._session.read(query, symbol=symbol, **parameters)
        return rows or self._none_of(symbol)

    def _none_of(self, symbol: str) -> list[Any]:
        """An empty list, if the ticker exists.

        :raises UnknownTicker: when there is no such ticker.
        """
        if self._session.read("tickers.get", symbol=symbol) is None:
            raise UnknownTicker([symbol])
        return []

    def _joined_to_ticker(self, query: str, key: str, symbol: str, **parameters: Any) -> list[Any]:
        """The rows of one ticker from an outer join: a single row without ``key`` means none.

        :raises UnknownTicker: when there is no such ticker.
        """
        rows = self._of_ticker(query, symbol, **parameters)
        return rows if rows and join_matched(rows[0], key) else []


def reads_ahead(repository: Repository) -> bool:
    """Whether rows are to be read before the transaction that writes them begins.

    On an engine with one writer, all others would wait while they are read.
    """
    return repository._session.reads_ahead()


def ahead(repository: Repository, rows: Iterable[Any], *, keys: bool) -> RowEncoder:
    """Rows for the repository's ``upsert``, read and checked already; the caller closes them.

    :param keys: collect the keys of tickers or institutions as well.
    :raises InvalidRecord: see ``upsert``.
    """
    batches = repository._batches(rows)
    try:
        batches.ahead(keys=keys)
    except BaseException:
        batches.close()
        raise
    return batches


def several_symbols(symbols: Iterable[str]) -> list[str]:
    """Symbols as they are stored, each once, sorted.

    :raises InvalidRecord: for one that cannot be a symbol, and for a str instead of several.
    """
    if isinstance(symbols, str):
        reason = "must be several symbols, not a str"
        raise InvalidRecord([Problem(None, "symbols", symbols, reason)])
    if not isinstance(symbols, Iterable):
        reason = f"must be several symbols, not {type(symbols).__name__}"
        raise InvalidRecord([Problem(None, "symbols", symbols, reason)])
    asked = [argument("symbol", "symbols", symbol) for symbol in symbols]
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
