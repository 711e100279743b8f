"""Two revisions of SQL folders held against each other by reading them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from repo.catalogue import survey
from repo.errors import MigrationError, QueryContractError
from repo.migrations import load
from repo.queries import DIALECTS, shipped
from repo.review.callers import Caller, callers, functions
from repo.review.changes import Change, Kind, Variants, changes, extent, words
from repo.review.codes import finding
from repo.review.contract import ContractChange, differences
from repo.review.findings import Finding
from repo.review.folders import findings_of, tables_of
from repo.review.layout import changed_lines, configured, installed, layout, text_of
from repo.review.revisions import Revision

__all__ = ["Comparison", "Side"]

_OWN: Final = "migrations.sql"
"""A file of queries that the package has, and of which an application cannot have the names."""

_LAID_OUT: Final = 50
_WORD: Final = re.compile(r"\w+")
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
    def _survey(self) -> tuple[Mapping[str, Variants], list[tuple[Path, QueryContractError]]]:
        return survey(self.queries, own=self.own) if self.queries.is_dir() else ({}, [])

    @property
    def catalogue(self) -> Mapping[str, Variants]:
        """The queries by name and dialect, as far as they can be read."""
        return self._survey[0]

    @property
    def wrong(self) -> list[tuple[Path, QueryContractError]]:
        """What the loader says against each file."""
        return self._survey[1]

    @property
    def schemas(self) -> list[Path]:
        """The folders of migrations that make the tables there are."""
        return [self.schema] if self.own else [shipped("schema"), self.schema]

    @cached_property
    def unloadable(self) -> str:
        """Why its migrations cannot be loaded; empty where they can."""
        try:
            for dialect in DIALECTS if self.schema.is_dir() else ():
                load(dialect, self.schema)
        except MigrationError as error:
            return str(error)
        return ""

    def migrations(self) -> Iterator[Path]:
        """The files of its migrations, undo files included."""
        for dialect in DIALECTS:
            yield from sorted((self.schema / dialect).glob("*.sql"))


class Comparison:
    """What can be told of a change without an engine."""

    def __init__(self, before: Side, after: Side, edited: frozenset[str]) -> None:
        """Take two sides of a repository, and the paths of the files that differ."""
        self.before = before
        self.after = after
        self._edited = edited
        self.notes = [f"At {before.revision.name}: {error}" for _, error in before.wrong]
        if after.revision.absent:
            self.notes.append(
                f"{after.revision.absent} Python files are not checked out: what they call is not known."
            )
        # What is in a file that cannot be read is not taken for removed.
        unread = {after.revision.shown(file) for file, _ in after.wrong}
        known = {
            name: variants
            for name, variants in before.catalogue.items()
            if name in after.catalogue
            or unread.isdisjoint(before.revision.shown(each.file) for each in variants.values())
        }
        self.changes = list(changes(known, after.catalogue))

    @cached_property
    def _callers(self) -> Mapping[str, list[Caller]]:
        """Who calls which query in the Python code as it is; tests are no reason to keep one."""
        names = {*self.before.catalogue, *self.after.catalogue}
        root = self.after.revision.root
        code = [root / file for file in self.after.revision.code if _TESTS.isdisjoint(file.parts)]
        found = callers(names, (file for file in code if file.is_file()))
        return {
            name: [each._replace(file=each.file.relative_to(root)) for each in calls]
            for name, calls in found.items()
        }

    def _as_it_was(self, caller: Caller) -> bool:
        """Whether a function that calls a query was not touched by the change."""
        if caller.file.as_posix() not in self._edited:
            return True
        before, after = (side.revision.root / caller.file for side in (self.before, self.after))
        if not before.is_file():
            return False
        was, now = (functions(file.read_bytes()).get(caller.function) for file in (before, after))
        return was == now

    @cached_property
    def touched(self) -> list[Change]:
        """The changes that leave a query there that means something new."""
        return [each for each in self.changes if each.after and not each.means_the_same]

    @property
    def asks(self) -> bool:
        """Whether there is anything that an engine can tell more of."""
        before, after = (
            [each.read_bytes() for each in side.migrations()] for side in (self.before, self.after)
        )
        return before != after or any(not each.means_the_same for each in self.changes)

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
        if self.after.unloadable:
            place = self.after.schema
            yield finding(place, 1, "", "failing-migration", self.after.unloadable)
        for file, error in self.after.wrong:
            line = re.search(rf"{re.escape(str(file))}:(\d+)", str(error))
            yield finding(file, int(line[1]) if line else 1, "", "contract", str(error))

    def _rules(self) -> Iterator[Finding]:
        """The rules of single statements, on those that changed or name a table that did."""
        every = list(self.after.catalogue.values())
        tables = tables_of(every, self.after.schemas)
        before = tables_of(list(self.before.catalogue.values()), self.before.schemas)
        differ = {
            name
            for dialect in DIALECTS
            for name in {*before[dialect], *tables[dialect]}
            if before[dialect].get(name) != tables[dialect].get(name)
        }
        changed = {change.name for change in self.changes}
        asked = [
            variants
            for name, variants in self.after.catalogue.items()
            if not any(query.engine_only for query in variants.values())
            and (
                name in changed
                or any(differ & {*_WORD.findall(query.sql.lower())} for query in variants.values())
            )
        ]
        yield from findings_of(asked, tables)

    def _duplicates(self) -> Iterator[Finding]:
        """Queries that are new or changed and say what another says."""
        new = {change.name for change in self.touched}
        alike = defaultdict(list)
        for name, variants in self.after.catalogue.items() if new else ():
            if all(dialect in variants for dialect in DIALECTS):
                first = variants[DIALECTS[0]]
                says = tuple(words(variants[dialect], dialect) for dialect in DIALECTS)
                alike[first.operator, first.parameters, says].append(name)
        for names in alike.values():
            older, *others = sorted(names, key=lambda name: (name in new, name))
            for name in others:
                if name in new:
                    query = self.after.catalogue[name][DIALECTS[0]]
                    message = f"it is the same as {older}: call that"
                    yield finding(query.file, query.line, name, "duplicate-query", message)

    def _missing(self) -> Iterator[Finding]:
        """Calls of queries that this change has taken away."""
        for change in self.changes:
            gone = change.old_name
            if gone in self.after.catalogue:
                continue
            became = f" and is {change.name} now" if change.kind is Kind.RENAMED else ""
            for call in self._callers[gone]:
                message = f"{call.function} calls {gone}, which is not there{became}"
                place = (self.after.revision.root / call.file, call.line, change.name)
                yield finding(*place, "breaks-callers", message)

    def _uncalled(self) -> Iterator[Finding]:
        """Queries that no code calls, where there is code that calls some."""
        for name, variants in self.after.catalogue.items():
            if not self._callers[name] and any(self._callers.values()):
                query = next(iter(variants.values()))
                yield finding(query.file, query.line, name, "uncalled-query", "no code calls it")

    def _difference(self, change: Change, difference: ContractChange) -> Iterator[Finding]:
        """What a difference of the contract does to callers that do not go with it."""
        query = next(iter(change.after.values()))
        place = (query.file, query.line, change.name)
        told = f"{difference.what} {difference.before} is now {difference.after}"
        if difference.what == "order":
            yield finding(*place, "order-changed", told)
        elif difference.what in ("limit", "join"):
            yield finding(*place, "rows-changed", f"{told}: {difference.breaks}")
        elif difference.what == "column" and difference.before == "none":
            yield finding(*place, "column-added", f"{difference.after}: {difference.breaks}")
        elif difference.breaks and difference.what != "name":
            for call in self.callers(change):
                if self._as_it_was(call):
                    message = f"{told}: {difference.breaks}, and {call.function} is as it was"
                    yield finding(*place, "breaks-callers", message)

    def _layout(self) -> Iterator[Finding]:
        """What sqlfluff says of changed lines, which takes it a tenth of a second a query."""
        if not installed():
            self.notes.append("Layout was not looked at: sqlfluff is not installed.")
            return
        revision = self.after.revision
        folders = {self.after.queries, self.after.schema}
        if not any(configured(each, revision.root) for each in folders):
            self.notes.append("Layout was not looked at: nothing in the repository configures sqlfluff.")
            return
        changed: dict[Path, set[int]] = {}
        queries = [
            (change.name, query)
            for change in self.changes
            for query in {each.file: each for each in change.after.values()}.values()
        ]
        migrations = list(self.after.migrations())
        for file in {*(query.file for _, query in queries), *migrations}:
            old = self.before.revision.folder(self.after.revision.shown(file))
            changed[file] = changed_lines(old, file)
        if len(queries) > _LAID_OUT:
            self.notes.append(
                f"Layout was looked at of {_LAID_OUT} of {len(queries)} changed statements."
            )
        for name, query in queries[:_LAID_OUT]:
            first, last = within = extent(query)
            lines = changed[query.file] & set(range(first, last + 1))
            yield from layout(query.file, query.dialect or DIALECTS[0], within, lines, name)
        for file in migrations:
            within = (1, len(text_of(file)))
            yield from layout(file, file.parent.name, within, changed[file], "")
