"""The README's programs do what it says of them, run as it says."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader

from repo import Database, Ticker
from tests.readme import code, module

THEIR_TEST = """
import repo

def test_names(db):
    db.tickers.upsert([repo.Ticker("AAPL", "Apple Inc.")])
    assert [each.symbol for each in db.tickers.all()] == ["AAPL"]

def test_that_each_test_begins_without_rows(db):
    assert db.tickers.all() == []
"""


def test_as_a_library(tmp_path: Path) -> None:
    """The first program prints one bar, and an index without institutions is empty."""
    ran = subprocess.run(
        [sys.executable, "-c", code("from datetime import date\nimport repo\n")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    first, second = ran.stdout.splitlines()
    assert first.startswith("[Bar(symbol='AAPL', date=datetime.date(2020, 6, 1), open=79.4")
    assert second == "[]"


def test_asyncio(db: Database) -> None:
    """Two tasks at once, each with a transaction in a thread."""
    db.tickers.upsert([Ticker("FB", "Facebook"), Ticker("GOOGL", "Google")])
    assert asyncio.run(module("tasks.py").main(db)) == ["Facebook", "Google"]
    assert {each.company_name for each in db.tickers.all()} == {"Meta Platforms", "Alphabet"}


def test_fixtures(tmp_path: Path) -> None:
    """An application's own tests run on both engines, each on a database of its own."""
    (tmp_path / "conftest.py").write_text(code("conftest.py"), encoding="utf-8")
    (tmp_path / "test_theirs.py").write_text(THEIR_TEST, encoding="utf-8")
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--basetemp",
            tmp_path / "base",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout


def test_telemetry(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each query is measured by its name."""
    reader = InMemoryMetricReader()
    monkeypatch.setattr(metrics, "get_meter", MeterProvider([reader], shutdown_on_exit=False).get_meter)
    monkeypatch.setenv("DATABASE_URL", url)
    with module("telemetry.py").db as db:
        db.tickers.all()
        db.tickers.all()
    told = reader.get_metrics_data()
    assert told is not None
    points = told.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    counts = {
        str((point.attributes or {})["db.query.summary"]): point.count
        for point in points
        if isinstance(point, HistogramDataPoint)
    }
    assert counts["tickers.all"] == 2
