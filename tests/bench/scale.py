"""``python -m tests.bench.scale``: the same questions to ever larger databases of both engines.

The databases of all sizes are there at once and are asked in turn, so that what slows the machine down
for a while slows all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import repo
from repo import Database
from tests.bench import data, scale_report
from tests.bench.measure import rotated, timed
from tests.bench.places import BACKENDS, Place, opened
from tests.bench.plans import plan
from tests.bench.questions import QUESTIONS, Filled, Question
from tests.bench.results import Results
from tests.bench.targets import reached

__all__ = ["main"]

SIZES: Final = (100_000, 1_000_000, 10_000_000)
_TICKERS: Final = (500, 5_000)
_DAYS: Final = 2_000
_QUARTERS: Final = 8
_INSTITUTIONS: Final = 100
_BARS_A_HOLDING: Final = 10
_ROUNDS: Final = 7


def _fill(place: Place, size: int) -> Filled:
    """A database with that many bars, and holdings and interest in proportion."""
    names = data.symbols(min(_TICKERS[1], max(_TICKERS[0], size // _DAYS)))
    filled = Filled(size, place.empty(), names, data.days_until(data.LAST_DAY, size // len(names)))
    firms = data.institutions(_INSTITUTIONS)
    ends = data.quarters(data.LAST_DAY, _QUARTERS)
    share = size / _BARS_A_HOLDING / (len(names) * _INSTITUTIONS * _QUARTERS)
    interest_days = data.days_until(data.LAST_DAY, 2 * data.WINDOW_DAYS)
    with repo.connect(filled.url, **_no_limit(place)) as db:
        db.tickers.upsert(data.tickers(names))
        db.institutions.upsert(firms)
        start = perf_counter()
        written = db.market.upsert(data.bars(names, filled.days))
        filled.fill_seconds = perf_counter() - start
        if written != len(names) * len(filled.days):
            raise AssertionError(f"{written} bars were written, not {len(names) * len(filled.days)}")
        ciks = [firm.cik for firm in firms]
        filled.holdings = db.holdings.upsert(data.holdings(names, ciks, ends, share))
        db.sentiment.upsert(data.sentiment(names, interest_days))
    place.settle(filled.url)
    place.quiet(filled.url)
    filled.disk = place.size(filled.url)
    return filled


def _no_limit(place: Place) -> dict[str, Any]:
    """Options for a load that may take longer than a statement should."""
    return {"statement_timeout": 0} if place.backend == "postgresql" else {}


def _check(db: Database, filled: Filled, days: int, results: Results, backend: str) -> None:
    """Hold some answers against the rows that went in."""
    name = filled.symbol(3)
    wanted = list(data.bars([name], filled.days))
    answers = {
        "history": db.market.history(name, filled.days[-days], filled.days[-1]) == wanted[-days:],
        "latest": db.market.latest([name]) == wanted[-1:],
        "cross_section": len(db.market.on(filled.days[-1])) == len(filled.symbols),
        "coverage": sum(row.rows for row in db.market.coverage())
        == len(filled.symbols) * len(filled.days),
    }
    for question, right in answers.items():
        if not right:
            results.wrong.append(f"{backend}, {filled.size:,} bars: a wrong answer to {question}")


def _ask(
    place: Place, all_filled: list[Filled], rounds: int, results: Results, say: Callable[[str], None]
) -> None:
    """Ask every database every question, in turn."""
    days = min(len(filled.days) for filled in all_filled)
    with ExitStack() as stack:
        databases = {
            str(filled.size): (stack.enter_context(repo.connect(filled.url)), filled)
            for filled in all_filled
        }
        for db, filled in databases.values():
            _check(db, filled, days, results, place.backend)
        for name, question in QUESTIONS.items():
            say(name)
            for number in range(rounds + 1):
                for size in rotated(list(databases), number):
                    db, filled = databases[size]
                    if question.query is None:
                        place.quiet(filled.url)
                    seconds = _turn(question, db, filled, days, number)
                    if number > 0:  # the first round is for the caches
                        results.at(place.backend, name, size).seconds.append(seconds)
            if question.query is not None:
                for filled in all_filled:
                    parameters = question.parameters(filled, days)
                    filled.plans[name] = plan(filled.url, question.query, parameters)


def _name_ends(backend: str, smallest: int, largest: int, results: Results) -> None:
    """Let the results of both ends go by a name of their own, which the targets know."""
    for name in QUESTIONS:
        for alias, size in (("smallest", smallest), ("largest", largest)):
            seconds = results.at(backend, name, str(size)).seconds
            results.at(backend, name, alias).seconds.extend(seconds)


def _turn(question: Question, db: Database, filled: Filled, days: int, number: int) -> float:
    """The seconds of one call; every round reads the same, and writes something new."""
    first = 1 + number if question.query is None else 0
    return timed(lambda call: question.ask(db, filled, days, first + call), question.calls)


def _sizes(text: str) -> list[int]:
    found = sorted({int(part) for part in text.split(",")})
    if found[0] < _TICKERS[0]:
        raise argparse.ArgumentTypeError(f"at least {_TICKERS[0]} bars: one of each ticker")
    return found


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    every = ",".join(map(str, SIZES))
    parser.add_argument("--sizes", type=_sizes, default=list(SIZES), help=f"bars; {every} by default")
    parser.add_argument("--backend", choices=BACKENDS, action="append", help="one engine only")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--json", type=Path, help="write the results into this file")
    parser.add_argument("--markdown", type=Path, help="write the report into this file as well")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run, print and write; 1 when an answer was wrong."""
    chosen = _arguments(arguments)
    backends = [backend for backend in BACKENDS if backend in (chosen.backend or BACKENDS)]
    results = Results()
    settings: dict[str, dict[str, str]] = {}
    found: dict[str, list[Filled]] = {}
    started = perf_counter()
    for backend in backends:

        def say(what: str, backend: str = backend) -> None:
            print(f"{perf_counter() - started:6.1f} s  {backend}: {what}", file=sys.stderr)

        own = not os.environ.get("SMDI_TEST_POSTGRES")
        with opened(backend, own) as place:
            settings[backend] = place.settings()
            found[backend] = []
            for size in chosen.sizes:
                say(f"filling {size:,} bars")
                found[backend].append(_fill(place, size))
            _ask(place, found[backend], chosen.rounds, results, say)
            _name_ends(backend, chosen.sizes[0], chosen.sizes[-1], results)
            for filled in found[backend]:
                place.drop(filled.url)
    sizes = data.FULL.name if tuple(chosen.sizes) == SIZES else "others"
    targets = reached(results, backends) if chosen.sizes[1:] else []
    report = scale_report.as_markdown(results, targets, settings, found, sizes)
    print(report)
    if chosen.markdown:
        chosen.markdown.write_text(report, encoding="utf-8")
    if chosen.json:
        answer = scale_report.as_json(results, targets, settings, found)
        chosen.json.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    return 1 if results.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
