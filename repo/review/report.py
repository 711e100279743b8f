"""What a review has to say, as data; :mod:`repo.review.formats` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repo.review.callers import Caller
from repo.review.changes import Change
from repo.review.contract import ContractChange
from repo.review.findings import Finding, Level
from repo.review.migrating import MigrationReport
from repo.review.verdicts import PlanChange

__all__ = ["QueryReport", "Review"]


@dataclass(frozen=True)
class QueryReport:
    """One query that is not what it was: its change, who calls it, and what they notice."""

    change: Change
    callers: Sequence[Caller]
    differences: Sequence[ContractChange]


@dataclass(frozen=True)
class Review:
    """The report on a change of SQL.

    ``base`` and ``head`` are what was compared; ``notes`` say what was not looked at, and why. The files
    of findings are paths in the repository.
    """

    base: str
    head: str
    queries: Sequence[QueryReport] = ()
    plans: Sequence[PlanChange] = ()
    migrations: Sequence[MigrationReport] = ()
    findings: Sequence[Finding] = ()
    notes: Sequence[str] = ()
    changed: bool = True

    @property
    def open(self) -> list[Finding]:
        """The findings that no reason in the SQL accepts, errors first."""
        levels = list(Level)
        found = [each for each in self.findings if not each.accepted]
        return sorted(found, key=lambda each: (levels.index(each.level), *each[:5]))

    @property
    def accepted(self) -> list[Finding]:
        """The findings that the SQL accepts with a reason."""
        return [each for each in self.findings if each.accepted]

    @property
    def failed(self) -> bool:
        """Whether there is an error that is not accepted."""
        return any(each.level is Level.ERROR for each in self.open)

    def of(self, change: Change) -> list[Finding]:
        """The open findings about one query."""
        return [each for each in self.open if each.query == change.name]
