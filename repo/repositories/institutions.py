"""Institutions: the filers of SEC Form 13F."""

from __future__ import annotations

from repo.errors import UnknownInstitution
from repo.records import Institution
from repo.repositories.repository import TableRepository
from repo.tables import TABLES
from repo.validation import argument


class InstitutionRepository(TableRepository[Institution]):
    """Institutions by CIK, the SEC's Central Index Key."""

    _table = TABLES["institutions"]

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
        return self._rows("institutions.all")
