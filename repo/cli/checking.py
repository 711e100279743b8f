"""The command that checks queries against a database: check."""

from __future__ import annotations

from contextlib import suppress

import typer

from repo.cli.options import Queries, Schema, Url, opened
from repo.cli.output import say
from repo.errors import DatabaseUnavailable


def check(ctx: typer.Context, queries: Queries = None, schema: Schema = None, url: Url = None) -> None:
    """Have the database prepare every query, and list those that do not fit its schema.

    Each with its name, file, line and the engine's words. Nothing is run and nothing is written. Exits
    with 1 when there is one. Where the database takes no writes, queries that write are left out.
    """
    folders = queries or ()
    # Read only at first, which makes no file where there is none.
    with opened(ctx, url, queries=folders, schema=schema) as db:
        found = db.check()
        behind = db.version() == 0
    looked_at = "query that reads"
    with (
        suppress(DatabaseUnavailable),
        opened(ctx, url, read_only=False, queries=folders, schema=schema) as db,
    ):
        found = db.check()
        looked_at = "query"
    for misfit in found:
        say(str(misfit), err=False)
    if found:
        hint = "; the database has no tables yet: smdi migrate" if behind else ""
        noun = "query does" if len(found) == 1 else "queries do"
        typer.echo(f"{len(found)} {noun} not fit the database{hint}", err=True)
        raise typer.Exit(1)
    typer.echo(f"every {looked_at} fits the database")
