"""The benchmark: that it runs, that its contestants agree, and that it says so when they do not."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import repo
from repo import sample
from tests.bench import data, jobs, rounds, scale
from tests.bench.contestants import BARE, NAMES, OURS, load
from tests.bench.contestants.bare_sqlite import Bare
from tests.bench.places import SQLitePlace, digest, expected
from tests.bench.results import Results
from tests.bench.targets import reached

ROOT = Path(__file__).parent.parent


def test_all_contestants_that_are_installed_agree(tmp_path: Path) -> None:
    """Every job is measured for this package and the hand-written code, with equal results for all."""
    path = tmp_path / "results.json"
    command = [sys.executable, "-m", "tests.bench", "--sizes", "tiny", "--backend", "sqlite"]
    done = subprocess.run([*command, "--json", path], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["wrong"] == []
    measured = {(row["contestant"], row["job"]) for row in found["results"] if row["seconds"]}
    asked = [job for job in jobs.TITLES if job not in jobs.LARGE]
    assert {(name, job) for name in (OURS, BARE) for job in asked} <= measured
    assert {(OURS, job) for job in jobs.LARGE if job != "frame"} <= measured
    missing = {row["contestant"] for row in found["results"] if not row["seconds"] and not row["reason"]}
    assert missing == set()
    assert {row["contestant"] for row in found["results"]} >= set(NAMES)


def test_growth_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question is asked of every size, and answered right."""
    monkeypatch.setattr(scale, "_TICKERS", (20, 40))
    monkeypatch.setattr("gc.collect", lambda: 0)  # through all that the tests have imported
    path = tmp_path / "scale.md"
    arguments = ["--sizes", "500,1000", "--rounds", "1", "--backend", "sqlite", "--markdown", str(path)]
    assert scale.main(arguments) == 0
    told = path.read_text(encoding="utf-8")
    assert "| 500 bars | 1,000 bars |" in told
    assert all(f"| {name} | " in told for name in scale.QUESTIONS)
    assert "the last bar at the largest size against the smallest" in told


class Liar(Bare):
    """Leaves out the last bar of every history."""

    def history(self, symbol: str, start: date, end: date) -> list[Any]:
        return super().history(symbol, start, end)[:-1]


def test_another_answer_is_named(tmp_path: Path) -> None:
    """A contestant whose answer differs from ours is named with the job and the difference."""
    rows = data.Data(data.TINY)
    url = f"sqlite:///{tmp_path / 'bench.db'}"
    with repo.connect(url) as db:
        db.migrate()
        db.tickers.upsert(sample.tickers(rows.symbols))
        db.market.upsert(rows.bars)
    job = next(job for job in jobs.READS if job.name == "history")
    ours, honest, liar = load(OURS, "sqlite")(url), Bare(url), Liar(url)
    assert rounds.compare("sqlite", job, {OURS: ours, BARE: honest}, rows) == []
    wrong = rounds.compare("sqlite", job, {OURS: ours, BARE: liar}, rows)
    assert wrong[0] == "sqlite, history: bare differs from ours: 199 rows, not 200"
    for contestant in (ours, honest, liar):
        contestant.close()


def test_rows_that_were_left_are_compared_bit_for_bit(tmp_path: Path) -> None:
    """What a load should leave is told apart from what differs in one price."""
    place = SQLitePlace(tmp_path)
    bars = list(sample.bars(["T1", "T2"], sample.days_until(sample.LAST_DAY, 3)))
    url = place.empty()
    with repo.connect(url) as db:
        db.tickers.upsert(sample.tickers(["T1", "T2"]))
        db.market.upsert(bars)
    assert digest(place.bars(url)) == expected(reversed(bars))
    bars[4] = bars[4]._replace(close=bars[4].close + 0.01)
    assert digest(place.bars(url)) != expected(bars)


def test_ratios_are_taken_round_by_round() -> None:
    """A round in which the machine was slow for both does not change a ratio."""
    results = Results()
    results.at("sqlite", "history", OURS).seconds = [2.0, 20.0, 2.0]
    results.at("sqlite", "history", BARE).seconds = [1.0, 10.0, 2.0]
    assert results.ratio("sqlite", "history", OURS, BARE) == 2.0
    assert results.ratio("sqlite", "history", OURS, "aiosql") is None


@pytest.mark.parametrize(("seconds", "met"), [(1.4, True), (1.6, False)])
def test_targets_say_whether_they_are_met(seconds: float, met: bool) -> None:
    """A target is met at its limit and below; what was not measured is not spoken of."""
    results = Results()
    results.at("sqlite", "history", OURS).seconds = [seconds]
    results.at("sqlite", "history", BARE).seconds = [1.0]
    (target,) = reached(results, ["sqlite", "postgresql"])
    assert (target.backend, target.limit, target.met) == ("sqlite", 1.5, met)


def test_the_log_of_a_second_load_is_a_part_of_the_first() -> None:
    """The write-ahead log of loading again counts against that of the first load."""
    results = Results()
    results.at("postgresql", "load", OURS).wal = [1_000, 1_000]
    results.at("postgresql", "load_again", OURS).wal = [5, 7]
    (target,) = reached(results, ["sqlite", "postgresql"])
    assert (target.measured, target.met) == (0.006, True)
