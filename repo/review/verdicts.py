"""What became of a plan: whether it reads more, sorts where it did not, or lost an index."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from repo.engine.plans import Plan, Step

__all__ = ["PlanChange", "Rows", "Verdict", "shape", "tree", "verdicts"]

_ENOUGH: Final = 1000
"""Rows from which on it matters that twice as many are read."""


class Verdict(NamedTuple):
    """What a plan does that the one before did not: the rule it breaks, and in words."""

    rule: str
    message: str


class Rows(StrEnum):
    """How what a query gives is beside what it gave."""

    SAME = "the same rows"
    NONE = "no rows"
    REORDERED = "the same rows in another order"
    OTHER = "other rows"


@dataclass(frozen=True)
class PlanChange:
    """The plans of one query on one engine; None where there was none, or the query failed."""

    query: str
    dialect: str
    before: Plan | None
    after: Plan | None
    rows: Rows | None = None
    """What both sides of the change gave; None where that was not asked, or they have other columns."""

    @property
    def changed(self) -> bool:
        """Whether the engine does something else now."""
        sides = [None if plan is None else shape(plan.steps) for plan in (self.before, self.after)]
        return sides[0] != sides[1]


def shape(steps: Sequence[Step]) -> tuple[object, ...]:
    """What is structural about steps: two plans of one shape do the same."""
    return tuple(
        (step.does, step.table, step.index, step.whole, step.sorts, shape(step.steps)) for step in steps
    )


def verdicts(
    change: PlanChange, large: Collection[str], replaced: Collection[str] = ()
) -> Iterator[Verdict]:
    """What is worse than before; of a query that is new, whether it reads a large table whole.

    :param large: the tables of which it matters.
    :param replaced: the indexes that others have taken the place of, and which are not missed.
    """
    before, after = change.before, change.after
    if after is None:
        return
    old = before or Plan(after.query, after.dialect, ())
    for table in sorted((after.whole - old.whole) & {*large}):
        yield Verdict("full-scan", f"{table} is read whole")
    if before is None:
        return
    for index in sorted(old.indexes - after.indexes - {*replaced}):
        yield Verdict("index-not-used", f"{index} is no longer used")
    if after.sorts > old.sorts:
        sorts = next(step.does for step in after.all() if step.sorts)
        yield Verdict("new-sort", f"the plan has a sort more ({sorts})")
    for what, was, now in (
        ("rows", old.rows_read, after.rows_read),
        ("pages", old.pages, after.pages),
    ):
        if was is not None and now is not None and now > 2 * was and now - was > _ENOUGH:
            yield Verdict("more-rows-read", f"it reads {now:,} {what}, and read {was:,}")
            return


def tree(plan: Plan) -> list[str]:
    """The steps as lines, those below another further in."""
    return [*_lines(plan.steps, 0)]


def _lines(steps: Sequence[Step], depth: int) -> Iterator[str]:
    for step in steps:
        words = [step.does]
        if step.table is not None:
            words.append(step.table)
        if step.index is not None:
            words.append(f"by {step.index}")
        if step.whole:
            words.append("(all of it)")
        yield "  " * depth + " ".join(words)
        yield from _lines(step.steps, depth + 1)
