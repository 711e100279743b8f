"""The codes of what a review of a change finds, beside the rules that single statements are held to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from repo.review.findings import Finding, Level

__all__ = ["CODES", "Code", "finding"]

_ERROR, _WARNING, _NOTE = Level.ERROR, Level.WARNING, Level.NOTE


class Code(NamedTuple):
    """How much a finding of this code weighs, and why it is one."""

    level: Level
    reason: str


CODES: Final[Mapping[str, Code]] = MappingProxyType(
    {
        "allowance": Code(
            _ERROR,
            "What is accepted is named by its rule, with a reason; when nothing breaks it, that goes.",
        ),
        "blocking-index": Code(_ERROR, "While an index is built, every write to its table waits."),
        "breaks-callers": Code(
            _ERROR, "A caller asks for what the query no longer takes, gives or is called."
        ),
        "breaks-old-queries": Code(
            _ERROR, "While a release goes out, the queries of the last one run on the new schema."
        ),
        "changed-migration": Code(
            _ERROR, "A migration that databases have had is never changed: they refuse it."
        ),
        "column-added": Code(
            _WARNING, "Rows are tuples: code that unpacks them fails when there is a field more."
        ),
        "contract": Code(_ERROR, "The loader refuses what breaks the contract of both dialects."),
        "duplicate-query": Code(
            _ERROR, "Of two queries that are the same, somebody will mend one and not the other."
        ),
        "failing-migration": Code(
            _ERROR, "A migration must succeed on tables that have rows, on both engines."
        ),
        "fails-on-sample": Code(
            _ERROR,
            "The query fails on plausible rows and arguments; '-- review: example NAME=VALUE' in its "
            "comment gives it others.",
        ),
        "full-scan": Code(_ERROR, "A large table is read whole by a query that did not do so."),
        "index-not-used": Code(_WARNING, "The query went by an index that its plan no longer uses."),
        "layout": Code(_WARNING, "SQL that is laid out alike is read faster; sqlfluff says how."),
        "lock-timeout": Code(
            _ERROR,
            "A migration that waits for a lock without limit keeps everybody behind it waiting too.",
        ),
        "many-rows-written": Code(
            _WARNING,
            "Whoever writes rows that a migration has written waits for its end: write some thousands "
            "at a time, outside of it.",
        ),
        "more-rows-read": Code(_WARNING, "The query reads more than twice the rows that it did."),
        "needs-new-schema": Code(
            _NOTE, "The query fails on the schema as it was: migrate before the release goes out."
        ),
        "new-sort": Code(
            _WARNING, "Rows are sorted, or kept in a temporary b-tree, where an index gave the order."
        ),
        "not-null-without-default": Code(
            _ERROR, "A column that must not be NULL needs a default for the rows there are."
        ),
        "order-changed": Code(_WARNING, "Rows come in another order than callers were promised."),
        "rows-changed": Code(
            _WARNING, "Callers get other rows than they got: some are left out, or others come."
        ),
        "rows-differ": Code(_ERROR, "The engines give different rows of the same sample."),
        "runs-away": Code(
            _ERROR, "It takes so long on the sample that it was not run, or not to its end."
        ),
        "table-rewrite": Code(
            _ERROR, "The table is written anew under a lock that keeps everybody out."
        ),
        "uncalled-query": Code(_WARNING, "A query that no code calls is maintained for nobody."),
        "undo": Code(_ERROR, "The undo of a migration brings back exactly the schema before it."),
        "undocumented-index": Code(
            _WARNING, "An index says in a comment above it which query it serves, and why."
        ),
        "unlike-schema": Code(_ERROR, "An engine cannot prepare the query on the schema there is."),
        "unused-index": Code(_WARNING, "An index that no query uses is paid for by every write."),
        "validated-constraint": Code(
            _ERROR,
            "A constraint that is added reads all of the table under its lock: add it NOT VALID, and "
            "validate it in a migration of its own.",
        ),
    }
)
"""By code, in the order of the alphabet."""


def finding(file: Path, line: int, query: str, code: str, message: str) -> Finding:
    """A finding of a code, which weighs what its code does."""
    return Finding(file, line, query, code, message, CODES[code].level)
