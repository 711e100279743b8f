"""``python -m tests.bench``: measure the contestants side by side and report."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

import repo
from repo import sample
from tests.bench import contestants, data, large
from tests.bench.contestants import NAMES, OURS, NotOffered
from tests.bench.data import FULL, QUICK, SIZES, Data, Sizes
from tests.bench.jobs import CONCURRENT, OPEN_CLOSE, READS, TITLES
from tests.bench.places import BACKENDS, Place, opened
from tests.bench.report import as_json, as_markdown
from tests.bench.results import Results
from tests.bench.rounds import Rounds
from tests.bench.targets import reached

_ROUNDS = {"full": 5, "quick": 2, "tiny": 1}


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, a minute or two in all")
    parser.add_argument("--sizes", choices=SIZES, help=f"how much data; {FULL.name} by default")
    parser.add_argument("--backend", choices=BACKENDS, action="append", help="one engine only")
    parser.add_argument("--jobs", choices=TITLES, nargs="+", default=list(TITLES), metavar="JOB")
    parser.add_argument("--contestants", choices=NAMES, nargs="+", default=list(NAMES), metavar="NAME")
    parser.add_argument("--rounds", type=int, help="how often each contestant takes its turn")
    parser.add_argument("--json", type=Path, help="write the results into this file")
    parser.add_argument("--markdown", type=Path, help="write the report into this file as well")
    chosen = parser.parse_args(arguments)
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error("--rounds is at least 1")
    return chosen


def _fill(url: str, rows: Data) -> None:
    """Every row that is read, as this package writes it."""
    sizes = rows.sizes
    firms = sample.institutions(sizes.institutions)
    ends = sample.quarters(sample.LAST_DAY, 2)
    interest_days = sample.days_until(sample.LAST_DAY, 2 * data.WINDOW_DAYS)
    with repo.connect(url) as db:
        db.tickers.upsert(sample.tickers(rows.symbols))
        db.institutions.upsert(firms)
        db.market.upsert(rows.bars)
        db.holdings.upsert(sample.holdings(rows.symbols, [firm.cik for firm in firms], ends))
        db.sentiment.upsert(sample.sentiment(rows.symbols, interest_days))


def _template(place: Place, rows: Data) -> str:
    url = place.empty()
    with repo.connect(url) as db:
        db.tickers.upsert(sample.tickers(rows.symbols))
    place.settle(url)
    return url


def _measure(
    place: Place, rows: Data, jobs: Sequence[str], names: Sequence[str], rounds: int
) -> Results:
    """Everything on one engine."""
    started = perf_counter()

    for name in names:
        with suppress(NotOffered):
            contestants.load(name, place.backend)  # imported once, for every child process
    gc.collect()
    gc.freeze()  # the collector is left on, but has not to go through all rows again and again

    def say(what: str) -> None:
        print(f"{perf_counter() - started:6.1f} s  {place.backend}: {what}", file=sys.stderr)

    say("filling")
    read_url = place.empty()
    reading = {OPEN_CLOSE, CONCURRENT, "frame", *(job.name for job in READS)}
    if reading & set(jobs):
        _fill(read_url, rows)
    place.settle(read_url)
    template = _template(place, rows)
    results = Rounds(place, rows, names, jobs, rounds, read_url, template).run(say)
    results.take(large.run(place, rows.sizes, jobs, min(rounds, 3), read_url, say))
    say("done")
    return results


def main(arguments: Sequence[str]) -> int:
    """Run, print and write; 1 when a result was wrong."""
    chosen = _arguments(arguments)
    sizes: Sizes = SIZES[chosen.sizes] if chosen.sizes else QUICK if chosen.quick else FULL
    rounds = chosen.rounds or _ROUNDS[sizes.name]
    names = [name for name in NAMES if name == OURS or name in chosen.contestants]
    jobs = [job for job in TITLES if job in chosen.jobs]
    backends = [backend for backend in BACKENDS if backend in (chosen.backend or BACKENDS)]
    rows = Data(sizes)
    results = Results()
    settings: dict[str, dict[str, str]] = {}
    for backend in backends:
        own = not os.environ.get("SMDI_TEST_POSTGRES")
        with opened(backend, own) as place:
            settings[backend] = place.settings()
            results.take(_measure(place, rows, jobs, names, rounds))
    about = {**asdict(sizes), "rounds": rounds}
    targets = reached(results, backends)
    report = as_markdown(results, targets, settings, about)
    print(report)
    if chosen.markdown:
        chosen.markdown.write_text(report, encoding="utf-8")
    if chosen.json:
        found = as_json(results, targets, settings, about)
        chosen.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if results.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
