"""What was measured, and the arithmetic on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from operator import truediv
from statistics import median
from typing import Any


@dataclass(slots=True)
class Result:
    """One contestant at one job on one engine.

    ``seconds`` are those of one call, a number a round. ``memory`` is the high water above what the
    process had before, ``resident`` that of a process that did nothing else; both in KiB. ``wal`` is
    what PostgreSQL wrote to its log, in bytes, a number a round. ``reason`` says why there is nothing.
    """

    backend: str
    job: str
    contestant: str
    seconds: list[float] = field(default_factory=list)
    memory: int | None = None
    resident: int | None = None
    wal: list[int] = field(default_factory=list)
    reason: str | None = None

    @property
    def median(self) -> float | None:
        """The middle of the rounds."""
        return median(self.seconds) if self.seconds else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"median": self.median}


@dataclass(slots=True)
class Results:
    """All of a run, and what was wrong in it."""

    found: dict[tuple[str, str, str], Result] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def at(self, backend: str, job: str, contestant: str) -> Result:
        """The result of a contestant, made empty if there is none yet."""
        key = (backend, job, contestant)
        if key not in self.found:
            self.found[key] = Result(*key)
        return self.found[key]

    def get(self, backend: str, job: str, contestant: str) -> Result | None:
        """The result of a contestant, if there is one."""
        return self.found.get((backend, job, contestant))

    def ratio(self, backend: str, job: str, contestant: str, other: str) -> float | None:
        """A contestant over another at the same job: see :meth:`ratio_of`."""
        return self.ratio_of((backend, job, contestant), (backend, job, other))

    def ratio_of(self, key: tuple[str, str, str], other: tuple[str, str, str]) -> float | None:
        """How many times as long one takes as another.

        Two that were measured in the same rounds are compared round by round, and the median of the
        ratios counts: what slows the machine down for a while slows both. Others by their medians.
        """
        one, two = self.found.get(key), self.found.get(other)
        if one is None or two is None or one.median is None or not two.median:
            return None
        if len(one.seconds) == len(two.seconds):
            ratios: list[float] = list(map(truediv, one.seconds, two.seconds))
            return median(ratios)
        return one.median / two.median

    def take(self, other: Results) -> None:
        """Add what a child process measured."""
        for key, result in other.found.items():
            mine = self.at(*key)
            mine.seconds += result.seconds
            mine.wal += result.wal
            mine.memory = mine.memory if result.memory is None else result.memory
            mine.resident = mine.resident if result.resident is None else result.resident
            mine.reason = mine.reason or result.reason
        self.wrong += other.wrong
