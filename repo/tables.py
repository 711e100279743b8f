"""The tables: one description of the columns of each, their checks, and their names in files.

``TABLES`` has them in the order in which they can be filled: a table comes after those it refers to.
Columns, keys, kinds and references are derived from here everywhere in the package; tests compare
``schema/`` and ``queries/`` with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from repo.errors import Missing, UnknownInstitution, UnknownTicker
from repo.records import Bar, Holding, Institution, Sentiment, Ticker
from repo.validation import (
    CUSIP,
    NAME,
    SOURCE,
    SYMBOL,
    Field,
    between_field,
    cik_field,
    count_field,
    date_field,
    price_field,
    text_field,
)

Kind = Literal["id", "day", "moment", "int", "float", "text"]
"""What a column holds: the key that the database gave a row, a date, a point in time, or a value."""

_KINDS: Final[Mapping[type, Kind]] = {date: "day", int: "int", float: "float", str: "text"}


class Column(NamedTuple):
    """A column of a table; ``references`` is the table whose keys it holds."""

    name: str
    kind: Kind
    nullable: bool = False
    references: Table | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A table, and what makes a row of it valid.

    ``aggregate`` names its repository, its file of queries and the files that are loaded into it, and
    ``name`` the table itself. If others refer to it, ``surrogate`` is the column of the key that the
    database gives, and ``unknown`` the error for a missing row. ``references`` are the fields that stand
    for rows of other tables, ``key`` and ``unique`` the fields that identify a row and those that are
    unique besides. ``not_below`` names two fields: the first must not be below the second if neither is
    None.
    """

    aggregate: str
    name: str
    record: type[Any]
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    not_below: tuple[str, str] | None = None
    references: Mapping[str, Table] = field(default_factory=dict)
    unique: tuple[str, ...] = ()
    surrogate: str | None = None
    unknown: type[Missing] = Missing

    @cached_property
    def positions(self) -> dict[str, int]:
        """The position of each field in the record, by its name."""
        return {each.name: index for index, each in enumerate(self.fields)}

    @cached_property
    def written(self) -> tuple[Column, ...]:
        """The columns that an upsert writes, the key's first; a reference is the referred row's key."""
        found = []
        for name in self.written_fields:
            a_field = self.fields[self.positions[name]]
            referred = self.references.get(name)
            if referred is None:
                found.append(Column(name, _KINDS[a_field.type], a_field.nullable))
            else:
                found.append(Column(referred.surrogate or name, "id", references=referred))
        return tuple(found)

    @cached_property
    def written_fields(self) -> tuple[str, ...]:
        """The fields of the columns in ``written``, in the same order."""
        return (*self.key, *(each.name for each in self.fields if each.name not in self.key))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns, in the order of the schema, with those that the database fills."""
        if self.surrogate is None:
            return self.written
        return (Column(self.surrogate, "id"), *self.written, Column("created_at", "moment"))

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return (self.surrogate,) if self.surrogate is not None else self._key_columns

    @property
    def _key_columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.written[: len(self.key)])

    @property
    def nullable(self) -> tuple[str, ...]:
        """The fields that may be None; their columns have the same names, and a file may lack them."""
        return tuple(each.name for each in self.fields if each.nullable)

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that a file must have."""
        return tuple(each.name for each in self.fields if not each.nullable)


_SYMBOL: Final = replace(text_field("symbol", SYMBOL), headers=("ticker",))

_TICKERS: Final = Table(
    aggregate="tickers",
    name="tickers",
    record=Ticker,
    fields=(
        _SYMBOL,
        replace(text_field("company_name", NAME), headers=("name",)),
        text_field("cusip", CUSIP, nullable=True),
    ),
    key=("symbol",),
    unique=("cusip",),
    surrogate="ticker_id",
    unknown=UnknownTicker,
)
_INSTITUTIONS: Final = Table(
    aggregate="institutions",
    name="institutions",
    record=Institution,
    fields=(cik_field(), text_field("name", NAME)),
    key=("cik",),
    surrogate="institution_id",
    unknown=UnknownInstitution,
)
_MARKET: Final = Table(
    aggregate="market",
    name="market_data",
    record=Bar,
    fields=(
        _SYMBOL,
        date_field("date"),
        price_field("open", nullable=True),
        price_field("high", nullable=True),
        price_field("low", nullable=True),
        replace(price_field("close"), second_choice=("adj_close", "adjclose", "adjusted_close")),
        replace(count_field("volume", nullable=True), headers=("vol",)),
    ),
    key=("symbol", "date"),
    not_below=("high", "low"),
    references={"symbol": _TICKERS},
)
_HOLDINGS: Final = Table(
    aggregate="holdings",
    name="institutional_holdings",
    record=Holding,
    fields=(
        _SYMBOL,
        cik_field(),
        date_field("quarter_end"),
        date_field("filing_date"),
        count_field("shares_held"),
        count_field("market_value"),
        between_field("ownership_percent", 0.0, 100.0),
    ),
    key=("symbol", "quarter_end", "cik", "filing_date"),
    not_below=("filing_date", "quarter_end"),
    references={"symbol": _TICKERS, "cik": _INSTITUTIONS},
)
_SENTIMENT: Final = Table(
    aggregate="sentiment",
    name="retail_sentiment",
    record=Sentiment,
    fields=(
        _SYMBOL,
        text_field("source", SOURCE),
        date_field("date"),
        count_field("interest"),
        between_field("score", -1.0, 1.0),
    ),
    key=("symbol", "source", "date"),
    references={"symbol": _TICKERS},
)

TABLES: Final[Mapping[str, Table]] = {
    table.aggregate: table for table in (_TICKERS, _INSTITUTIONS, _MARKET, _HOLDINGS, _SENTIMENT)
}
"""The tables by aggregate, each after those that it refers to."""

SINGLE_TICKER: Final = tuple(
    aggregate for aggregate, table in TABLES.items() if tuple(table.references) == ("symbol",)
)
"""The kinds whose files may be about one ticker, without a column that says which."""
