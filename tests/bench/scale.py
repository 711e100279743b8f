"""``python -m tests.bench.scale``: the same questions to ever larger databases of both engines.

The databases of all sizes are there at once and are asked in turn, so that what slows the machine down
for a while slows all of them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import repo
from repo import Bar, Database, sample
from repo.sample import LAST_DAY
from tests.bench import data
from tests.bench.measure import rotated, timed
from tests.bench.places import BACKENDS, Place, opened
from tests.bench.report import duration, machine, of_settings, of_targets, table
from tests.bench.results import Results
from tests.bench.targets import reached

SIZES: Final = (100_000, 1_000_000, 10_000_000)
_TICKERS: Final = (500, 5_000)
_DAYS: Final = 2_000
_QUARTERS: Final = 8
_INSTITUTIONS: Final = 100
_BARS_A_HOLDING: Final = 10
_ROUNDS: Final = 7
_CHANGED: Final = 50_000
_CALLS: Final = 20
_ABOUT: Final = (
    "- times are medians over the rounds, growth the median of the rounds' ratios of the largest size "
    "to the smallest; a history has as many bars at every size, a day has one of every ticker; every "
    "round asks for the same tickers and days, and one round came before"
)


@dataclass(slots=True)
class Filled:
    """A database of one size: what is in it, and what filling it took."""

    size: int
    url: str
    symbols: list[str]
    days: list[date]
    holdings: int = 0
    fill_seconds: float = 0.0
    disk: int = 0

    def bars(self, days: Sequence[date], close: float, volume: int) -> Iterator[Bar]:
        """A bar of every ticker for each of these days."""
        for name in self.symbols:
            for day in days:
                yield Bar(name, day, 10.0, 12.0, 9.0, close, volume)

    def one(self, number: int, days: int) -> tuple[str, date, date]:
        """A ticker, another one for every number, and the newest days."""
        return self.symbols[number * 37 % len(self.symbols)], self.days[-days], self.days[-1]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, how often in a round, and whether it writes.

    ``ask`` takes the database, what is in it, how many days a range has, and a number: that of the call
    in its round, or for what writes, that of the round.
    """

    ask: Callable[[Database, Filled, int, int], Any]
    calls: int = 1
    writes: bool = False


QUESTIONS: Final[dict[str, Question]] = {
    "history": Question(lambda db, its, days, number: db.market.history(*its.one(number, days)), _CALLS),
    "latest": Question(
        lambda db, its, days, number: db.market.latest([its.one(number, days)[0]]), 10 * _CALLS
    ),
    "cross_section": Question(
        lambda db, its, days, number: db.market.on(its.days[-1 - number % days]), 3
    ),
    "summary": Question(lambda db, its, days, number: db.market.summary(*its.one(number, days)), _CALLS),
    "coverage": Question(lambda db, its, days, number: db.market.coverage()),
    "ranking": Question(
        lambda db, its, days, number: db.divergence.ranking(LAST_DAY, sample.SOURCE, data.WINDOW_DAYS)
    ),
    "one more day": Question(
        lambda db, its, days, number: db.market.upsert(
            its.bars([its.days[-1] + timedelta(days=number)], 11.0, 1_000)
        ),
        writes=True,
    ),
    f"{_CHANGED:,} changed": Question(
        lambda db, its, days, number: db.market.upsert(
            its.bars(its.days[-max(1, _CHANGED // len(its.symbols)) :], 11.0, number)
        ),
        writes=True,
    ),
}


def _fill(place: Place, size: int) -> Filled:
    """A database with that many bars, and holdings and interest in proportion."""
    names = sample.symbols(min(_TICKERS[1], max(_TICKERS[0], size // _DAYS)))
    filled = Filled(size, place.empty(), names, sample.days_until(LAST_DAY, size // len(names)))
    firms = sample.institutions(_INSTITUTIONS)
    share = size / _BARS_A_HOLDING / (len(names) * _INSTITUTIONS * _QUARTERS)
    # A load may take longer than a statement should.
    options: dict[str, Any] = {"statement_timeout": 0} if place.backend == "postgresql" else {}
    with repo.connect(filled.url, **options) as db:
        db.tickers.upsert(sample.tickers(names))
        db.institutions.upsert(firms)
        start = perf_counter()
        db.market.upsert(sample.bars(names, filled.days))
        filled.fill_seconds = perf_counter() - start
        ends = sample.quarters(LAST_DAY, _QUARTERS)
        filled.holdings = db.holdings.upsert(
            sample.holdings(names, [firm.cik for firm in firms], ends, share)
        )
        db.sentiment.upsert(sample.sentiment(names, sample.days_until(LAST_DAY, 2 * data.WINDOW_DAYS)))
    place.settle(filled.url)
    place.quiet(filled.url)
    filled.disk = place.size(filled.url)
    return filled


def _wrong(db: Database, filled: Filled, days: int) -> list[str]:
    """Hold some answers against the rows that went in."""
    name, start, end = filled.one(3, days)
    wanted = list(sample.bars([name], filled.days))
    right = {
        "history": db.market.history(name, start, end) == wanted[-days:],
        "latest": db.market.latest([name]) == wanted[-1:],
        "cross_section": len(db.market.on(end)) == len(filled.symbols),
        "coverage": sum(row.rows for row in db.market.coverage())
        == len(filled.symbols) * len(filled.days),
    }
    return [f"{filled.size:,} bars: a wrong answer to {name}" for name in right if not right[name]]


def _ask(
    place: Place, all_filled: list[Filled], rounds: int, results: Results, say: Callable[[str], None]
) -> None:
    """Ask every database every question, in turn; both ends have names that the targets know."""
    days = min(len(filled.days) for filled in all_filled)
    with ExitStack() as stack:
        databases = {
            str(filled.size): (stack.enter_context(repo.connect(filled.url)), filled)
            for filled in all_filled
        }
        for db, filled in databases.values():
            results.wrong += [f"{place.backend}, {told}" for told in _wrong(db, filled, days)]
        for name, question in QUESTIONS.items():
            say(name)
            for number in range(rounds + 1):
                for size in rotated(list(databases), number):
                    if question.writes:
                        place.quiet(databases[size][1].url)
                    seconds = _turn(question, *databases[size], days, number)
                    if number > 0:  # the first round is for the caches
                        results.at(place.backend, name, size).seconds.append(seconds)
            for alias, end in (("smallest", 0), ("largest", -1)):
                found = results.at(place.backend, name, str(all_filled[end].size))
                results.at(place.backend, name, alias).seconds.extend(found.seconds)


def _turn(question: Question, db: Database, filled: Filled, days: int, number: int) -> float:
    """The seconds of one call; every round reads the same, and writes something new."""
    first = 1 + number if question.writes else 0
    return timed(lambda call: question.ask(db, filled, days, first + call), question.calls)


def _of_engine(results: Results, backend: str, filled: Sequence[Filled]) -> list[str]:
    """What is told of an engine: its databases, and what was asked of them."""
    header = ("bars", "tickers", "days", "holdings", "on disk, MiB", "loaded in", "bars a second")
    lines = table(
        header,
        [
            [
                *(f"{n:,}" for n in (one.size, len(one.symbols), len(one.days), one.holdings)),
                f"{one.disk / 2**20:,.1f}",
                duration(one.fill_seconds),
                f"{one.size / one.fill_seconds:,.0f}",
            ]
            for one in filled
        ],
    )
    rows = []
    for name in QUESTIONS:
        found = [results.at(backend, name, str(one.size)) for one in filled]
        spread = [duration(end(found[-1].seconds)) for end in (min, max)]
        growth = results.ratio_of((backend, name, "largest"), (backend, name, "smallest"))
        told = "-" if growth is None else f"{growth:.2f}"
        rows.append([name, *(duration(one.median) for one in found), " .. ".join(spread), told])
    sizes = [f"{one.size:,} bars" for one in filled]
    return [*lines, *table(["", *sizes, "min .. max of the largest", "growth"], rows)]


def _sizes(text: str) -> list[int]:
    found = sorted({int(part) for part in text.split(",")})
    if found[0] < _TICKERS[0]:
        raise argparse.ArgumentTypeError(f"at least {_TICKERS[0]} bars: one of each ticker")
    return found


def main(arguments: Sequence[str]) -> int:
    """Run, print and write; 1 when an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    every = ",".join(map(str, SIZES))
    parser.add_argument("--sizes", type=_sizes, default=list(SIZES), help=f"bars; {every} by default")
    parser.add_argument("--backend", choices=BACKENDS, action="append", help="one engine only")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--markdown", type=Path, help="write the report into this file as well")
    chosen = parser.parse_args(arguments)
    backends = [backend for backend in BACKENDS if backend in (chosen.backend or BACKENDS)]
    results = Results()
    head = ["# Growth with size", "", *of_settings("machine and versions", machine())]
    body: list[str] = []
    started = perf_counter()
    for backend in backends:

        def say(what: str, backend: str = backend) -> None:
            print(f"{perf_counter() - started:6.1f} s  {backend}: {what}", file=sys.stderr)

        with opened(backend, own_server=not os.environ.get("SMDI_TEST_POSTGRES")) as place:
            head += of_settings(backend, place.settings())
            found: list[Filled] = []
            for size in chosen.sizes:
                say(f"filling {size:,} bars")
                found.append(_fill(place, size))
            _ask(place, found, chosen.rounds, results, say)
            body += [f"## {backend}", "", *_of_engine(results, backend, found)]
            for filled in found:
                place.drop(filled.url)
    targets = reached(results, backends) if chosen.sizes[1:] else []
    sizes = data.FULL.name if tuple(chosen.sizes) == SIZES else "others"
    wrong = ["## Wrong results", "", *(f"- {told}" for told in results.wrong), ""]
    report = "\n".join(
        [*head, _ABOUT, "", *of_targets(targets, sizes), *body, *(wrong if results.wrong else [])]
    )
    print(report)
    if chosen.markdown:
        chosen.markdown.write_text(report, encoding="utf-8")
    return 1 if results.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
