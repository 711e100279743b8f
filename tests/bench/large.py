"""The jobs on much data, each call in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import repo
from repo import sample
from tests.bench.alone import CONTESTANTS
from tests.bench.data import Sizes
from tests.bench.jobs import LARGE
from tests.bench.measure import rotated
from tests.bench.places import Place
from tests.bench.results import Results

_ROOT: Final = Path(__file__).parent.parent.parent
_QUARTERS: Final = 8
_CSV_DAYS: Final = 2_000


def fill_large(url: str, sizes: Sizes) -> None:
    """Fill a database with the rows of the large ranking: a bar a week, filings of eight quarters."""
    names = sample.symbols(sizes.large_tickers)
    firms = sample.institutions(sizes.large_institutions)
    days = [sample.LAST_DAY - timedelta(days=7 * back) for back in range(39, -1, -1)]
    interest_days = sample.days_until(sample.LAST_DAY, sizes.large_interest_days)
    ends = sample.quarters(sample.LAST_DAY, _QUARTERS)
    with repo.connect(url) as db:
        db.tickers.upsert(sample.tickers(names))
        db.institutions.upsert(firms)
        db.market.upsert(sample.bars(names, days))
        db.holdings.upsert(sample.holdings(names, [firm.cik for firm in firms], ends, sizes.large_share))
        db.sentiment.upsert(sample.sentiment(names, interest_days))


def write_csv(path: Path, rows: int) -> list[repo.Ticker]:
    """Write bars into a CSV file; the tickers that it needs."""
    names = sample.symbols(-(-rows // _CSV_DAYS))
    days = sample.days_until(sample.LAST_DAY, min(rows, _CSV_DAYS))
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(repo.Bar._fields) + "\n")
        for number, bar in enumerate(sample.bars(names, days)):
            if number == rows:
                break
            file.write(
                f"{bar.symbol},{bar.date},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}\n"
            )
    return sample.tickers(names)


def run(
    place: Place,
    sizes: Sizes,
    jobs: Sequence[str],
    rounds: int,
    read_url: str,
    say: Callable[[str], None],
) -> Results:
    """Measure the large jobs of these names; ``read_url`` is a database with bars."""
    results = Results()
    for job in (job for job in LARGE if job in jobs):
        say(job)
        if job == "frame":
            _rounds(place, job, rounds, read_url, results)
            continue
        url = place.empty()
        try:
            if job == "ranking_large":
                fill_large(url, sizes)
                place.settle(url)
                _rounds(place, job, rounds, url, results)
            else:
                _csv(place, url, sizes, results)
        finally:
            place.drop(url)
    return results


def _alone(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.alone", *arguments]
    done = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _note(results: Results, backend: str, job: str, name: str, found: dict[str, Any]) -> None:
    result = results.at(backend, job, name)
    if "reason" in found:
        result.reason = found["reason"]
        return
    result.seconds.append(found["seconds"])
    result.memory, result.resident = found["memory"], found["resident"]


def _rounds(place: Place, job: str, rounds: int, url: str, results: Results) -> None:
    names = list(CONTESTANTS[job])
    for number in range(rounds):
        answers: dict[str, dict[str, Any]] = {}
        for name in rotated(names, number):
            found = _alone(job, name, url)
            _note(results, place.backend, job, name, found)
            if "reason" not in found:
                answers[name] = found
        if len({found["digest"] for found in answers.values()}) > 1:
            told = "; ".join(
                f"{name}: {found['rows']} rows, {found['first']}" for name, found in answers.items()
            )
            results.wrong.append(f"{place.backend}, {job}: the answers differ: {told}")
        if any(found["rows"] == 0 for found in answers.values()):
            results.wrong.append(f"{place.backend}, {job}: nothing was found")


def _csv(place: Place, url: str, sizes: Sizes, results: Results) -> None:
    """Load one file; how many bars there are afterwards is what is compared."""
    with tempfile.TemporaryDirectory(prefix="smdi-csv-") as folder:
        path = Path(folder) / "market.csv"
        needed = write_csv(path, sizes.csv_rows)
        with repo.connect(url) as db:
            db.tickers.upsert(needed)
        found = _alone("csv_memory", "ours", url, str(path))
    _note(results, place.backend, "csv_memory", "ours", found)
    if "reason" not in found and found["first"] != repr([(sizes.csv_rows,)]):
        results.wrong.append(f"{place.backend}, csv_memory: {found['first']} bars, not {sizes.csv_rows}")
