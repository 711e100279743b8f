"""What cannot be made the same on both engines; each test fails when a difference goes away.

None of these can be met through the repositories, which check what they pass on. An application's own
query can meet them; the package says so where it documents ``db.queries``.
"""

from __future__ import annotations

from tests.equivalence.engines import Engines


def test_a_parameter_of_another_type(engines: Engines) -> None:
    """An int where a query casts to a date: SQLite finds nothing, PostgreSQL has no such cast."""
    sqlite, postgresql = engines.outcomes(lambda db: db.queries.market.on_day(date=18262))
    assert (sqlite.error, postgresql.error) == (None, "MigrationError")
