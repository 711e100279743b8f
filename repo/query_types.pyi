# Made from the SQL by: smdi stubs. Do not edit; smdi stubs --check says whether it is current.
# ruff: noqa
# fmt: off
"""The named queries as type checkers see them; there is no such module when a program runs."""

import builtins
import datetime as dates
import typing
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple, TypedDict

from repo.records import Bar, BarOfTicker, Coverage, Holding, Institution, Point, Sentiment, Summary, Ticker

class Ranked(NamedTuple):
    """A row of divergence.ranking."""

    symbol: str | None
    as_of: date
    flow: float | None
    interest_change: float | None
    price_return: float | None
    institutional_rank: float | None
    retail_rank: float | None
    divergence: float | None
    out_of_range: int

class Superseded(NamedTuple):
    """A row of holdings.superseded."""

    first_place: int
    last_place: int

class There(NamedTuple):
    """A row of holdings.there."""

    keys: int

class InstitutionsIdentifyIdentity(NamedTuple):
    """A row of institutions.identify."""

    cik: int
    institution_id: int

class Begun(NamedTuple):
    """A row of journal.begun."""

    header: str
    token: str
    built: int

class Journaled(NamedTuple):
    """A row of journal.chunks."""

    name: str
    chunk: int
    number: int
    sha256: str

class Unfit(NamedTuple):
    """A row of market.unfit."""

    place: int
    high: float
    low: float

class Applied(NamedTuple):
    """A row of migrations.applied."""

    version: int
    name: str
    checksum: str

class Locked(NamedTuple):
    """A row of migrations.lock."""

    locked: int

class Patience(NamedTuple):
    """A row of migrations.patience."""

    set_to: str

class Started(NamedTuple):
    """A row of migrations.started."""

    started: int

class Step(NamedTuple):
    """A row of migrations.steps."""

    sequence: str
    version: int
    name: str
    checksum: str
    upon: int
    state: str

class Strangers(NamedTuple):
    """A row of migrations.strangers."""

    names: str

class Counted(NamedTuple):
    """A row of proof.counts."""

    name: str
    number: int

class Fault(NamedTuple):
    """A row of proof.duplicates."""

    name: str
    id: int | None
    other_id: int | None
    day: date | None
    other_day: date | None
    text: str | None
    number: int

class Orphans(NamedTuple):
    """A row of proof.orphans."""

    name: str
    id: int
    number: int

class Source(NamedTuple):
    """A row of sentiment.sources."""

    source: str

class TickersIdentifyIdentity(NamedTuple):
    """A row of tickers.identify."""

    symbol: str
    ticker_id: int

class Reserved(NamedTuple):
    """A row of tickers.reserve."""

    locked: int

class DivergenceQueries:
    """divergence.sql"""

    def ranking(self, *, as_of: date | None, source: str | None, recent_from: date | None, before_from: date | None, limit: int | None) -> list[Ranked]:
        """Every ticker with a flow and a change of interest as known on as_of, by divergence, greatest first,
        then symbol, for divergence.ranking(). The recent window is from recent_from to as_of, the one before
        it from before_from to the day before recent_from. All sums are of integers, and every quotient is
        one division, so that both engines give the same bits. A row whose out_of_range is not 0 stands for a
        number of which the engines would make different things: a product of 9e18 or more, of which there is
        one row that has no symbol, or a quotient of closes that is 0 or infinite. Such a row, with 0, is there
        for no ranking too: what is counted looks at every sum, so that one past 64 bits is an error on both
        engines whatever is ranked. Order: total because a ticker is ranked once.
        Index: institutional_holdings_by_quarter, retail_sentiment_pkey (ticker_id, source, date to date),
        market_data_pkey (ticker_id, date)."""

    def timeline(self, *, symbol: str | None, source: str | None, start: date | None, end: date | None) -> list[Point]:
        """One row for each bar of a ticker from start to end, both included, by date, with the interest of one
        source in the week before and the shares known to be held that day, for divergence.timeline(). A
        ticker without bars there gives one row whose date is NULL, an unknown one gives none.
        A filing changes what is known from its day on; the changes to the newest quarter known that day,
        added up within the quarter, are the steps that the bars are laid against.
        Order: total because the ticker is one, and it has one bar a day, which at most one step covers.
        Index: tickers_symbol_key, market_data_pkey (ticker_id, date to date), institutional_holdings_filed
        (ticker_id, filing_date), retail_sentiment_pkey (ticker_id, source, date to date)."""

class HoldingsQueries:
    """holdings.sql"""

    def frame(self, *, symbols: list[str] | tuple[str, ...] | None, start: date | None, end: date | None) -> Any:
        """Holdings of the tickers named, or of all, in a range of days, by symbol, quarter end, CIK and filing date, for holdings.frame().
        Index: tickers_symbol_key, institutional_holdings_pkey (ticker_id, quarter_end to quarter_end),
        institutions_pkey."""

    def history(self, *, symbol: str | None, start: date | None, end: date | None) -> list[Holding]:
        """What was filed about one ticker for quarters that end from start to end, both included, by quarter
        end, CIK and filing date, for holdings.history(). A ticker without filings there gives one row whose
        quarter_end is NULL, an unknown one gives none.
        Index: tickers_symbol_key, institutional_holdings_pkey (ticker_id, quarter_end to quarter_end),
        institutions_pkey."""

    def known(self, *, symbol: str | None, as_of: date | None) -> list[Holding]:
        """Each institution's last word, filed by as_of, on the newest quarter that was known of one ticker that
        day, by CIK, for holdings.known(). A ticker of which nothing was known gives one row whose
        quarter_end is NULL, an unknown one gives none.
        Index: tickers_symbol_key, institutional_holdings_pkey, institutions_pkey."""

    def merge(self, *, with_ownership_percent: int | None) -> int:
        """Writes what was set aside, where each key is there once; counts the rows that were new or
        different. A parameter is 0 where the rows lack the column: that stays as it is in a row that is
        there, and is NULL in a new one. What is there already is left out by a join: on PostgreSQL a
        conflict would lock it, and a lock is a write. The rows go in by key, so that two merges at once
        wait for each other and do not deadlock. Index: institutional_holdings_pkey."""

    def settle(self) -> int:
        """Takes out of what was set aside every row whose key comes again further on; counts them.
        Index: none, it reads all of what was set aside."""

    def stage(self) -> int:
        """Makes the table in which rows are set aside that come in bulk or whose keys may come twice.
        Index: none, it creates a table."""

    def superseded(self) -> list[Superseded]:
        """The first rows set aside that give way to others of their keys, as ranges of places, for a load in which
        no key may come twice. The last row of a key stays, and so do the places between two that do not.
        Index: none, it reads all of what was set aside."""

    def there(self) -> int | None:
        """How many keys of what was set aside, where each is there once, are in the table already, for what a load
        counts. Index: institutional_holdings_pkey."""

    def unstage(self) -> int:
        """Drops the table that stage() made.
        Index: none, it drops a table."""

class InstitutionsQueries:
    """institutions.sql"""

    def all(self) -> list[Institution]:
        """Every institution by CIK, for institutions.all(). Index: institutions_cik_key."""

    def get(self, *, cik: int | None) -> Institution | None:
        """One institution by its CIK, for institutions.get(). Index: institutions_cik_key."""

    def identify(self, *, ciks: list[int] | tuple[int, ...] | None) -> list[InstitutionsIdentifyIdentity]:
        """The keys of the institutions named, for the upsert of holdings. CIKs that are not there are not in
        the answer. Index: institutions_cik_key."""

    def merge(self) -> int:
        """Writes what was set aside, where each key is there once; counts the rows that were new or
        different. What is there already is left out by a join: on PostgreSQL a conflict would lock it,
        and a lock is a write. The rows go in by key, so that two merges at once wait for each other and
        do not deadlock. Index: institutions_cik_key."""

    def settle(self) -> int:
        """Takes out of what was set aside every row whose key comes again further on; counts them.
        Index: none, it reads all of what was set aside."""

    def stage(self) -> int:
        """Makes the table in which rows are set aside that come in bulk or whose keys may come twice.
        Index: none, it creates a table."""

    def superseded(self) -> list[Superseded]:
        """The first rows set aside that give way to others of their keys, as ranges of places, for a load in which
        no key may come twice. The last row of a key stays, and so do the places between two that do not.
        Index: none, it reads all of what was set aside."""

    def there(self) -> int | None:
        """How many keys of what was set aside, where each is there once, are in the table already, for what a load
        counts. Index: institutions_cik_key."""

    def unstage(self) -> int:
        """Drops the table that stage() made.
        Index: none, it drops a table."""

class JournalArrivedRow(TypedDict):
    """A row that journal.arrived takes."""

    name: str | None
    chunk: int | None
    number: int | None
    sha256: str | None

class JournalQueries:
    """journal.sql"""

    def arrived(self, rows: Iterable[JournalArrivedRow], /) -> int:
        """Notes chunks in the transaction in which their rows arrive. Needs: copy_journal.
        Index: copy_journal_pkey."""

    def begin(self, *, header: str | None, token: str | None, built: int | None) -> int:
        """Notes what a copy is begun with. Needs: copy_state. Index: none, it has one row."""

    def begun(self) -> Begun | None:
        """What the copy was begun with, whose it is, and whether its indexes are built, for copy().
        Order: total because there is one row. Needs: copy_state. Index: none, it has one row."""

    def change(self, *, token: str | None, built: int | None) -> int:
        """Takes a copy over, and notes whether its indexes are built. Needs: copy_state. Index: none, it has one row."""

    def chunks(self) -> list[Journaled]:
        """The chunks that have arrived, with their digests in the source. Order: total because
        name and chunk are the key. Needs: copy_journal. Index: copy_journal_pkey."""

    def clear(self, *, name: str | None) -> int:
        """Forgets the chunks of a table, in the transaction in which its rows go. Needs: copy_journal.
        Index: copy_journal_pkey."""

    def hold(self, *, token: str | None) -> int:
        """Keeps others from taking the copy over while a chunk is written; counts no row once somebody has.
        Needs: copy_state. Index: none, it has one row."""

class MarketQueries:
    """market.sql"""

    def coverage(self) -> list[Coverage]:
        """The first and last bar of every ticker that has any and their number, by symbol, for
        market.coverage(). It counts. Index: none, it reads the whole table."""

    def delete(self, *, symbol: str | None, start: date | None, end: date | None) -> int:
        """Deletes one ticker's bars from start to end, both included, and counts them, for market.delete().
        Index: tickers_symbol_key, market_data_pkey (ticker_id, date to date)."""

    def frame(self, *, symbols: list[str] | tuple[str, ...] | None, start: date | None, end: date | None) -> Any:
        """Bars of the tickers named, or of all, in a range of days, by symbol and date, for market.frame().
        Index: tickers_symbol_key, market_data_pkey (ticker_id, date to date)."""

    def history(self, *, symbol: str | None, start: date | None, end: date | None) -> list[BarOfTicker]:
        """One ticker's bars from start to end, both included, by date, for market.history(). The ticker is
        looked up by itself and not joined, so that the bars come in the order of the key without a sort, and
        the symbol, which was given, is not sent in every row.
        Index: tickers_symbol_key, market_data_pkey (ticker_id, date to date)."""

    def latest(self) -> list[Bar]:
        """The last bar of every ticker that has one, by symbol, for market.latest().
        Index: tickers_symbol_key, market_data_pkey."""

    def latest_of(self, *, symbols: list[str] | tuple[str, ...] | None) -> list[Bar]:
        """The last bar of each ticker named, by symbol, for market.latest(). A ticker without bars gives a row
        whose date is NULL, an unknown one gives none. Index: tickers_symbol_key, market_data_pkey."""

    def latest_one(self, *, symbol: str | None) -> list[BarOfTicker]:
        """The last bar of one ticker, for market.latest() of one symbol; none where there is no bar, or no such
        ticker. The ticker is looked up by itself and not joined, so that one probe of the key finds the bar.
        Index: tickers_symbol_key, market_data_pkey."""

    def merge(self, *, with_open: int | None, with_high: int | None, with_low: int | None, with_volume: int | None) -> int:
        """Writes what was set aside, where each key is there once; counts the rows that were new or
        different. A parameter is 0 where the rows lack the column: that stays as it is in a row that is
        there, and is NULL in a new one. What is there already is left out by a join: on PostgreSQL a
        conflict would lock it, and a lock is a write. The rows go in by key, so that two merges at once
        wait for each other and do not deadlock. Index: market_data_pkey."""

    def on_day(self, *, date: date | None) -> list[Bar]:
        """Every ticker's bar of one day, by symbol, for market.on().
        Index: market_data_pkey (ticker_id, date), a probe for each ticker; on PostgreSQL, for a recent day, the
        index that smdi maintain keeps, where the table is large."""

    def settle(self) -> int:
        """Takes out of what was set aside every row whose key comes again further on; counts them.
        Index: none, it reads all of what was set aside."""

    def stage(self) -> int:
        """Makes the table in which rows are set aside that come in bulk or whose keys may come twice.
        Index: none, it creates a table."""

    def summary(self, *, symbol: str | None, start: date | None, end: date | None) -> Summary | None:
        """One ticker's bars from start to end, both included, as one row, for market.summary(). A ticker
        without bars there gives a row whose rows is NULL, an unknown one gives none. Closes are summed as
        whole 1e-4 dollars, for a sum of floats depends on their order. A cast
        rounds down here, and not every SQLite has floor().
        Index: tickers_symbol_key, market_data_pkey (ticker_id, date to date)."""

    def superseded(self) -> list[Superseded]:
        """The first rows set aside that give way to others of their keys, as ranges of places, for a load in which
        no key may come twice. The last row of a key stays, and so do the places between two that do not.
        Index: none, it reads all of what was set aside."""

    def there(self) -> int | None:
        """How many keys of what was set aside, where each is there once, are in the table already, for what a load
        counts. Index: market_data_pkey."""

    def unfit(self, *, with_high: int | None, with_low: int | None) -> list[Unfit]:
        """The bars set aside without a high or a low (its parameter is 0) that contradict that of the bar there is,
        for a load that has to name them before the merge fails. Order: total because each row set aside has a
        place of its own. Index: market_data_pkey."""

    def unstage(self) -> int:
        """Drops the table that stage() made.
        Index: none, it drops a table."""

class MigrationsQueries:
    """migrations.sql"""

    def applied(self) -> list[Applied]:
        """Every migration applied, by number, for Database.migrate(). Index: schema_migrations_pkey."""

    def drop_step(self, *, sequence: str | None, version: int | None) -> int:
        """Forgets what was noted of a migration, for Database.migrate(). Needs: schema_steps.
        Index: schema_steps_pkey."""

    def forget(self, *, version: int | None) -> int:
        """Notes a migration as undone, in the undo's own transaction. Index: schema_migrations_pkey."""

    def lock(self) -> int | None:
        """1: BEGIN IMMEDIATE keeps other migrations waiting until the transaction ends. For Database.migrate().
        Index: none, it reads no table."""

    def note_step(self, *, sequence: str | None, version: int | None, name: str | None, checksum: str | None, upon: int | None, state: str | None) -> int:
        """Notes an application's migration as applied, or any as begun: applying or undoing, for
        Database.migrate(). Needs: schema_steps. Index: schema_steps_pkey."""

    def patience(self, *, milliseconds: int | None) -> str | None:
        """Nothing is set: who writes has waited for the one lock there is, and readers wait for nobody. For
        Database.migrate(). Index: none, it reads no table."""

    def prepare(self) -> int:
        """Makes the record's table where there is none yet, for Database.migrate().
        Index: none, it creates a table."""

    def prepare_steps(self) -> int:
        """Makes the record of applications' migrations and of unfinished ones where there is none yet, for
        Database.migrate(). Index: none, it creates a table."""

    def record(self, *, version: int | None, name: str | None, checksum: str | None) -> int:
        """Notes a migration as applied, in the migration's own transaction. Index: schema_migrations_pkey."""

    def started(self) -> int | None:
        """How many of the record's two tables are there, for Database.migrate() and version().
        Index: none, the catalogue is small."""

    def steps(self) -> list[Step]:
        """The migrations of applications, by sequence and number, and what was begun outside of a transaction and
        is not finished; upon is the package's migration at that time. For Database.migrate().
        Needs: schema_steps. Index: schema_steps_pkey."""

    def strangers(self) -> str | None:
        """The first tables and views of a file that has no record of migrations, and so is another program's, as
        one text, for Database.migrate() and the first write. Index: none, the catalogue is small."""

class ProofQueries:
    """proof.sql"""

    def counts(self) -> list[Counted]:
        """How many rows each table has, for copy(). Order: total because a name comes once.
        Index: the smallest of each table."""

    def duplicates(self) -> list[Fault]:
        """The first twenty values of unique keys that come more than once, with the constraint of each, for copy()
        and verify(). Where the constraints are there it has none. Order: total because each is of one key; that
        of the subqueries keeps PostgreSQL from hashing all keys. Index: those of the keys."""

    def orphans(self) -> list[Orphans]:
        """The first twenty keys that rows refer to and that are not there, with the foreign key and how many rows
        do, for copy(), verify() and health(). Where the constraints are there it has none.
        Order: total because each is of one key.
        Index: none, it reads three tables whole."""

class SentimentQueries:
    """sentiment.sql"""

    def frame(self, *, symbols: list[str] | tuple[str, ...] | None, start: date | None, end: date | None, source: str | None) -> Any:
        """Rows of the tickers named, or of all, in a range of days, by symbol, date and source, for sentiment.frame().
        The plus keeps the planner from trying the days of every ticker where few were named.
        Index: tickers_symbol_key, retail_sentiment_pkey."""

    def history(self, *, symbol: str | None, source: str | None, start: date | None, end: date | None) -> list[Sentiment]:
        """One ticker's interest from start to end, both included, of one source or of all, by date and source,
        for sentiment.history(). A ticker without rows there gives one row whose date is NULL, an unknown one
        gives none. Index: tickers_symbol_key, retail_sentiment_pkey."""

    def merge(self, *, with_score: int | None) -> int:
        """Writes what was set aside, where each key is there once; counts the rows that were new or
        different. A parameter is 0 where the rows lack the column: that stays as it is in a row that is
        there, and is NULL in a new one. What is there already is left out by a join: on PostgreSQL a
        conflict would lock it, and a lock is a write. The rows go in by key, so that two merges at once
        wait for each other and do not deadlock. Index: retail_sentiment_pkey."""

    def settle(self) -> int:
        """Takes out of what was set aside every row whose key comes again further on; counts them.
        Index: none, it reads all of what was set aside."""

    def sources(self) -> list[Source]:
        """The sources there are, by name, for sentiment.sources() and for a ranking that names none. It steps
        from one source of a ticker to the next, so it reads a row for each of them and not every row.
        Index: retail_sentiment_pkey."""

    def stage(self) -> int:
        """Makes the table in which rows are set aside that come in bulk or whose keys may come twice.
        Index: none, it creates a table."""

    def superseded(self) -> list[Superseded]:
        """The first rows set aside that give way to others of their keys, as ranges of places, for a load in which
        no key may come twice. The last row of a key stays, and so do the places between two that do not.
        Index: none, it reads all of what was set aside."""

    def there(self) -> int | None:
        """How many keys of what was set aside, where each is there once, are in the table already, for what a load
        counts. Index: retail_sentiment_pkey."""

    def unstage(self) -> int:
        """Drops the table that stage() made.
        Index: none, it drops a table."""

class TickersQueries:
    """tickers.sql"""

    def all(self) -> list[Ticker]:
        """Every ticker by symbol, for tickers.all(). Index: tickers_symbol_key."""

    def get(self, *, symbol: str | None) -> Ticker | None:
        """One ticker by its symbol, for tickers.get(). Index: tickers_symbol_key."""

    def identify(self, *, symbols: list[str] | tuple[str, ...] | None) -> list[TickersIdentifyIdentity]:
        """The keys of the tickers named, for every upsert of rows that have a symbol. Symbols that are not
        there are not in the answer. Index: tickers_symbol_key."""

    def merge(self, *, with_cusip: int | None) -> int:
        """Writes what was set aside, where each key is there once; counts the rows that were new or
        different. A parameter is 0 where the rows lack the column: that stays as it is in a row that is
        there, and is NULL in a new one. What is there already is left out by a join: on PostgreSQL a
        conflict would lock it, and a lock is a write. The rows go in by place: two tickers may hand on a
        CUSIP, and then the order decides. Index: tickers_symbol_key."""

    def reserve(self) -> int | None:
        """Nothing to do: a transaction that writes keeps every other from writing. Index: none, it reads no table."""

    def settle(self) -> int:
        """Takes out of what was set aside every row whose key comes again further on; counts them.
        Index: none, it reads all of what was set aside."""

    def stage(self) -> int:
        """Makes the table in which rows are set aside that come in bulk or whose keys may come twice.
        Index: none, it creates a table."""

    def superseded(self) -> list[Superseded]:
        """The first rows set aside that give way to others of their keys, as ranges of places, for a load in which
        no key may come twice. The last row of a key stays, and so do the places between two that do not.
        Index: none, it reads all of what was set aside."""

    def there(self) -> int | None:
        """How many keys of what was set aside, where each is there once, are in the table already, for what a load
        counts. Index: tickers_symbol_key."""

    def unstage(self) -> int:
        """Drops the table that stage() made.
        Index: none, it drops a table."""

class Queries:
    """The files of queries, as attributes of ``db.queries``."""

    divergence: DivergenceQueries
    holdings: HoldingsQueries
    institutions: InstitutionsQueries
    journal: JournalQueries
    market: MarketQueries
    migrations: MigrationsQueries
    proof: ProofQueries
    sentiment: SentimentQueries
    tickers: TickersQueries
