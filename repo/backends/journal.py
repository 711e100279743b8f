"""The journal of a copy, as tables beside those that are filled."""

from __future__ import annotations

from typing import Final

COPY: Final = "smdi_copy"
"""The schema of the tables that are filled, or what the file with them is attached as."""

JOURNAL: Final = (
    "CREATE TABLE {}copy_state (header text NOT NULL, token text NOT NULL, built bigint NOT NULL)",
    "CREATE TABLE {}copy_journal (name text NOT NULL, chunk bigint NOT NULL, number bigint NOT NULL,"
    " sha256 text NOT NULL, CONSTRAINT copy_journal_pkey PRIMARY KEY (name, chunk))",
)
"""They are here and not in ``schema/``, for readers never see them."""
