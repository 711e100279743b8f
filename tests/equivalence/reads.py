"""Every read that callers have: arguments for it, how it is called, and what the oracle says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

import repo
from repo.queries import ResultColumn, columns_of
from tests.equivalence.exact import Outcome, exact
from tests.oracle import OutOfRange, SeveralSources, Unknown, World, fold
from tests.strategies import Content, within
from tests.strategies.values import INT64_MAX, ciks, sources, spelled, symbols

__all__ = [
    "READS",
    "Frame",
    "Read",
    "a_read",
    "as_frame",
    "asked_ciks",
    "asked_sources",
    "asked_symbols",
    "call",
    "expected",
    "same_as_oracle",
]

Arguments = st.SearchStrategy[dict[str, Any]]


@dataclass(frozen=True)
class Read:
    """A method that reads.

    ``arguments`` makes them for what a database holds; ``kinds`` says of each argument what it must
    refuse, by the names of ``REFUSED_ARGUMENTS``.
    """

    arguments: Callable[[Content], Arguments]
    kinds: Mapping[str, str] = field(default_factory=dict)


def asked_symbols(content: Content) -> st.SearchStrategy[str]:
    """Symbols to ask about: nearly always of a ticker that is there."""
    known = content.known_symbols()
    if not known:
        return symbols()
    there = st.sampled_from(known).flatmap(spelled)
    return st.integers(0, 9).flatmap(lambda roll: symbols() if roll == 9 else there)


def asked_sources(content: Content) -> st.SearchStrategy[str]:
    """Sources to ask about."""
    known = sorted({row.source for row in content.sentiment})
    if not known:
        return sources()
    return st.integers(0, 9).flatmap(lambda roll: sources() if roll == 9 else st.sampled_from(known))


def asked_ciks(content: Content) -> st.SearchStrategy[int]:
    """CIKs to ask about: of an institution that is there, and of others."""
    known = sorted({row.cik for row in content.institutions})
    if not known:
        return ciks()
    return st.integers(0, 4).flatmap(lambda roll: ciks() if roll == 4 else st.sampled_from(known))


def _fixed(**strategies: st.SearchStrategy[Any]) -> Arguments:
    return st.fixed_dictionaries(strategies)


def _range(content: Content, **strategies: st.SearchStrategy[Any]) -> Arguments:
    bound = st.none() | within(content.days)
    return st.fixed_dictionaries(strategies, optional={"start": bound, "end": bound})


def _of_symbol(content: Content) -> Arguments:
    return _range(content, symbol=asked_symbols(content))


def _sentiment(content: Content) -> Arguments:
    source = st.none() | asked_sources(content)
    return _range(content, symbol=asked_symbols(content), source=source)


def _latest(content: Content) -> Arguments:
    several = st.lists(asked_symbols(content), max_size=4)
    return st.fixed_dictionaries({}, optional={"symbols": st.none() | several | several.map(tuple)})


def _frame(content: Content, **strategies: st.SearchStrategy[Any]) -> Arguments:
    several = st.none() | st.lists(asked_symbols(content), max_size=4)
    return _range(content, symbols=several, **strategies)


def _sentiment_frame(content: Content) -> Arguments:
    return _frame(content, source=st.none() | asked_sources(content))


def _ranking(content: Content) -> Arguments:
    window = st.sampled_from((10, 1, 2, 7, 12, 15, 18, 20, 10, 12, 15, 18, 20, 90, 10**6, INT64_MAX))
    return st.fixed_dictionaries(
        {"as_of": within(content.days[24:]), "window_days": window},
        optional={
            "source": st.none() | asked_sources(content),
            "limit": st.none() | st.sampled_from((0, 1, 2, 3, INT64_MAX)),
        },
    )


def _timeline(content: Content) -> Arguments:
    known = content.known_symbols()

    def source_for(arguments: dict[str, Any]) -> Arguments:
        # An unknown ticker with a source unnamed is wrong twice over; which is said first is open.
        named = asked_sources(content)
        choice = st.none() | named if fold(arguments["symbol"]) in known else named
        return choice.map(lambda source: {**arguments, "source": source})

    return _of_symbol(content).flatmap(source_for)


_RANGE: Final = {"symbol": "symbol", "start": "bound", "end": "bound"}
_FRAME: Final = {"symbols": "symbols", "start": "bound", "end": "bound"}
_RANKING: Final = {"as_of": "day", "source": "source", "window_days": "window_days", "limit": "limit"}

READS: Final[Mapping[str, Read]] = {
    "divergence.ranking": Read(_ranking, _RANKING),
    "divergence.ranking_frame": Read(_ranking, _RANKING),
    "divergence.timeline": Read(_timeline, {**_RANGE, "source": "source"}),
    "divergence.timeline_frame": Read(_timeline, {**_RANGE, "source": "source"}),
    "holdings.frame": Read(_frame, _FRAME),
    "holdings.history": Read(_of_symbol, _RANGE),
    "holdings.known": Read(
        lambda content: _fixed(symbol=asked_symbols(content), as_of=within(content.days)),
        {"symbol": "symbol", "as_of": "day"},
    ),
    "institutions.all": Read(lambda content: st.just({})),
    "institutions.get": Read(lambda content: _fixed(cik=asked_ciks(content)), {"cik": "cik"}),
    "market.coverage": Read(lambda content: st.just({})),
    "market.frame": Read(_frame, _FRAME),
    "market.history": Read(_of_symbol, _RANGE),
    "market.latest": Read(_latest, {"symbols": "symbols"}),
    "market.on": Read(lambda content: _fixed(date=within(content.days)), {"date": "day"}),
    "market.summary": Read(_of_symbol, _RANGE),
    "sentiment.frame": Read(_sentiment_frame, {**_FRAME, "source": "source"}),
    "sentiment.history": Read(_sentiment, {**_RANGE, "source": "source"}),
    "sentiment.sources": Read(lambda content: st.just({})),
    "tickers.all": Read(lambda content: st.just({})),
    "tickers.get": Read(lambda content: _fixed(symbol=asked_symbols(content)), {"symbol": "symbol"}),
}


@st.composite
def a_read(draw: st.DrawFn, content: Content) -> tuple[str, dict[str, Any]]:
    """Any read, with arguments."""
    name = draw(st.sampled_from(sorted(READS)))
    return name, dict(draw(READS[name].arguments(content)))


class Frame(NamedTuple):
    """An Arrow table as plain Python, so that it compares to the last bit."""

    schema: str
    rows: list[tuple[Any, ...]]


def as_frame(table: Any) -> Frame:
    """What an Arrow table holds."""
    return Frame(str(table.schema), [tuple(row.values()) for row in table.to_pylist()])


def call(db: repo.Database, name: str, arguments: Mapping[str, Any]) -> Any:
    """Ask a database."""
    aggregate, _, method = name.partition(".")
    answer = getattr(getattr(db, aggregate), method)(**arguments)
    return as_frame(answer) if method.endswith("frame") else answer


def _get_ticker(world: World, symbol: str) -> Any:
    symbol = fold(symbol)
    if symbol not in world.tickers:
        raise Unknown([symbol])
    return symbol, *world.tickers[symbol]


def _history(world: World, name: str, symbols: Any, **arguments: Any) -> Any:
    """The histories of several tickers, one after another."""
    asked = {fold(symbol) for symbol in (world.tickers if symbols is None else symbols)}
    missing = sorted(asked - world.tickers.keys())
    if missing:
        raise Unknown(missing)
    history = getattr(world, f"{name}_history")
    return [row for symbol in sorted(asked) for row in history(symbol, **arguments)]


def _ask(world: World, name: str, arguments: Mapping[str, Any]) -> Any:
    aggregate, _, method = name.removesuffix("_frame").partition(".")
    if method == "frame":
        return _history(world, aggregate, **arguments)
    if name == "tickers.get":
        return _get_ticker(world, **arguments)
    if name == "institutions.get":
        return arguments["cik"], world.institutions[arguments["cik"]]
    if name == "market.on":
        return world.market_on(arguments["date"])
    return getattr(world, method if aggregate == "divergence" else f"{aggregate}_{method}")(**arguments)


def expected(world: World, name: str, arguments: Mapping[str, Any]) -> Outcome:
    """What the oracle answers; of an error its class, and what is missing."""
    try:
        answer = _ask(world, name, arguments)
    except Unknown as unknown:
        return Outcome(error="UnknownTicker", fields=tuple(unknown.symbols))
    except KeyError as missing:
        return Outcome(error="UnknownInstitution", fields=missing.args)
    except OutOfRange:
        return Outcome(error="RangeError")
    except SeveralSources:
        return Outcome(error="InvalidRecord")
    return Outcome(value=exact(answer), answer=answer)


@cache
def _columns(record: Any) -> tuple[ResultColumn, ...]:
    """The columns of a record; none of what is none."""
    return columns_of(record) if hasattr(record, "_fields") else ()


def same_as_oracle(world: World, name: str, arguments: Mapping[str, Any], found: Outcome) -> None:
    """Hold what both engines answered against the oracle."""
    wanted = expected(world, name, arguments)
    if found.error is not None or wanted.error is not None:
        missing = found.fields[0] if found.error in ("UnknownTicker", "UnknownInstitution") else ()
        assert (found.error, missing) == (wanted.error, wanted.fields), f"{name}: {found.raised!r}"
        return
    answer = found.answer.rows if isinstance(found.answer, Frame) else found.answer
    assert exact(answer, plain=True) == wanted.value, name
    for row in answer if isinstance(answer, list) else [answer]:
        kind: Any = type(row)
        for column, value in zip(_columns(kind), row or (), strict=False):
            assert type(value) is column.type or (value is None and column.nullable), (name, column)
