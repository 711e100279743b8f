"""A change held against a real engine: its plans, its rows and its migrations, before and after."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from repo.database import Database
from repo.engine.plans import Plan
from repo.errors import DatabaseUnavailable, QueryContractError, RepoError
from repo.introspection import describe
from repo.migrations import Migration, load
from repo.queries import Query
from repo.review.arguments import Facts, alike
from repo.review.changes import Kind
from repo.review.codes import finding
from repo.review.comparison import Comparison, Side
from repo.review.findings import Finding
from repo.review.migrating import MigrationReport, migrated, undone, words
from repo.review.trial import Trial, trial
from repo.review.verdicts import PlanChange, Rows, Verdict, shape, verdicts
from repo.scripts import statements
from repo.showing import listed

__all__ = ["Answers", "ask", "differing"]

_LARGE: Final = 0.01
"""The share of the bars from which on a table counts as large."""
_INSTRUCTIONS: Final = 200
"""How many a query may take for each bar, where they are counted; the package's own take 60 at most."""
_MIGRATING: Final = 500
"""How many a statement of a migration may take; one that writes a large table anew takes 70."""
_EXPECTED: Final = 20
"""How many rows for each bar a step of a plan may be expected to give, if the query is to be run."""
_FEW: Final = 1_000
"""Below how many pages a query is run twice: the first time, those of the catalogue are among them."""
_COMPARED: Final = 100_000
"""How many rows of a query are held in memory, to be compared."""


@dataclass
class Answers:
    """What one engine says of a change; ``notes`` say what it was not asked, and why."""

    dialect: str
    plans: list[PlanChange] = field(default_factory=list)
    migrations: list[MigrationReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: dict[str, Sequence[Any]] = field(default_factory=dict)
    """Of queries that changed, as they are now."""


def ask(comparison: Comparison, facts: Facts, bars: int, db: Database) -> Answers:
    """Ask the engine of a sample, in transactions that are rolled back.

    :param facts: what arguments are chosen from.
    :param bars: the size of the sample.
    """
    engine = _Engine(comparison, facts, bars, db)
    engine.answers.findings.extend(engine.findings())
    return engine.answers


def differing(comparison: Comparison, answers: Sequence[Answers]) -> Iterator[Finding]:
    """Queries that read, and give other rows on one engine than on the other."""
    for change in comparison.touched:
        rows = {each.dialect: each.rows[change.name] for each in answers if change.name in each.rows}
        asked = {query.parameters for query in change.after.values()}
        if len(asked) == 1 and any(one != other for one, other in pairwise(rows.values())):
            counts = ", ".join(f"{len(found)} on {dialect}" for dialect, found in rows.items())
            query = next(iter(change.after.values()))
            message = f"the engines give different rows of the sample ({counts})"
            yield finding(query.file, query.line, change.name, "rows-differ", message)


class _Unready(Exception):
    """A sample cannot be brought to the schema before the change."""


class _Ran(NamedTuple):
    """A query after it was run on the sample: what it cost and gave, or what is wrong with it."""

    plan: Plan
    rows: Sequence[Any] | None = None
    wrong: Verdict | None = None


class _Engine:
    """One engine, with its migrations and its variants of the queries, by the names they have now."""

    def __init__(self, comparison: Comparison, facts: Facts, bars: int, db: Database) -> None:
        self.answers = Answers(db.dialect)
        self._db = db
        self._facts = facts
        self._bars = bars
        self._patience = bars * _MIGRATING
        self._own = comparison.after.own
        self._touched = {change.name: change for change in comparison.touched}
        self._gone = [each.old_name for each in comparison.changes if each.kind is Kind.REMOVED]
        renamed = {change.old_name: name for name, change in self._touched.items()}
        self._old = {renamed.get(name, name): each for name, each in self._queries(comparison.before)}
        self._new = dict(self._queries(comparison.after))
        self._there = self._migrations(comparison.before)
        self._all = self._migrations(comparison.after)
        self._added = self._all[len(self._there) :]
        self._folder = comparison.after.schema / db.dialect

    def _queries(self, side: Side) -> Iterator[tuple[str, Query]]:
        for name, variants in side.catalogue.items():
            if query := variants.get(self._db.dialect):
                yield name, query

    def _migrations(self, side: Side) -> list[Migration]:
        return load(self._db.dialect, side.schema) if side.schema.is_dir() else []

    @contextmanager
    def _as_it_was(self) -> Iterator[Trial]:
        """A transaction of the sample; an application's own tables are not in it yet."""
        with trial(self._db) as there:
            for migration in () if self._own else self._there:
                try:
                    for statement in statements(migration.sql):
                        there.migrate(statement, self._patience)
                except RepoError as error:
                    raise _Unready(f"{migration.label} fails, as it was before: {error}") from error
            yield there

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong; the answers are filled in meanwhile."""
        yield from self._changed_migrations()
        try:
            yield from self._asked()
        except _Unready as error:
            self._note(f"{error}; nothing was asked")

    def _asked(self) -> Iterator[Finding]:
        every = {*self._old, *self._new} if self._added else {*self._touched, *self._gone}
        with self._as_it_was() as there:
            large = self._large(there)
            before = self._plans(there, self._old, every)
        with self._as_it_was() as there:
            yield from self._migrated(there, large)
            if any(each.failure for each in self.answers.migrations):
                self._note("a migration fails, and nothing was asked of the schema after it")
                return
            after = self._plans(there, self._new, every)
            changed = self._changed(before, after)
            now = self._run(there, self._new, after, changed)
            misfits = self._misfits(there, self._new, self._touched)
            broken = self._misfits(there, self._old, self._old) if self._added else {}
            indexes = self._indexes()
        with self._as_it_was() as there:
            gone, added = self._indexes() - indexes, indexes - self._indexes()
            was = self._run(there, self._old, before, changed)
            lost = _indexes(before) - _indexes(after)
            if lost and not self._added:
                lost -= _indexes(self._plans(there, self._new, self._new.keys() - every))
            unready = self._misfits(there, self._new, self._touched) if self._added else {}
            never_fit = self._misfits(there, self._old, broken)
        yield from self._unlike(misfits, "unlike-schema")
        new = {name: why for name, why in unready.items() if name not in misfits}
        yield from self._unlike(new, "needs-new-schema")
        yield from self._too_old({name: why for name, why in broken.items() if name not in never_fit})
        yield from self._unused(lost & indexes)
        for name in changed:
            replaced = gone if added & now[name].plan.indexes else set[str]()
            yield from self._judged(name, was.get(name), now[name], large, replaced)
        first = [*([] if self._own else load(self._db.dialect)), *self._there]
        yield from undone(self._db, first, self._added, self._folder, self._patience)

    def _note(self, text: str) -> None:
        self.answers.notes.append(f"On {self._db.dialect}, {text}.")

    def _changed_migrations(self) -> Iterator[Finding]:
        now = {each.label: each.checksum for each in self._all}
        for each in self._there:
            if now.get(each.label) != each.checksum:
                message = f"{each.label} was released: add a migration instead"
                yield finding(self._file(each), 1, "", "changed-migration", message)

    def _indexes(self) -> set[str]:
        """The indexes that there are, in the transaction if there is one."""
        return {index.name for table in describe(self._db).tables for index in table.indexes}

    def _large(self, there: Trial) -> set[str]:
        """The tables of which it matters that they are read whole, or locked."""
        states = there.states()
        if states:
            return {name for name, each in states.items() if each.rows >= self._bars * _LARGE}
        return {"market_data", "retail_sentiment", "institutional_holdings"}

    def _plans(
        self, there: Trial, queries: Mapping[str, Query], names: Iterable[str]
    ) -> dict[str, Plan]:
        """The plans of those queries that have one."""
        found = {}
        for name in sorted(queries.keys() & {*names}):
            query = queries[name]
            if query.defines or query.framed or query.sql.lstrip()[:4].upper() == "COPY":
                if name in self._touched:
                    self._note(f"{name} has no plan: it makes a table, copies, or is read in columns")
                continue
            try:
                found[name] = there.plan(query, self._given(name, query))
            except QueryContractError:
                continue  # it does not fit the schema, which is said of all queries at once
            except RepoError as error:
                if queries is self._new and name in self._touched:
                    self.answers.findings.append(self._of(name, "fails-on-sample", words(str(error))))
        return found

    def _changed(self, before: Mapping[str, Plan], after: Mapping[str, Plan]) -> list[str]:
        """The queries whose plans are shown: those that changed, or are run in another way now."""
        found = [
            name
            for name, plan in after.items()
            if not self._new[name].engine_only
            and (name in self._touched or name not in before or _shape(before[name]) != _shape(plan))
        ]
        anew = self._written_anew()
        # Of a table just written no page is known to be visible to all, and the old rows are there too.
        unlike = [name for name in after if not anew.isdisjoint(_tables(after[name]))]
        if unlike:
            self._note(
                f"a migration writes many rows of {listed(sorted(anew))}, after which plans cannot be "
                f"compared: those of {len(unlike)} queries were not"
            )
        return [name for name in found if name not in unlike]

    def _run(
        self,
        there: Trial,
        queries: Mapping[str, Query],
        plans: Mapping[str, Plan],
        names: Iterable[str],
    ) -> dict[str, _Ran]:
        """What queries cost that read, which are run for it; of those that changed, the rows too."""
        found = {}
        for name in names:
            if name in plans:
                query = queries[name]
                given = self._given(name, query)
                ran = _Ran(plans[name]) if query.writes else self._cost(there, query, given, plans[name])
                found[name] = self._with_rows(there, query, given, ran) if name in self._touched else ran
        return found

    def _given(self, name: str, query: Query) -> Mapping[str, Any]:
        """The arguments of a query, as it was or is now."""
        before, after = alike(self._old.get(name), self._new.get(name), self._facts)
        return before if query is self._old.get(name) else after

    def _cost(self, there: Trial, query: Query, given: Mapping[str, Any], plan: Plan) -> _Ran:
        expected = max((step.estimated_rows or 0 for step in plan.all()), default=0)
        if expected > self._bars * _EXPECTED:
            message = f"its plan expects {expected:,} rows, so it was not run"
            return _Ran(plan, wrong=Verdict("runs-away", message))
        limit = self._bars * _INSTRUCTIONS
        try:
            ran = there.run(query, given, limit)
            if (ran.pages or 0) < _FEW:
                ran = there.run(query, given, limit)
            return _Ran(ran)
        except DatabaseUnavailable:
            message = f"it came to no end on a sample of {self._bars:,} bars, and was stopped"
            return _Ran(plan, wrong=Verdict("runs-away", message))
        except RepoError as error:
            return _Ran(plan, wrong=Verdict("fails-on-sample", words(str(error))))

    def _with_rows(self, there: Trial, query: Query, given: Mapping[str, Any], ran: _Ran) -> _Ran:
        if ran.wrong or query.writes or query.record is None:
            return ran
        if (ran.plan.rows or 0) > _COMPARED:
            self._note(f"{query.full_name} gives {ran.plan.rows:,} rows, which were not compared")
            return ran
        try:
            return ran._replace(rows=there.rows(query, given))
        except RepoError as error:
            return ran._replace(wrong=Verdict("fails-on-sample", words(str(error))))

    def _misfits(
        self, there: Trial, queries: Mapping[str, Query], names: Iterable[str]
    ) -> dict[str, str]:
        """The queries that the schema does not fit, with the engine's words."""
        found = {}
        for name in sorted(queries.keys() & {*names}):
            query = queries[name]
            if not query.defines and query.needs is None and (why := there.misfit(query)):
                found[name] = words(why)
        return found

    def _migrated(self, there: Trial, large: Collection[str]) -> Iterator[Finding]:
        """Bring the schema to what it is after the change, as far as that succeeds."""
        for migration in self._added:
            report = MigrationReport(self._db.dialect, migration.label)
            self.answers.migrations.append(report)
            file = self._file(migration)
            yield from migrated(there, migration.sql, file, report, large, self._patience)
            if report.failure:
                return
        if self._added:
            there.settle(self._written_anew())

    def _written_anew(self) -> set[str]:
        effects = (each for report in self.answers.migrations for each in report.effects)
        return {each.table for each in effects if each.rewrites or each.many}

    def _file(self, migration: Migration) -> Path:
        return self._folder / f"{migration.label}.sql"

    def _last(self) -> Path:
        """The last migration that was added: why plans differ of queries that did not change."""
        return self._file(self._added[-1])

    def _unlike(self, misfits: Mapping[str, str], code: str) -> Iterator[Finding]:
        for name, why in misfits.items():
            yield self._of(name, code, why)

    def _of(self, name: str, code: str, message: str) -> Finding:
        """A finding at a query that changed, or else at the migration."""
        query = self._new[name]
        place = (query.file, query.line) if name in self._touched else (self._last(), 1)
        return finding(*place, name, code, f"on {self._db.dialect}, {message}")

    def _too_old(self, broken: Mapping[str, str]) -> Iterator[Finding]:
        if broken:
            told = "; ".join(f"{self._old[name].full_name} ({why})" for name, why in broken.items())
            message = f"queries as they were fail on the new schema of {self._db.dialect}: {told}"
            still = [name for name in broken if name in self._new and name not in self._touched]
            if still:
                message += f"; and still are as they were: {', '.join(still)}"
            yield finding(self._last(), 1, "", "breaks-old-queries", message)

    def _unused(self, lost: Collection[str]) -> Iterator[Finding]:
        """Indexes that queries used, and none does any more."""
        for index in sorted(lost):
            message = f"on {self._db.dialect}, no query uses {index} any more"
            if self._added:
                yield finding(self._last(), 1, "", "unused-index", message)
            else:
                name = [*self._touched, *self._gone][0]
                query = self._new.get(name) or self._old[name]
                yield finding(query.file, query.line, name, "unused-index", message)

    def _compared(self, name: str, was: _Ran, now: _Ran) -> Rows | None:
        """How the rows of a query are beside those that it gave."""
        columns = [[each.name for each in side[name].columns] for side in (self._old, self._new)]
        if was.rows is None or now.rows is None or columns[0] != columns[1]:
            return None
        if was.rows == now.rows:
            return Rows.SAME if now.rows else Rows.NONE
        same = sorted(map(repr, was.rows)) == sorted(map(repr, now.rows))
        return Rows.REORDERED if same else Rows.OTHER

    def _judged(
        self,
        name: str,
        was: _Ran | None,
        now: _Ran,
        large: Collection[str],
        replaced: Collection[str],
    ) -> Iterator[Finding]:
        """Show the plans of a query, and say what is worse than it was."""
        rows = None if was is None else self._compared(name, was, now)
        if now.rows is not None:
            self.answers.rows[name] = now.rows
            if not now.rows:
                self._note(
                    f"{name} gives no rows; a line '-- review: example NAME=VALUE' gives it others"
                )
        change = PlanChange(name, self._db.dialect, was.plan if was else None, now.plan, rows)
        self.answers.plans.append(change)
        if was is not None and rows is Rows.OTHER:
            message = (
                f"it gives {now.plan.rows:,} rows of the sample, not the {was.plan.rows:,} that it gave"
            )
            yield self._of(name, "rows-changed", message)
        for verdict in [*([now.wrong] if now.wrong else []), *verdicts(change, large, replaced)]:
            yield self._of(name, verdict.rule, verdict.message)


def _tables(plan: Plan) -> set[str]:
    return {step.table for step in plan.all() if step.table is not None}


def _indexes(plans: Mapping[str, Plan]) -> set[str]:
    return {index for plan in plans.values() for index in plan.indexes}


def _shape(plan: Plan) -> object:
    return shape(plan.steps)
