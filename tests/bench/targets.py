"""What this package wants to reach, as data, and what was reached. A target missed fails nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from tests.bench.contestants import BARE, OURS
from tests.bench.results import Results

Measure = Callable[[Results, str], float | None]


@dataclass(frozen=True, slots=True)
class Target:
    """At most ``limits[backend]`` of what ``measure`` gives; ``unit`` is empty for a ratio."""

    title: str
    limits: Mapping[str, float]
    measure: Measure
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """A target on an engine, and what was measured."""

    title: str
    backend: str
    limit: float
    measured: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether it was met."""
        return self.measured <= self.limit


def _both(limit: float) -> Mapping[str, float]:
    return {"sqlite": limit, "postgresql": limit}


def _ours_against(job: str, other: str) -> Measure:
    return lambda results, backend: results.ratio(backend, job, OURS, other)


def _again(results: Results, backend: str) -> float | None:
    return results.ratio_of((backend, "load_again", OURS), (backend, "load", OURS))


def _wal(results: Results, backend: str) -> float | None:
    """The log written by the second load, as a part of the first's."""
    first, second = (results.get(backend, job, OURS) for job in ("load", "load_again"))
    if first is None or second is None or not first.wal or not second.wal:
        return None
    return median(second.wal) / median(first.wal)


def _resident(job: str) -> Measure:
    def measure(results: Results, backend: str) -> float | None:
        result = results.get(backend, job, OURS)
        return None if result is None or result.resident is None else result.resident * 1024 / 1e6

    return measure


def _growth(question: str) -> Measure:
    """The largest size against the smallest, as the scale run notes it."""
    return lambda results, backend: results.ratio_of(
        (backend, question, "largest"), (backend, question, "smallest")
    )


TARGETS: Final = (
    Target(
        "1,500 typed bars against bare tuples",
        {"sqlite": 1.5, "postgresql": 1.35},
        _ours_against("history", BARE),
    ),
    Target(
        "the last bar of one ticker against bare",
        {"sqlite": 1.5, "postgresql": 1.2},
        _ours_against("latest", BARE),
    ),
    Target(
        "new bars, checked, against hand-written",
        {"sqlite": 1.35, "postgresql": 1.25},
        _ours_against("load", BARE),
    ),
    Target("the same bars again, against the first load", _both(0.6), _again),
    Target("the log of the same bars again, against the first load's", {"postgresql": 0.01}, _wal),
    *(
        Target(f"{title} against {rival}", _both(limit), _ours_against(job, rival))
        for rival, limit in (("SQLAlchemy Core", 0.6), ("SQLAlchemy ORM", 0.25))
        for job, title in (("history", "1,500 bars"), ("load", "new bars"))
    ),
    Target(
        "all bars as a frame against a list of records",
        _both(0.35),
        _ours_against("frame", "list of records"),
    ),
    Target(
        "the ranking of many against pandas over SQLAlchemy Core",
        _both(0.2),
        _ours_against("ranking_large", "pandas"),
    ),
    Target("the memory of the ranking of many", _both(300), _resident("ranking_large"), "MB"),
    Target("the memory of loading a CSV file", _both(150), _resident("csv_memory"), "MB"),
    Target("a history at the largest size against the smallest", _both(1.5), _growth("history")),
    Target("the last bar at the largest size against the smallest", _both(1.5), _growth("latest")),
)


def reached(results: Results, backends: list[str]) -> list[Reached]:
    """Every target that the run has anything to say about."""
    return [
        Reached(target.title, backend, target.limits[backend], measured, target.unit)
        for target in TARGETS
        for backend in backends
        if backend in target.limits and (measured := target.measure(results, backend)) is not None
    ]
