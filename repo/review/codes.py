"""The codes of what a review of a change finds, beside the rules that single statements are held to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from repo.review.findings import Level

__all__ = ["CODES", "Code"]


class Code(NamedTuple):
    """How much a finding of this code weighs where nothing else is said, and why it is one."""

    level: Level
    reason: str


CODES: Final[Mapping[str, Code]] = MappingProxyType(
    {
        "allowance": Code(Level.ERROR, "What is accepted is named by its rule, with a reason."),
        "blocking-index": Code(
            Level.ERROR,
            "While an index is built, every write to its table waits.",
        ),
        "breaks-callers": Code(
            Level.ERROR, "A caller asks for what the query no longer takes, gives or is called."
        ),
        "breaks-old-queries": Code(
            Level.ERROR,
            "While a release goes out, the queries of the last one run on the new schema.",
        ),
        "changed-migration": Code(
            Level.ERROR,
            "A migration that databases have had is never changed: they refuse it.",
        ),
        "column-added": Code(
            Level.WARNING, "Rows are tuples: code that unpacks them fails when there is a field more."
        ),
        "contract": Code(Level.ERROR, "The loader refuses what breaks the contract of both dialects."),
        "duplicate-query": Code(
            Level.ERROR, "Of two queries that are the same, somebody will mend one and not the other."
        ),
        "failing-migration": Code(
            Level.ERROR, "A migration must succeed on tables that have rows, on both engines."
        ),
        "full-scan": Code(Level.ERROR, "A large table is read whole by a query that did not do so."),
        "index-not-used": Code(
            Level.WARNING, "The query went by an index that its plan no longer uses."
        ),
        "layout": Code(Level.WARNING, "SQL that is laid out alike is read faster; sqlfluff says how."),
        "lock-timeout": Code(
            Level.ERROR,
            "A migration that waits for a lock without limit keeps everybody behind it waiting too.",
        ),
        "more-rows-read": Code(Level.WARNING, "The query reads more than twice the rows that it did."),
        "needs-new-schema": Code(
            Level.NOTE, "The query fails on the schema as it was: migrate before the release goes out."
        ),
        "new-sort": Code(
            Level.WARNING,
            "Rows are sorted, or kept in a temporary b-tree, where an index gave the order.",
        ),
        "not-null-without-default": Code(
            Level.ERROR, "A column that must not be NULL needs a default for the rows there are."
        ),
        "order-changed": Code(Level.WARNING, "Rows come in another order than callers were promised."),
        "rows-differ": Code(Level.ERROR, "The engines give different rows of the same sample."),
        "table-rewrite": Code(
            Level.ERROR,
            "The table is written anew under a lock that keeps everybody out.",
        ),
        "uncalled-query": Code(Level.WARNING, "A query that no code calls is maintained for nobody."),
        "undo": Code(Level.ERROR, "The undo of a migration brings back exactly the schema before it."),
        "undocumented-index": Code(
            Level.WARNING, "An index says in a comment above it which query it serves, and why."
        ),
        "unlike-schema": Code(Level.ERROR, "An engine cannot prepare the query on the schema there is."),
        "unused-index": Code(Level.WARNING, "An index that no query uses is paid for by every write."),
        "validated-constraint": Code(
            Level.ERROR,
            "A constraint that is added reads all of the table under its lock: add it NOT VALID, and "
            "validate it in a migration of its own.",
        ),
    }
)
"""By code, in the order of the alphabet."""
