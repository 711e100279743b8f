"""Two revisions of SQL folders held against each other by reading them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Final

from repo.catalogue import survey
from repo.errors import QueryContractError
from repo.queries import DIALECTS, shipped
from repo.review.callers import Caller, callers
from repo.review.changes import Change, Kind, Variants, changes, extent, same_meaning
from repo.review.codes import CODES
from repo.review.contract import Difference, differences
from repo.review.findings import Finding, Level
from repo.review.folders import findings_of, tables_of
from repo.review.layout import changed_lines, installed, layout
from repo.review.revisions import Revision, tracked

__all__ = ["Comparison", "Side"]

_OWN: Final = "migrations.sql"
"""A file of queries that the package has, and of which an application cannot have the names."""

_TESTS: Final = frozenset({"tests", "test", "conftest.py"})


@dataclass(frozen=True)
class Side:
    """The SQL folders of one revision."""

    revision: Revision
    queries: Path
    schema: Path

    @cached_property
    def own(self) -> bool:
        """Whether they are the package's own, and not an application's."""
        return (self.queries / _OWN).is_file()

    @cached_property
    def _survey(self) -> tuple[Mapping[str, Variants], list[QueryContractError]]:
        if not self.queries.is_dir():
            return {}, []
        try:
            found, wrong = survey(self.queries, own=self.own)
        except QueryContractError as error:  # of the folder itself
            return {}, [error]
        return found, wrong

    @property
    def catalogue(self) -> Mapping[str, Variants]:
        """The queries by name and dialect, as far as they can be read."""
        return self._survey[0]

    @property
    def wrong(self) -> list[QueryContractError]:
        """What the loader says against them."""
        return self._survey[1]

    @property
    def schemas(self) -> list[Path]:
        """The folders of migrations that make the tables there are."""
        return [self.schema] if self.own else [shipped("schema"), self.schema]

    def migrations(self) -> Iterator[Path]:
        """The files of its migrations, undo files included."""
        for dialect in DIALECTS:
            yield from sorted((self.schema / dialect).glob("*.sql"))


class Comparison:
    """What can be told of a change without an engine."""

    def __init__(self, before: Side, after: Side, root: Path, edited: frozenset[str]) -> None:
        """Take two sides of a repository, and the paths of the files that differ."""
        self.before = before
        self.after = after
        self._root = root
        self._edited = edited
        self.changes = list(changes(before.catalogue, after.catalogue))

    @cached_property
    def _callers(self) -> Mapping[str, list[Caller]]:
        """Who calls which query in the Python code as it is; tests are no reason to keep one."""
        names = {*self.before.catalogue, *self.after.catalogue}
        files = map(Path, tracked(self._root, "*.py"))
        code = [self._root / file for file in files if _TESTS.isdisjoint(file.parts)]
        found = callers(names, (file for file in code if file.is_file()))
        return {
            name: [each._replace(file=each.file.relative_to(self._root)) for each in calls]
            for name, calls in found.items()
        }

    @cached_property
    def touched(self) -> list[Change]:
        """The changes that leave a query there that means something new."""
        return [each for each in self.changes if each.after and not each.means_the_same]

    def callers(self, change: Change) -> list[Caller]:
        """Who calls a query, by its new name or its old one."""
        names = sorted({change.name, change.old_name})
        return [each for name in names for each in self._callers[name]]

    def findings(self) -> Iterator[Finding]:
        """Everything that reading finds."""
        yield from self._contract()
        yield from self._rules()
        yield from self._duplicates()
        yield from self._missing()
        yield from self._uncalled()
        for change in self.touched:
            for difference in differences(change):
                yield from self._difference(change, difference)
        yield from self._layout()

    def _contract(self) -> Iterator[Finding]:
        for error in self.after.wrong:
            yield Finding(*_place(str(error), self.after.queries), "", "contract", str(error))

    def _rules(self) -> Iterator[Finding]:
        """The rules of single statements, on those that changed; on all where tables did."""
        every = list(self.after.catalogue.values())
        schema = self.before.revision.same(self.after.revision, [self._below(self.after.schema)])
        asked = [change.after for change in self.changes if change.after] if schema else every
        shared = [each for each in asked if not any(query.engine_only for query in each.values())]
        yield from findings_of(shared, tables_of(every, self.after.schemas))

    def _below(self, folder: Path) -> str:
        return self.after.revision.shown(folder)

    def _duplicates(self) -> Iterator[Finding]:
        """Queries that are new or changed and say what another says."""
        new = {change.name for change in self.touched}
        for one, other in combinations(sorted(self.after.catalogue), 2):
            if not {one, other} & new:
                continue
            pair = [self.after.catalogue[name] for name in (one, other)]
            if all(dialect in each for dialect in DIALECTS for each in pair) and all(
                pair[0][dialect].operator == pair[1][dialect].operator
                and pair[0][dialect].parameters == pair[1][dialect].parameters
                and same_meaning(pair[0][dialect], pair[1][dialect], dialect)
                for dialect in DIALECTS
            ):
                name, older = (other, one) if other in new else (one, other)
                query = self.after.catalogue[name][DIALECTS[0]]
                message = f"it is the same as {older}: call that"
                yield Finding(query.file, query.line, name, "duplicate-query", message)

    def _missing(self) -> Iterator[Finding]:
        """Calls of queries that this change has taken away."""
        for change in self.changes:
            gone = change.old_name
            if gone in self.after.catalogue:
                continue
            became = f" and is {change.name} now" if change.kind is Kind.RENAMED else ""
            for call in self._callers[gone]:
                message = f"{call.function} calls {gone}, which is not there{became}"
                place = (self._root / call.file, call.line, change.name)
                yield Finding(*place, "breaks-callers", message)

    def _uncalled(self) -> Iterator[Finding]:
        """Queries that no code calls, where there is code that calls some."""
        for name, variants in self.after.catalogue.items():
            if not self._callers[name] and any(self._callers.values()):
                query = next(iter(variants.values()))
                yield _finding(query.file, query.line, name, "uncalled-query", "no code calls it")

    def _difference(self, change: Change, difference: Difference) -> Iterator[Finding]:
        """What a difference of the contract does to callers that do not go with it."""
        query = next(iter(change.after.values()))
        place = (query.file, query.line, change.name)
        told = f"{difference.what} {difference.before} is now {difference.after}"
        if difference.what == "order":
            yield _finding(*place, "order-changed", told)
        elif difference.what == "column" and difference.before == "none":
            yield _finding(*place, "column-added", f"{difference.after}: {difference.breaks}")
        elif difference.breaks and difference.what != "name":
            for call in self.callers(change):
                if call.file.as_posix() not in self._edited:
                    message = f"{told}: {difference.breaks}, and {call.function} is as it was"
                    yield Finding(*place, "breaks-callers", message)

    def _layout(self) -> Iterator[Finding]:
        if not installed():
            return
        for change in self.changes:
            for query in {each.file: each for each in change.after.values()}.values():
                old = self.before.revision.folder(self.after.revision.shown(query.file))
                first, last = extent(query)
                lines = changed_lines(old, query.file) & set(range(first, last + 1))
                dialects = DIALECTS if query.dialect is None else (query.dialect,)
                yield from layout(query.file, dialects, lines, change.name)
        for file in self.after.migrations():
            old = self.before.revision.folder(self.after.revision.shown(file))
            yield from layout(file, (file.parent.name,), changed_lines(old, file), "")


def _finding(file: Path, line: int, query: str, code: str, message: str) -> Finding:
    return Finding(file, line, query, code, message, Level(CODES[code].level))


def _place(text: str, folder: Path) -> tuple[Path, int]:
    """The file and line that a message of the loader names, the last it names where it does."""
    found = re.findall(rf"({re.escape(str(folder))}[^:\n]*?\.sql)(?::(\d+))?", text)
    file, line = found[-1] if found else (str(folder), "1")
    return Path(file), int(line or 1)
