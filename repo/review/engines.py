"""A change held against real engines: plans before and after, migrations and their undo."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from repo.database import Database
from repo.errors import NotNullViolation, RepoError
from repo.introspection import built, describe
from repo.migrations import Migration, load
from repo.queries import Query
from repo.review.arguments import Facts, arguments
from repo.review.changes import Change
from repo.review.codes import CODES
from repo.review.comparison import Comparison, Side
from repo.review.findings import Finding
from repo.review.trial import Trial, trial
from repo.review.verdicts import PlanChange, shape, verdicts
from repo.schemas import compare
from repo.scripts import Statement
from repo.steps import Plan

__all__ = ["Effect", "Engines", "MigrationReport"]

_INDEX: Final = re.compile(
    r"\w+\s+(UNIQUE\s+)?INDEX\s+(?P<concurrently>CONCURRENTLY\b)?(?=.*\bON\b)",
    re.I | re.S,
)
_NO_LIMIT: Final = re.compile(
    r"\bSET\s+(LOCAL\s+|SESSION\s+)?lock_timeout\s*(=|\bTO\b)\s*('?0\w*'?|DEFAULT)", re.I
)
_NOT_NULL: Final = "NOT NULL column"
_STRONGEST: Final = "AccessExclusiveLock"


@dataclass(frozen=True)
class Effect:
    """What a statement of a migration does to a table that has rows."""

    line: int
    sql: str
    table: str
    lock: str
    rewrites: bool
    reads: bool


@dataclass
class MigrationReport:
    """A migration on one engine: its effects, and why it failed; empty where it did not."""

    dialect: str
    label: str
    effects: list[Effect] = field(default_factory=list)
    failure: str = ""


class Engines:
    """What engines make of a change, asked of the samples that there are."""

    def __init__(self, comparison: Comparison, facts: Facts, large: int) -> None:
        """Take a comparison, what arguments are chosen from, and how many rows make a table large."""
        self._comparison = comparison
        self._facts = facts
        self._enough = large
        self.plans: list[PlanChange] = []
        self.migrations: list[MigrationReport] = []
        self.findings: list[Finding] = []
        self._rows: dict[str, dict[str, Any]] = {}
        self._renamed = {
            change.old_name: change for change in comparison.changes if change.before and change.after
        }
        self._touched = {change.name: change for change in comparison.touched}

    def ask(self, dialect: str, db: Database) -> Iterator[Finding]:
        """Everything that one engine says, in a transaction that is rolled back."""
        added = self._added(dialect)
        first_report, first_plan = len(self.migrations), len(self.plans)
        yield from self._changed_migrations(dialect)
        with trial(db) as there:
            if not self._comparison.after.own:
                for migration in self._there(dialect):
                    list(there.migrate(migration.sql))
            large = self._large(there, db)
            before = self._plans(there, self._comparison.before, dialect)
            fitted = self._fitted(there, dialect) if added else set()
            yield from self._too_new(there, dialect, bool(added))
            old_rows = self._read(there, self._comparison.before, dialect)
            old_costs = self._costs(there, self._comparison.before, dialect, before)
            for migration in added:
                report = MigrationReport(dialect, migration.label)
                self.migrations.append(report)
                yield from self._migrate(there, migration, report, large)
                if report.failure:
                    return
            anew = {
                effect.table
                for report in self.migrations[first_report:]
                for effect in report.effects
                if effect.rewrites
            }
            if added:
                there.settle(anew)
                yield from self._too_old(there, dialect, fitted)
            after = self._plans(there, self._comparison.after, dialect) if added else {}
            for name in self._touched:
                after[name] = self._plan(there, self._query(self._comparison.after, name, dialect))
            after = {**({} if added else before), **after}
            # Of a table that was just written anew, no page is known to be visible to all yet.
            alike = {name: plan for name, plan in after.items() if anew.isdisjoint(_tables(plan))}
            yield from self._compared(there, dialect, before, alike, old_costs, large)
            yield from self._unused(db, dialect, before, after)
            self._compare_rows(there, dialect, old_rows, first_plan)
        yield from self._undone(dialect, db, added)

    def differing(self) -> Iterator[Finding]:
        """Queries that read, and give other rows on one engine than on the other."""
        for name, rows in self._rows.items():
            if len(rows) > 1 and any(one != other for one, other in pairwise(rows.values())):
                counts = ", ".join(f"{len(found)} on {dialect}" for dialect, found in rows.items())
                query = next(iter(self._touched[name].after.values()))
                message = f"the engines give different rows of the sample ({counts})"
                yield _finding(query.file, query.line, name, "rows-differ", message)

    def _query(self, side: Side, name: str, dialect: str) -> Query | None:
        return side.catalogue.get(name, {}).get(dialect)

    def _there(self, dialect: str) -> list[Migration]:
        """The migrations that there were."""
        schema = self._comparison.before.schema
        return load(dialect, schema) if schema.is_dir() else []

    def _added(self, dialect: str) -> list[Migration]:
        """The migrations that are new."""
        schema = self._comparison.after.schema
        return load(dialect, schema)[len(self._there(dialect)) :] if schema.is_dir() else []

    def _file(self, label: str, dialect: str) -> Path:
        return self._comparison.after.schema / dialect / f"{label}.sql"

    def _changed_migrations(self, dialect: str) -> Iterator[Finding]:
        for label in (each.label for each in self._there(dialect)):
            old, new = (
                side.schema / dialect / f"{label}.sql"
                for side in (self._comparison.before, self._comparison.after)
            )
            if not new.is_file() or old.read_bytes() != new.read_bytes():
                message = f"{label} was released: add a migration instead"
                yield _finding(new, 1, "", "changed-migration", message)

    def _large(self, there: Trial, db: Database) -> set[str]:
        """The tables of which it matters that they are read whole, or locked."""
        states = there.states()
        if states:
            return {name for name, each in states.items() if each.rows >= self._enough}
        return {"market_data", "retail_sentiment", "institutional_holdings"}

    def _plan(self, there: Trial, query: Query | None, *, analyze: bool = False) -> Plan | str:
        """A plan, or why there is none."""
        if query is None or query.defines or query.framed or query.sql.lstrip()[:4].upper() == "COPY":
            return ""
        try:
            return there.plan(query, arguments(query, self._facts), analyze=analyze)
        except RepoError as error:
            return str(error)

    def _plans(self, there: Trial, side: Side, dialect: str) -> dict[str, Plan | str]:
        return {
            name: self._plan(there, variants.get(dialect)) for name, variants in side.catalogue.items()
        }

    def _costs(
        self, there: Trial, side: Side, dialect: str, plans: Mapping[str, Plan | str]
    ) -> dict[str, Plan | str]:
        """The same of queries that read, which are run; of those that changed, or of all."""
        wanted = plans if self._added(dialect) else {each.old_name for each in self._touched.values()}
        found = {}
        for name in wanted:
            query = self._query(side, name, dialect)
            if query is not None and not query.writes:
                found[name] = self._plan(there, query, analyze=True)
        return found

    def _compared(
        self,
        there: Trial,
        dialect: str,
        before: Mapping[str, Plan | str],
        after: Mapping[str, Plan | str],
        costs: Mapping[str, Plan | str],
        large: Collection[str],
    ) -> Iterator[Finding]:
        for name, plan in after.items():
            change = self._touched.get(name)
            was = before.get(change.old_name if change else name, "")
            if change is None and _structure(was) == _structure(plan):
                continue
            query = self._query(self._comparison.after, name, dialect)
            if query is None or query.engine_only or isinstance(plan, str):
                continue
            ran = plan if query.writes else self._plan(there, query, analyze=True)
            old = costs.get(change.old_name if change else name, was)
            found = PlanChange(
                name,
                dialect,
                None if isinstance(old, str) else old,
                plan if isinstance(ran, str) else ran,
            )
            self.plans.append(found)
            for verdict in verdicts(found, large):
                place = self._blamed(query, dialect, change)
                message = f"on {dialect}, {verdict.message}"
                yield _finding(*place, name, verdict.rule, message)

    def _blamed(self, query: Query, dialect: str, change: Change | None) -> tuple[Path, int]:
        """Where a finding about a plan stands: at the query if it changed, or else at the migration."""
        added = self._added(dialect)
        if change is not None or not added:
            return query.file, query.line
        return self._file(added[-1].label, dialect), 1

    def _fitted(self, there: Trial, dialect: str) -> set[str]:
        """The old queries that the old schema fits."""
        found = ((name, each.get(dialect)) for name, each in self._comparison.before.catalogue.items())
        return {name for name, query in found if query is not None and not there.misfit(query)}

    def _too_new(self, there: Trial, dialect: str, migrated: bool) -> Iterator[Finding]:
        """New queries that the schema as it was does not fit."""
        for name in self._touched:
            query = self._query(self._comparison.after, name, dialect)
            if query is None or query.defines:
                continue
            if why := there.misfit(query):
                code = "needs-new-schema" if migrated else "unlike-schema"
                yield _finding(query.file, query.line, name, code, f"on {dialect}: {_words(why)}")

    def _too_old(self, there: Trial, dialect: str, fitted: Collection[str]) -> Iterator[Finding]:
        """Old queries that the new schema does not fit."""
        failing: dict[str, str] = {}
        for name in sorted(fitted):
            query = self._query(self._comparison.before, name, dialect)
            if query is not None and not query.defines and (why := there.misfit(query)):
                failing[name] = _words(why)
        if failing:
            place = self._file(self._added(dialect)[-1].label, dialect)
            told = ", ".join(f"{name} ({why})" for name, why in failing.items())
            message = f"queries as they were fail on the new schema of {dialect}: {told}"
            yield _finding(place, 1, "", "breaks-old-queries", message)
        for name, variants in self._comparison.after.catalogue.items():
            query = variants.get(dialect)
            same = name in failing and name not in self._touched
            if same or query is None or query.defines or query.needs is not None:
                continue
            if why := there.misfit(query):
                message = f"on {dialect}: {_words(why)}"
                yield _finding(query.file, query.line, name, "unlike-schema", message)

    def _migrate(
        self, there: Trial, migration: Migration, report: MigrationReport, large: Collection[str]
    ) -> Iterator[Finding]:
        file = self._file(migration.label, report.dialect)
        lines = migration.sql.splitlines()
        before = there.states()
        try:
            for statement, after in there.migrate(migration.sql):
                line = statement.line
                if _INDEX.match(statement.sql) and not lines[line - 2 : line - 1][0].startswith("--"):
                    message = "say above it which query the index serves"
                    yield _finding(file, line, "", "undocumented-index", message)
                if _NO_LIMIT.search(statement.sql):
                    message = "the limit of waiting for a lock is taken away"
                    yield _finding(file, line, "", "lock-timeout", message)
                for effect in _effects(statement, before, after, large):
                    report.effects.append(effect)
                    yield from _of_effect(effect, statement, file)
                before = after
        except RepoError as error:
            report.failure = str(error)
            unfilled = isinstance(error, NotNullViolation) or _NOT_NULL in report.failure
            code = "not-null-without-default" if unfilled else "failing-migration"
            message = f"fails on {report.dialect}: {_words(report.failure)}"
            yield _finding(file, 1, "", code, message)

    def _undone(self, dialect: str, db: Database, added: list[Migration]) -> Iterator[Finding]:
        """Whether each undo brings back the schema before its migration."""
        first = [] if self._comparison.after.own else load(dialect)
        done = [each.sql for each in (*first, *self._there(dialect), *added)]
        for number, migration in enumerate(added, len(done) - len(added)):
            before = "\n;\n".join(done[:number])
            try:
                old, _, new = built(db, [before, migration.sql, migration.undo])
            except RepoError as error:
                told = [f"it fails: {_words(str(error))}"]
            else:
                told = [str(each) for each in compare(old, new)]
            for each in told:
                file = self._file(f"{migration.label}.undo", dialect)
                yield _finding(file, 1, "", "undo", f"on {dialect}: {each}")

    def _unused(
        self,
        db: Database,
        dialect: str,
        before: Mapping[str, Plan | str],
        after: Mapping[str, Plan | str],
    ) -> Iterator[Finding]:
        """Indexes that queries used, and none does any more."""
        was, now = (
            {index for plan in plans.values() if not isinstance(plan, str) for index in plan.indexes}
            for plans in (before, after)
        )
        there = {index.name for table in describe(db).tables for index in table.indexes}
        for index in sorted((was - now) & there):
            name = next(iter(self._touched), "")
            query = self._query(self._comparison.after, name, dialect)
            place = (query.file, query.line) if query else (self._comparison.after.schema / dialect, 1)
            yield _finding(*place, name, "unused-index", f"on {dialect}, no query uses {index} any more")

    def _read(self, there: Trial, side: Side, dialect: str) -> dict[str, Any]:
        """The rows of the queries that changed, by their new names."""
        found = {}
        for name, change in self._touched.items():
            old = side is self._comparison.before
            query = self._query(side, change.old_name if old else name, dialect)
            if query is None or query.writes or query.framed or query.record is None:
                continue
            try:
                found[name] = list(there.rows(query, arguments(query, self._facts)))
            except RepoError:
                continue
        return found

    def _compare_rows(self, there: Trial, dialect: str, old: Mapping[str, Any], first_plan: int) -> None:
        new = self._read(there, self._comparison.after, dialect)
        for name, rows in new.items():
            self._rows.setdefault(name, {})[dialect] = rows
        self.plans[first_plan:] = [
            replace(each, same_rows=old[each.query] == new[each.query])
            if each.query in old and each.query in new
            else each
            for each in self.plans[first_plan:]
        ]


def _tables(plan: Plan | str) -> set[str]:
    found = () if isinstance(plan, str) else plan.all()
    return {step.table for step in found if step.table is not None}


def _structure(plan: Plan | str) -> object:
    return plan if isinstance(plan, str) else shape(plan.steps)


def _effects(
    statement: Statement, before: Mapping[str, Any], after: Mapping[str, Any], large: Collection[str]
) -> Iterator[Effect]:
    for name, now in after.items():
        was = before.get(name)
        if was is None or name not in large:
            continue
        rewrites, reads = now.file != was.file, now.scans > was.scans
        if rewrites or reads or now.lock != was.lock:
            words = " ".join(statement.sql.split())
            yield Effect(statement.line, words, name, now.lock or "", rewrites, reads)


def _of_effect(effect: Effect, statement: Statement, file: Path) -> Iterator[Finding]:
    index = _INDEX.match(statement.sql)
    if index:
        if effect.reads and not index["concurrently"]:
            message = (
                f"writes to {effect.table} wait until the index is built: build it CONCURRENTLY, in a "
                "migration of its own"
            )
            yield _finding(file, effect.line, "", "blocking-index", message)
    elif effect.rewrites:
        message = f"{effect.table} is written anew under {effect.lock}: nobody reads it meanwhile"
        yield _finding(file, effect.line, "", "table-rewrite", message)
    elif effect.reads and effect.lock == _STRONGEST:
        message = f"all of {effect.table} is read under {effect.lock}: add the constraint NOT VALID"
        yield _finding(file, effect.line, "", "validated-constraint", message)


def _words(text: str) -> str:
    """An engine's words without the name and the place of the query, which are said already."""
    return text.rpartition(" does not fit the database: ")[2].partition("\n")[0]


def _finding(file: Path, line: int, query: str, code: str, message: str) -> Finding:
    return Finding(file, line, query, code, message, CODES[code].level)
