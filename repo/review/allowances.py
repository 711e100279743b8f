"""What a SQL file accepts with a reason: ``-- review: allow full-scan because it counts every row``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from repo.review.findings import Finding, Level

__all__ = ["Allowance", "accepted", "allowances_in"]

_REVIEW: Final = re.compile(r"^\s*--\s*review:\s*allow\b(?P<rest>.*)$")
_ALLOW: Final = re.compile(r"\s+(?P<rule>[a-z][a-z-]*)\s+because\s+(?P<reason>\S.*?)\s*")
_QUERY: Final = re.compile(r"^--\s*name\s*:")


class Allowance(NamedTuple):
    """A rule that may be broken, from one line of a file to another, and why.

    ``rule`` is empty where the line could not be read.
    """

    file: Path
    line: int
    first: int
    last: int
    rule: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether it is this finding that it accepts."""
        place = self.file == finding.file and self.first <= finding.line <= self.last
        return place and self.rule == finding.rule


def allowances_in(file: Path) -> Iterator[Allowance]:
    """The allowances of a file, each for the query that it stands in, or for a migration as a whole."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    starts = [number for number, line in enumerate(lines, 1) if _QUERY.match(line)]
    for number, line in enumerate(lines, 1):
        if found := _REVIEW.match(line):
            first = max((start for start in starts if start <= number), default=1)
            last = min((start - 1 for start in starts if start > number), default=len(lines))
            read = _ALLOW.fullmatch(found["rest"])
            rule, reason = (read["rule"], read["reason"]) if read else ("", "")
            yield Allowance(file, number, first, last, rule, reason)


def accepted(
    findings: Iterable[Finding],
    allowances: Collection[Allowance],
    looked_at: Callable[[Allowance], bool],
) -> Iterator[Finding]:
    """The findings, those with their reason that the SQL accepts, and what is wrong with allowances.

    :param looked_at: whether it was tried to break what an allowance allows, so that one that accepts
        nothing can go.
    """
    used: set[Allowance] = set()
    for finding in findings:
        covering = next((each for each in allowances if each.covers(finding)), None)
        if covering is None:
            yield finding
        else:
            used.add(covering)
            yield finding._replace(accepted=covering.reason)
    for each in allowances:
        if not each.rule:
            message = "write '-- review: allow RULE because ...', with the rule's code and the reason"
            yield Finding(each.file, each.line, "", "allowance", message)
        elif each not in used and looked_at(each):
            message = f"nothing here breaks {each.rule}: take the allowance away"
            yield Finding(each.file, each.line, "", "allowance", message, Level.WARNING)
