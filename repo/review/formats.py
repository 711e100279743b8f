"""A review written down: as Markdown, as JSON, as GitHub's annotations, as SARIF."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import quote

from repo.engine.plans import Plan
from repo.review.changes import BOTH, Kind
from repo.review.explaining import explanation, said_of
from repo.review.findings import Finding, Level
from repo.review.migrating import MigrationReport
from repo.review.report import QueryReport, Review
from repo.review.verdicts import PlanChange, Rows, tree
from repo.showing import listed

__all__ = ["FORMATS", "MARK"]

MARK: Final = "<!-- smdi review -->"
"""The first line of the Markdown, by which its comment on a pull request is found again."""

_ENGINES: Final = {BOTH: BOTH, "sqlite": "SQLite", "postgresql": "PostgreSQL"}
_QUIET: Final = {
    "sqlite": "Other writers wait until it is committed; readers go on.",
    "postgresql": "It takes no lock on a large table.",
}
_LONG: Final = 40
_WORDS: Final = 1_000
_FENCES: Final = re.compile("`+")
_COMMENT: Final = 65_000
"""Bytes of a comment: GitHub takes 65,536 characters."""
_LEFT_OUT: Final = 1_000
"""Of them, what names the sections that do not fit in."""


def markdown(review: Review) -> str:
    """The report for people."""
    return "\n".join(_head(review) + [line for lines in _sections(review).values() for line in lines])


def comment(review: Review) -> str:
    """The same, no longer than a comment on GitHub may be: sections are left out whole, and named."""
    head, sections = _head(review), _sections(review)
    fitting = len(head)
    while _length(head[:fitting]) > _COMMENT // 2:
        fitting -= 1
    kept, left = head[:fitting], []
    if fitting < len(head):
        left.append("more findings")
    for title, lines in sections.items():
        if _length(kept) + _length(lines) < _COMMENT - _LEFT_OUT:
            kept = kept + lines
        else:
            left.append(title)
    if left:
        kept = [*kept, "", f"> A comment holds no more; left out: {listed(left)}."]
    return "\n".join(kept)


def _length(lines: Sequence[str]) -> int:
    return sum(len(line.encode("utf-8", "replace")) + 1 for line in lines)


def _head(review: Review) -> list[str]:
    if not review.changed:
        return [MARK, f"No SQL differs between {review.base} and {review.head}."]
    first = [MARK, f"# SQL review: {_tally(review)}", "", f"From {review.base} to {review.head}."]
    return [*first, *_findings(review), *(f"\n> {note}" for note in review.notes)]


def _sections(review: Review) -> dict[str, list[str]]:
    """What follows, by what it is about."""
    found: dict[str, list[str]] = {}
    for report in review.queries:
        name = report.change.name
        plans = [each for each in review.plans if each.query == name]
        found[name] = [*_query(report), *_plans(plans)]
    others: dict[str, list[PlanChange]] = {}
    for each in review.plans:
        if each.query not in found:
            others.setdefault(each.query, []).append(each)
    for name, plans in others.items():
        found[name] = ["", f"## `{name}`: not changed, but run in another way", *_plans(plans)]
    for migration in review.migrations:
        found[f"{migration.label} on {_ENGINES[migration.dialect]}"] = [*_migration(migration)]
    return found


def _tally(review: Review) -> str:
    """How many findings there are of each level."""
    counts = {level: sum(each.level is level for each in review.open) for level in Level}
    told = [_counted(count, level) for level, count in counts.items() if count]
    accepted = len(review.accepted)
    return ", ".join([*told, *([f"{accepted} accepted"] if accepted else [])]) or "nothing to mend"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _findings(review: Review) -> Iterator[str]:
    if review.open:
        yield from ("", "| | where | what | rule |", "|---|---|---|---|")
    for each in review.open:
        place = f"{each.file.as_posix()}:{each.line}"
        yield f"| {each.level} | `{place}`{_of(each)} | {_cell(each.message)} | `{each.rule}` |"
    if review.accepted:
        yield from ("", "Accepted, with the reason that the SQL gives:", "")
    for each in review.accepted:
        told = f"{_cell(each.message)}, **because {_cell(each.accepted)}**"
        yield f"- `{each.rule}` at `{each.file.as_posix()}:{each.line}`{_of(each)}: {told}"


def _of(finding: Finding) -> str:
    return f" {finding.query}" if finding.query else ""


def _cell(text: str) -> str:
    """Text that Markdown and HTML leave as it is, in a table too; cut where it is long."""
    text = text if len(text) <= _WORDS else f"{text[:_WORDS]}..."
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")


def _query(report: QueryReport) -> Iterator[str]:
    change = report.change
    was = f" (was `{change.old_name}`)" if change.old_name != change.name else ""
    if change.kind is Kind.MOVED:
        files = {each.file for each in change.after.values()}
        was = ", to a variant for each engine" if len(files) > 1 else ", to one statement for both"
    yield from ("", f"## `{change.name}`: {change.kind}{was}")
    if not change.means_the_same:
        called = [f"{each.function} ({each.file.as_posix()}:{each.line})" for each in report.callers]
        yield from ("", f"Called by {'; '.join(called) or 'nobody'}.")
    if report.differences:
        yield from ("", "| what callers rely on | before | after | breaks them |", "|---|---|---|---|")
        for each in report.differences:
            yield f"| {each.what} | {_cell(each.before)} | {_cell(each.after)} | {each.breaks or 'no'} |"
    for dialect, text in change.diffs.items():
        lines = text.count("\n") + 1
        opened = "" if lines > _LONG else " open"
        yield from ("", f"<details{opened}><summary>{_ENGINES[dialect]}</summary>", "")
        fence = "`" * max(3, *(len(each) + 1 for each in ["", *_FENCES.findall(text)]))
        yield from (f"{fence}diff", text, fence, "", "</details>")


def _plans(plans: Sequence[PlanChange]) -> Iterator[str]:
    for each in plans:
        rows = "" if each.rows is None else f", {each.rows}"
        if each.rows in (Rows.REORDERED, Rows.OTHER):
            rows = f", **{each.rows}**"
        kind = "another plan" if each.changed else "the same plan"
        kind = kind if each.before is not None else "its plan"
        yield from ("", f"`{each.query}` on {_ENGINES[each.dialect]}: {kind}{rows}", "", "```text")
        if each.before is not None:
            yield f"before: {_cost(each.before)}"
            yield from (f"  {line}" for line in tree(each.before) if each.changed)
        if each.after is not None:
            yield from (f"after: {_cost(each.after)}", *(f"  {line}" for line in tree(each.after)))
        yield "```"


def _cost(plan: Plan) -> str:
    counted = (("row", "", plan.rows), ("row", " read", plan.rows_read), ("page", "", plan.pages))
    told = [f"{_counted(number, noun)}{what}" for noun, what, number in counted if number is not None]
    return ", ".join(told) or "not run"


def _migration(report: MigrationReport) -> Iterator[str]:
    yield from ("", f"## Migration `{report.label}` on {_ENGINES[report.dialect]}", "")
    if report.failure:
        yield f"It fails: {_cell(report.failure)}"
    elif not report.effects:
        yield _QUIET[report.dialect]
    else:
        yield from (
            "| line | table | lock until the end | rows written | writes it anew | reads it whole |",
            "|---|---|---|---|---|---|",
        )
    for effect in report.effects:
        told = [
            f"{effect.rows:,}",
            *("yes" if each else "no" for each in (effect.rewrites, effect.reads)),
        ]
        yield f"| {effect.line} | {effect.table} | {effect.lock} | {' | '.join(told)} |"


def plain(review: Review) -> str:
    """The report for programs, as JSON."""
    return json.dumps(
        {
            "base": review.base,
            "head": review.head,
            "failed": review.failed,
            "queries": [_as_object(each) for each in review.queries],
            "findings": [_finding(each) for each in (*review.open, *review.accepted)],
            "plans": [_plan(each) for each in review.plans],
            "migrations": [asdict(each) for each in review.migrations],
            "notes": list(review.notes),
        },
        indent=2,
    )


def _as_object(report: QueryReport) -> dict[str, Any]:
    return {
        "name": report.change.name,
        "was": report.change.old_name,
        "kind": str(report.change.kind),
        "callers": [
            {"function": each.function, "file": each.file.as_posix(), "line": each.line}
            for each in report.callers
        ],
        "contract": [each._asdict() for each in report.differences],
        "diff": dict(report.change.diffs),
    }


def _plan(change: PlanChange) -> dict[str, Any]:
    sides = {"before": change.before, "after": change.after}
    return {
        "query": change.query,
        "dialect": change.dialect,
        "changed": change.changed,
        "rows": change.rows,
        **{side: None if plan is None else asdict(plan) for side, plan in sides.items()},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    told = {
        **finding._asdict(),
        "file": finding.file.as_posix(),
        "level": str(finding.level),
        "accepted": finding.accepted or None,
    }
    del told["width"]
    return told


_COMMANDS: Final = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}


def github(review: Review) -> str:
    """GitHub's workflow commands, which put each finding on its line of a pull request."""
    lines = [
        f"::{_COMMANDS[each.level]} file={_property(each.file.as_posix())},line={each.line},"
        f"title={_property(each.rule)}::{_data(_about(each))}"
        for each in review.open
    ]
    return "\n".join(lines) or f"No SQL to mend between {review.base} and {review.head}."


def _about(finding: Finding) -> str:
    return f"{finding.query}: {finding.message}" if finding.query else finding.message


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(review: Review) -> str:
    """The findings as SARIF 2.1.0, which code scanning and editors read."""
    found = [*review.open, *review.accepted]
    rules = sorted({each.rule for each in found})
    driver = {"name": "smdi review", "rules": [_rule(each) for each in rules]}
    seen: Counter[str] = Counter()
    run = {"tool": {"driver": driver}, "results": [_result(each, rules, seen) for each in found]}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"version": "2.1.0", "$schema": schema, "runs": [run]}, indent=2)


def _rule(code: str) -> dict[str, Any]:
    reason, level = said_of(code)
    return {
        "id": code,
        "shortDescription": {"text": reason},
        "fullDescription": {"text": reason},
        "help": {"text": explanation(code)},
        "defaultConfiguration": {"level": str(level)},
    }


def _result(finding: Finding, rules: list[str], seen: Counter[str]) -> dict[str, Any]:
    """A finding; those like it that were ``seen`` make its fingerprint another."""
    line = finding.line
    place = {
        "artifactLocation": {"uri": quote(os.fsencode(finding.file.as_posix()))},
        "region": {
            "startLine": line,
            "startColumn": 1,
            "endLine": line,
            "endColumn": finding.width + 1,
        },
    }
    # Of what does not change when lines are moved, and the engine's numbers are others.
    name = hashlib.sha256(
        f"{finding.rule} {finding.file} {finding.query}".encode(errors="surrogateescape")
    ).hexdigest()[:16]
    seen[name] += 1
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": str(finding.level),
        "message": {"text": _about(finding)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"primaryLocationLineHash": f"{name}:{seen[name]}"},
    }
    if finding.accepted:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.accepted}]
    return result


FORMATS: Final[Mapping[str, Callable[[Review], str]]] = {
    "markdown": markdown,
    "comment": comment,
    "json": plain,
    "github": github,
    "sarif": sarif,
}
"""How a review can be written, by name."""
