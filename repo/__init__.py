"""The storage layer of the Smart Money Divergence Index, on SQLite and PostgreSQL.

with repo.connect() as db:
    db.migrate()
    db.tickers.upsert([repo.Ticker("AAPL", "Apple Inc.")])
"""

from repo.database import Database, Transaction, connect
from repo.errors import (
    BackupError,
    CheckViolation,
    ConfigurationError,
    ConflictError,
    DatabaseUnavailable,
    ForeignKeyViolation,
    IntegrityError,
    InvalidRecord,
    MigrationError,
    NotNullViolation,
    Problem,
    QueryContractError,
    RangeError,
    RepoError,
    TransferError,
    UniqueViolation,
    UnknownInstitution,
    UnknownTicker,
)
from repo.records import (
    Bar,
    Coverage,
    Divergence,
    Holding,
    Institution,
    Point,
    Sentiment,
    Summary,
    Ticker,
)

__all__ = [
    "BackupError",
    "Bar",
    "CheckViolation",
    "ConfigurationError",
    "ConflictError",
    "Coverage",
    "Database",
    "DatabaseUnavailable",
    "Divergence",
    "ForeignKeyViolation",
    "Holding",
    "Institution",
    "IntegrityError",
    "InvalidRecord",
    "MigrationError",
    "NotNullViolation",
    "Point",
    "Problem",
    "QueryContractError",
    "RangeError",
    "RepoError",
    "Sentiment",
    "Summary",
    "Ticker",
    "Transaction",
    "TransferError",
    "UniqueViolation",
    "UnknownInstitution",
    "UnknownTicker",
    "connect",
]
