"""Every named query: arguments for those that return rows, and what makes those that write run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final
from unittest.mock import patch

import pyarrow
from hypothesis import strategies as st

import repo
from repo.backends.base import write_rows
from repo.batches import RepeatedKeys
from tests.equivalence.between import keys_between, read_between
from tests.equivalence.loads import Counted, Load, loads, write_referred
from tests.equivalence.model import AGGREGATES
from tests.equivalence.reads import as_frame, asked_ciks, asked_sources, asked_symbols
from tests.strategies import Content, within
from tests.strategies.values import INT64_MAX

__all__ = ["READING", "WRITING", "Asked", "Written"]

Arguments = Callable[[Content], st.SearchStrategy[dict[str, Any]]]


def _all(answer: Any) -> Any:
    return answer


def _without_keys(answer: Any) -> Any:
    """Names without the keys that each database gave them, which are its own."""
    return [(type(row).__name__, row[0], type(row[1])) for row in answer]


def _without_checksums(answer: Any) -> Any:
    """Migrations without the checksums of their files, which are each dialect's own."""
    return [(row.version, row.name, type(row.checksum), len(row.checksum)) for row in answer]


def _read(db: repo.Database, name: str, arguments: dict[str, Any]) -> Any:
    return db._session.read(name, **arguments)


def _read_ranking(db: repo.Database, name: str, arguments: dict[str, Any]) -> Any:
    """The rows, or the error that they stand for; PostgreSQL raises some of these itself."""
    rows = db._session.read(name, **arguments)
    if any(row.out_of_range for row in rows):
        raise repo.RangeError("out of range")
    return rows


def _read_in_a_row(db: repo.Database, name: str, arguments: dict[str, Any]) -> Any:
    """A value that may be empty as a row, which is an answer all the same."""
    return (db._session.read(name, **arguments),)


def _read_frame(db: repo.Database, name: str, arguments: dict[str, Any]) -> Any:
    return as_frame(db._session.frame(name, **arguments))


@dataclass(frozen=True)
class Asked:
    """A query that returns rows: its arguments, and what of the answer is no database's own."""

    arguments: Arguments
    common: Callable[[Any], Any] = _all
    read: Callable[[repo.Database, str, dict[str, Any]], Any] = _read


@dataclass(frozen=True)
class Written:
    """A query that writes: calls of the package that run it on both engines.

    ``before`` prepares a database; ``calls`` makes the load or argument that ``call`` is given.
    """

    before: Callable[[repo.Database], Any]
    calls: st.SearchStrategy[Any]
    call: Callable[[repo.Database, Any], Any]
    common: Callable[[Any], Any] = _all


def _nothing(content: Content) -> st.SearchStrategy[dict[str, Any]]:
    return st.just({})


def _fixed(**strategies: Callable[[Content], st.SearchStrategy[Any]]) -> Arguments:
    return lambda content: st.fixed_dictionaries(
        {name: strategy(content) for name, strategy in strategies.items()}
    )


def _day(content: Content) -> st.SearchStrategy[Any]:
    return within(content.days)


def _bound(content: Content) -> st.SearchStrategy[Any]:
    """A day, and rarely NULL, which is no day on either engine."""
    return st.integers(0, 9).flatmap(lambda roll: st.none() if roll == 9 else within(content.days))


def _source(content: Content) -> st.SearchStrategy[Any]:
    return st.none() | asked_sources(content)


def _symbol(content: Content) -> st.SearchStrategy[Any]:
    """A symbol as the repositories pass it on: in upper case."""
    return asked_symbols(content).map(str.upper)


def _symbols(content: Content) -> st.SearchStrategy[Any]:
    return st.lists(_symbol(content), max_size=5)


def _some_symbols(content: Content) -> st.SearchStrategy[Any]:
    return st.none() | _symbols(content)


def _ciks(content: Content) -> st.SearchStrategy[Any]:
    return st.lists(asked_ciks(content), max_size=5)


def _limit(content: Content) -> st.SearchStrategy[Any]:
    return st.sampled_from((INT64_MAX, 0, 1, 2, 3))


def _ranking(content: Content) -> st.SearchStrategy[dict[str, Any]]:
    """Two windows that end late, as the repository asks for them, or any three days."""
    days = content.days
    windows = st.tuples(st.integers(1, 16), st.integers(30, 40))
    asked = windows.map(lambda pair: [days[max(0, pair[1] - back * pair[0])] for back in (2, 1, 0)])
    three = st.lists(_day(content), min_size=3, max_size=3)
    limits = st.integers(0, 3).flatmap(lambda roll: three if roll == 3 else asked)
    return st.tuples(limits, asked_sources(content), _limit(content)).map(
        lambda drawn: {
            **dict(zip(("before_from", "recent_from", "as_of"), drawn[0], strict=True)),
            "source": drawn[1],
            "limit": drawn[2],
        }
    )


_ROWS: Final = {"market": "bars"}


def _again(aggregate: str) -> Arguments:
    """Some rows of what is there, and some of these once more."""

    def arguments(content: Content) -> st.SearchStrategy[dict[str, Any]]:
        rows = list(getattr(content, _ROWS.get(aggregate, aggregate)))
        if not rows:
            return st.just({"rows": []})
        some = st.lists(st.sampled_from(rows), max_size=2 * len(rows))
        return some.map(lambda again: {"rows": [*rows, *again]})

    return arguments


class _Undone(Exception):
    """Ends a transaction that was only for looking."""


def _read_aside(db: repo.Database, name: str, arguments: dict[str, Any]) -> Any:
    """What is asked of rows set aside, as a load that counts them, or is strict, asks it."""
    aggregate, _, query = name.partition(".")
    rows = Counted(arguments["rows"], strict=query == "superseded")
    answer: Any = []
    try:
        with db.transaction():
            try:
                getattr(db, aggregate).upsert(rows)
            except RepeatedKeys as repeated:
                answer = list(repeated.places)
            keys = len(arguments["rows"]) - rows.tally.repeated
            if query != "superseded":
                answer = keys - rows.tally.new
            raise _Undone
    except _Undone:
        return answer


def _read_reserved(db: repo.Database, name: str, arguments: dict[str, Any]) -> Any:
    """That a merge of tickers that are there already writes nothing and waits for nobody."""
    written = None
    try:
        with db.transaction():
            written = db.tickers.upsert(Counted(arguments["rows"]))
            raise _Undone
    except _Undone:
        return written


def _highs(content: Content) -> st.SearchStrategy[dict[str, Any]]:
    """Bars there are, each with another high."""
    bars = list(content.bars)
    if not bars:
        return st.just({"rows": []})
    changed = st.tuples(st.sampled_from(bars), st.sampled_from((0.5, 1.0, 2.0)))
    return st.lists(changed, min_size=1, max_size=2 * len(bars)).map(lambda rows: {"rows": rows})


def _read_unfit(db: repo.Database, name: str, arguments: dict[str, Any]) -> Any:
    """What a frame with highs and without lows is told."""
    rows = [
        {
            "symbol": bar.symbol,
            "date": bar.date,
            "high": factor * (bar.low or bar.close),
            "close": bar.close,
        }
        for bar, factor in arguments["rows"]
    ]
    if not rows:
        return []
    answer: Any = []
    try:
        with db.transaction():
            try:
                db.market.upsert(pyarrow.Table.from_pylist(rows))
            except repo.InvalidRecord as invalid:
                told = [(each.row, each.value, each.reason) for each in invalid.problems]
                answer = [(row, high, float(reason.rpartition(" ")[2])) for row, high, reason in told]
            raise _Undone
    except _Undone:
        return answer


_RANGE: Final = {"symbol": _symbol, "start": _bound, "end": _bound}
_FRAME: Final = {"symbols": _some_symbols, "start": _bound, "end": _bound}

READING: Final[Mapping[str, Asked]] = {
    "divergence.ranking": Asked(_ranking, read=_read_ranking),
    "divergence.timeline": Asked(_fixed(**_RANGE, source=_source)),
    "holdings.between": Asked(keys_between, read=read_between),
    "holdings.frame": Asked(_fixed(**_FRAME), read=_read_frame),
    "holdings.history": Asked(_fixed(**_RANGE)),
    "holdings.known": Asked(_fixed(symbol=_symbol, as_of=_bound)),
    **{
        f"{aggregate}.{query}": Asked(_again(aggregate), read=_read_aside)
        for aggregate in AGGREGATES
        for query in ("there", "superseded")
    },
    # What it locks is nobody's on SQLite: it is asked by every merge of tickers.
    "tickers.reserve": Asked(_again("tickers"), read=_read_reserved),
    "market.unfit": Asked(_highs, read=_read_unfit),
    "institutions.all": Asked(_nothing),
    "institutions.get": Asked(_fixed(cik=asked_ciks)),
    "institutions.identify": Asked(_fixed(ciks=_ciks), _without_keys),
    "market.between": Asked(keys_between, read=read_between),
    "market.coverage": Asked(_nothing),
    "market.frame": Asked(_fixed(**_FRAME), read=_read_frame),
    "market.history": Asked(_fixed(**_RANGE)),
    "market.latest": Asked(_nothing),
    "market.latest_of": Asked(_fixed(symbols=_symbols)),
    "market.latest_one": Asked(_fixed(symbol=_symbol)),
    "market.on_day": Asked(_fixed(date=_bound)),
    "market.summary": Asked(_fixed(**_RANGE)),
    "migrations.applied": Asked(_nothing, _without_checksums),
    "migrations.lock": Asked(_nothing),
    "migrations.started": Asked(_nothing),
    "migrations.strangers": Asked(_nothing, read=_read_in_a_row),
    "sentiment.between": Asked(keys_between, read=read_between),
    "sentiment.frame": Asked(_fixed(**_FRAME, source=_source), read=_read_frame),
    "sentiment.history": Asked(_fixed(**_RANGE, source=_source)),
    "sentiment.sources": Asked(_nothing),
    "tickers.all": Asked(_nothing),
    "tickers.get": Asked(_fixed(symbol=_symbol)),
    "tickers.identify": Asked(_fixed(symbols=_symbols), _without_keys),
}


def _refer(aggregate: str) -> Callable[[repo.Database], Any]:
    return (lambda db: None) if aggregate in ("tickers", "institutions") else write_referred


def _load(db: repo.Database, load: Load) -> Any:
    return getattr(db, load.aggregate).upsert(load.rows())


def _load_added(db: repo.Database, load: Load) -> Any:
    """Write a part of the rows, then all with the statement that leaves alone what is there."""
    rows = load.rows()
    upsert = getattr(db, load.aggregate).upsert
    first = upsert(rows[: len(rows) // 2])
    adding = partial(write_rows, statement="add")
    with (
        patch("repo.backends.postgresql.backend.write_rows", adding),
        patch("repo.backends.sqlite.upsert.write_rows", adding),
    ):
        return first, upsert(rows)


_ABSENT: Final = {
    "tickers": (("cusip",),),
    "market": (("open",), ("volume",), ("high", "low"), ("open", "high", "low", "volume")),
    "holdings": (("ownership_percent",),),
    "sentiment": (("score",),),
}


def _load_some(db: repo.Database, call: tuple[Load, tuple[str, ...], int]) -> Any:
    """Write a load, then one that lacks columns, of other rows in part."""
    load, absent, first = call
    other = Load(load.aggregate, load.seeds[::-1], load.size, load.order, load.again)
    lacking = [
        row._replace(**dict.fromkeys(absent)) for row in other.rows()[min(first, load.size // 2) :]
    ]
    upsert = getattr(db, load.aggregate).upsert
    counted = Counted(lacking, absent=absent)
    return upsert(load.rows()[: load.size // 2]), upsert(counted), upsert(counted), counted.tally


@st.composite
def _repeating(draw: st.DrawFn, aggregate: str) -> Load:
    """A load whose first key comes again in another batch, which makes both engines settle."""
    load = draw(loads(aggregate, sizes=(1100, 2001)))
    return Load(aggregate, load.seeds, load.size, "by day", (*load.again, (0, load.size - 1)))


_BARS: Final = Load(
    "market", (repo.Bar("A", date.min, None, None, None, 1.0, None),), size=30, order="by day", again=()
)


def _write_bars(db: repo.Database) -> None:
    write_referred(db)
    _load(db, _BARS)


def _delete(db: repo.Database, days: list[Any]) -> Any:
    return db.market.delete("A", *days)


def _down_and_up(db: repo.Database, target: int) -> Any:
    return db.migrate(target), db.version(), db.migrate(), db.version()


def _from_nothing(db: repo.Database, target: int) -> Any:
    """Undo every migration and their record with them, and begin anew."""
    db.migrate(target)
    db._session.run_script("DROP TABLE schema_migrations")
    return db.migrate(), db.version()


def _writing() -> dict[str, Written]:
    found: dict[str, Written] = {}
    for name in AGGREGATES:
        refer = _refer(name)
        found[f"{name}.upsert"] = Written(refer, loads(name, sizes=(1, 2, 51, 97)), _load)
        if name != "tickers":
            found[f"{name}.add"] = Written(refer, loads(name, sizes=(2, 7, 33)), _load_added)
        if name in _ABSENT:
            some = st.tuples(loads(name), st.sampled_from(_ABSENT[name]), st.sampled_from((0, 1, 700)))
            found[f"{name}.merge"] = Written(refer, some, _load_some)
        else:
            found[f"{name}.merge"] = Written(refer, _repeating(name), _load)
        for step in ("stage", "fill", "settle", "unstage"):
            found[f"{name}.{step}"] = Written(refer, _repeating(name), _load)
    days = st.sampled_from([row.date for row in _BARS.rows()])
    ranges = st.lists(days, min_size=2, max_size=2).map(sorted)
    found["market.delete"] = Written(_write_bars, ranges, _delete)
    found["migrations.prepare"] = Written(lambda db: None, st.just(0), _from_nothing)
    for step in ("record", "forget"):
        found[f"migrations.{step}"] = Written(lambda db: None, st.sampled_from((0, 1)), _down_and_up)
    return found


WRITING: Final[Mapping[str, Written]] = _writing()
