"""Both engines side by side: one database on each, cleared between examples."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

import repo
from tests import servers
from tests.equivalence.exact import Outcome, exact, outcome

__all__ = ["Engines", "opened"]

_CLEAR: Final = """
DELETE FROM market_data;
DELETE FROM institutional_holdings;
DELETE FROM retail_sentiment;
DELETE FROM tickers;
DELETE FROM institutions;
"""

# To delete a few rows takes a quarter of the time of making the tables' files anew. To delete an
# institution, though, PostgreSQL looks through all holdings for one of it.
_TRUNCATE: Final = (
    "TRUNCATE market_data, institutional_holdings, retail_sentiment, tickers, institutions"
)
_FEW: Final = 50

_APPLICATION: Final = Path(__file__).parent / "application"

_DUMP: Final[Mapping[str, str]] = {
    "tickers": "SELECT symbol, company_name, cusip FROM tickers",
    "institutions": "SELECT cik, name FROM institutions",
    "market_data": """
        SELECT t.symbol, m.date, m.open, m.high, m.low, m.close, m.volume
        FROM market_data AS m JOIN tickers AS t ON t.ticker_id = m.ticker_id""",
    "institutional_holdings": """
        SELECT t.symbol, h.quarter_end, i.cik, h.filing_date, h.shares_held, h.market_value,
            h.ownership_percent
        FROM institutional_holdings AS h
        JOIN tickers AS t ON t.ticker_id = h.ticker_id
        JOIN institutions AS i ON i.institution_id = h.institution_id""",
    "retail_sentiment": """
        SELECT t.symbol, s.source, s.date, s.interest, s.score
        FROM retail_sentiment AS s JOIN tickers AS t ON t.ticker_id = s.ticker_id""",
}
_DATES: Final[Mapping[str, tuple[int, ...]]] = {
    "market_data": (1,),
    "institutional_holdings": (1, 3),
    "retail_sentiment": (2,),
}
_EPOCH: Final = date(1970, 1, 1).toordinal()

Dump = dict[str, list[Any]]
"""The rows of every table, sorted, by the names of tickers and institutions instead of their keys."""


class Engines:
    """A database on SQLite and one on PostgreSQL, with the same rows in them.

    Calls go to both through :meth:`same`. :meth:`dump` looks at what is committed through
    connections of its own, so it does not believe the package. ``ran`` has the queries that ended
    without an error, by dialect and full name, with the most rows that one gave or wrote.
    """

    def __init__(self, sqlite: str, postgresql: str) -> None:
        self.urls = (sqlite, postgresql)
        self.ran: dict[tuple[str, str], int] = {}
        self._sqlite = sqlite3.connect(sqlite.removeprefix("sqlite:///"), isolation_level=None)
        self._postgresql = psycopg.connect(postgresql, autocommit=True, prepare_threshold=None)
        self._open()

    def _open(self) -> None:
        queries = [_APPLICATION]
        sqlite, postgresql = self.urls
        self.sqlite = repo.connect(sqlite, queries=queries, on_query=self._noter("sqlite"))
        self.postgresql = repo.connect(
            postgresql, queries=queries, on_query=self._noter("postgresql"), min_size=1
        )

    def _noter(self, dialect: str) -> Callable[[str, float, int], None]:
        """Notes the queries of a dialect that are done."""

        def note(name: str, seconds: float, rows: int) -> None:
            self.ran[dialect, name] = max(rows, self.ran.get((dialect, name), 0))

        return note

    @property
    def both(self) -> tuple[repo.Database, repo.Database]:
        """SQLite's database and PostgreSQL's."""
        return self.sqlite, self.postgresql

    def reopen(self) -> None:
        """Close both databases and open them again."""
        for db in self.both:
            db.close()
        self._open()

    def close(self) -> None:
        """Close everything."""
        for db in self.both:
            db.close()
        self._sqlite.close()
        self._postgresql.close()

    def clear(self) -> None:
        """Delete every row."""
        counted = self._postgresql.execute("SELECT COUNT(*) FROM institutions").fetchone()
        if counted is not None and counted[0] > _FEW:
            self._postgresql.execute(_TRUNCATE)
        for db in self.both:
            db._session.run_script(_CLEAR)

    def reset(self) -> None:
        """Bring both to the newest schema, without rows."""
        for db in self.both:
            db.migrate()
        self.clear()

    def outcomes(
        self, call: Callable[[repo.Database], Any], common: Callable[[Any], Any] = lambda answer: answer
    ) -> list[Outcome]:
        """What a call comes to on SQLite and on PostgreSQL."""
        return [outcome(partial(call, db), common) for db in self.both]

    def same(
        self, call: Callable[[repo.Database], Any], common: Callable[[Any], Any] = lambda answer: answer
    ) -> Outcome:
        """Make a call on both; it must come to the same, to the last bit.

        :param common: what of an answer has to be equal; all of it by default.
        """
        sqlite, postgresql = self.outcomes(call, common)
        if sqlite != postgresql:
            _explain(sqlite, postgresql)
        return postgresql

    def dump(self) -> Dump:
        """The rows that are committed, which must be the same on both; floats by their bits."""
        sqlite, postgresql = self._dump_sqlite(), self._dump_postgresql()
        assert sqlite == postgresql, "the engines hold different rows"
        return postgresql

    def _dump_sqlite(self) -> Dump:
        names = {name for (name,) in self._sqlite.execute("SELECT name FROM sqlite_master")}
        dump: Dump = {}
        for table, query in _DUMP.items():
            if table not in names:
                continue
            rows = []
            for row in self._sqlite.execute(query):
                values = list(row)
                for index in _DATES.get(table, ()):
                    values[index] = date.fromordinal(values[index] + _EPOCH)
                rows.append(exact(tuple(values)))
            dump[table] = sorted(rows, key=repr)
        return dump

    def _dump_postgresql(self) -> Dump:
        there = self._postgresql.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = {name for (name,) in there}
        return {
            table: sorted((exact(row) for row in self._postgresql.execute(query)), key=repr)
            for table, query in _DUMP.items()
            if table in names
        }


def _explain(sqlite: Outcome, postgresql: Outcome) -> None:
    """Fail with both outcomes in view, and with the errors themselves as causes."""
    failure = AssertionError(f"the engines differ\n  SQLite:     {sqlite}\n  PostgreSQL: {postgresql}")
    unexpected = [each.raised for each in (sqlite, postgresql) if each.raised is not None]
    raise failure from (unexpected[0] if unexpected else None)


@contextmanager
def opened(server: servers.Server, folder: Path) -> Iterator[Engines]:
    """Two migrated databases without rows, gone at the end."""
    with ExitStack() as stack:
        name = server.create()
        stack.callback(server.drop, name)
        engines = Engines(f"sqlite:///{folder / 'engines.db'}", server.url_of(name))
        stack.callback(engines.close)
        engines.reset()
        yield engines
