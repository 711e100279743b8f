"""The command for the schema: migrate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repo.cli.options import IN_MEMORY, As, SchemaFolders, Url, chosen, opened
from repo.cli.output import Format, say, show
from repo.errors import ConfigurationError

if TYPE_CHECKING:
    from repo.database import Database


def migrate(
    ctx: typer.Context,
    to: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="The migration to end at, up or down; without it, the newest."
        ),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The application's sequence that N counts, and the only one to migrate.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Change nothing; exit with 1, and say why, when a migration is pending, unfinished or "
            "changed, or a table, column, constraint or index was altered by hand.",
        ),
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Change nothing; list the migrations and their states.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Change nothing, make no file; print the SQL that would be run."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Go down, which deletes tables and the rows in them.")
    ] = False,
    lock_timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            max=600.0,
            help="On PostgreSQL, how long a statement may wait for a lock while readers queue up behind "
            "it. Then it is undone and tried again, ten times in all. 0 is no limit.",
        ),
    ] = 3.0,
    schema: SchemaFolders = None,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """Bring the schema up to date.

    Applies new migrations, or goes up or down to number N. A missing SQLite file is created. An
    application's own migrations come after the package's.
    """
    if check + status + dry_run > 1:
        raise ConfigurationError("--check, --status and --dry-run exclude each other")
    if dry_run and (file := chosen(ctx, url).file) is not None and not file.exists():
        say(f"{file} is not there yet")
        url = IN_MEMORY  # where the same is applied as to a new file
    with opened(ctx, url, read_only=check or status or dry_run, schema=schema) as db:
        if check:
            _check(db)
        elif status:
            from repo.migrations import State

            show(form, State, db.migrations(), hide=["meaning"])
        elif dry_run:
            _print_plan(db, to, of)
        else:
            _migrate(db, to, of, lock_timeout, yes=yes)


def _check(db: Database) -> None:
    from repo import introspection

    found = introspection.check(db)
    for each in found:
        say(each, err=False)
    if found:
        raise typer.Exit(1)
    typer.echo(f"up to date and unaltered: {len(db.migrations())} migrations")


def _print_plan(db: Database, to: int | None, of: str | None) -> None:
    from repo import migrating

    steps = migrating.plan(db._session, to, of)
    for step in steps:
        typer.echo(f"-- {step.label}: {step.file}\n{step.sql.rstrip()}\n")
    if not steps:
        typer.echo("nothing to do", err=True)


def _migrate(db: Database, to: int | None, of: str | None, lock_timeout: float, *, yes: bool) -> None:
    from repo import migrating

    down = [each.label for each in migrating.plan(db._session, to, of) if not each.up]
    if down and to is not None and not yes:
        names = ", ".join(label.removeprefix("-") for label in down)
        raise ConfigurationError(
            f"going down to {to} undoes {names}, which deletes tables and the rows in them; give --yes "
            "for that"
        )
    if not db.migrate(to, on_applied=_say_step, of=of, lock_timeout=lock_timeout):
        typer.echo(f"already at {db.version() if of is None else to}")


def _say_step(label: str) -> None:
    undone = label.startswith("-")
    typer.echo(f"undid {label.removeprefix('-')}" if undone else f"applied {label}")
