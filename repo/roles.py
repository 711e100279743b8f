"""The roles of a database on a server: an owner, writers and readers."""

from __future__ import annotations

from repo.database import Database
from repo.errors import ConfigurationError
from repo.queries import shipped


def statements(dialect: str) -> str:
    """The SQL of the grants, whose comments say how to use the roles.

    :raises ConfigurationError: for an engine without roles.
    """
    file = shipped("schema") / dialect / "roles" / "grant.sql"
    if not file.is_file():
        raise ConfigurationError(
            f"{dialect} has no roles: who may read or write the database is the mode of its file"
        )
    return file.read_text(encoding="utf-8")


def grant(db: Database) -> None:
    """Let members of ``smdi_writer`` write rows and those of ``smdi_reader`` read them, now and later.

    The connected role must own the tables, and stays the only one that can change the schema. Missing
    groups are made. All of it happens or none.

    :raises DatabaseUnavailable: when the role may not do that.
    :raises ConfigurationError: for an engine without roles, and for a database opened read only.
    """
    db._session.run_script(statements(db.dialect))
