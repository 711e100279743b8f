"""The only place that knows an engine. Nothing but ``repo.database`` imports from here."""

from repo.backends.base import ISOLATION_LEVELS, Backend, Bound, Connection, coded_rows

__all__ = ["ISOLATION_LEVELS", "Backend", "Bound", "Connection", "coded_rows"]
