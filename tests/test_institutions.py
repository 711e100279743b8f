"""The institutions: found by CIK, and in its order."""

from __future__ import annotations

import pytest

from repo import Database, Institution, UnknownInstitution


def test_an_unknown_institution(db: Database) -> None:
    """What is not there is named."""
    with pytest.raises(UnknownInstitution, match=r"^unknown institution: 5$") as raised:
        db.institutions.get(5)
    assert raised.value.missing == (5,)


def test_all_come_by_cik(db: Database) -> None:
    """The order is that of numbers; an empty table is an empty list."""
    assert db.institutions.all() == []
    ciks = [100, 9, 9_999_999_999, 20, 1]
    db.institutions.upsert(Institution(cik, "Somebody") for cik in ciks)
    assert [institution.cik for institution in db.institutions.all()] == sorted(ciks)
