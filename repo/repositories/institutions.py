"""Institutions: the filers of SEC Form 13F."""

from __future__ import annotations

from collections.abc import Iterable

from repo.errors import UnknownInstitution
from repo.frames import ArrowTable
from repo.records import Institution
from repo.repositories.base import Repository
from repo.tables import TABLES
from repo.validation import argument


class InstitutionRepository(Repository):
    """Institutions by CIK, the SEC's Central Index Key."""

    _table = TABLES["institutions"]

    def upsert(self, rows: Iterable[Institution] | ArrowTable) -> int:
        """Insert institutions, or change the names of those that are stored.

        See :class:`.base.Repository`.

        :returns: how many were new or different.
        :raises InvalidRecord: for bad rows, naming the first 20; nothing is written.
        """
        return self._upsert(rows)

    def get(self, cik: int) -> Institution:
        """One institution.

        :raises UnknownInstitution: when it is not there.
        """
        cik = argument("cik", "cik", cik)
        found: Institution | None = self._session.read("institutions.get", cik=cik)
        if found is None:
            raise UnknownInstitution([cik])
        return found

    def all(self) -> list[Institution]:
        """Every institution, by CIK."""
        found: list[Institution] = self._session.read("institutions.all")
        return found
