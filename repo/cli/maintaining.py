"""The commands that keep a database in order: maintain, sizes, health, doctor and grant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repo.cli.options import As, SchemaFolders, Url, folders, opened
from repo.cli.output import Format, say, show, show_table
from repo.errors import ConfigurationError

if TYPE_CHECKING:
    from repo.engine.maintenance import Check


def maintain(
    ctx: typer.Context,
    plan: Annotated[
        bool, typer.Option("--plan", help="List what is worth doing and why; do nothing.")
    ] = False,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """Do what is worth doing: VACUUM, ANALYZE, REINDEX, a checkpoint.

    --plan lists it, with reasons. Others can read and write meanwhile: nothing waits for a lock for more
    than a few seconds, and what could not be done is listed, with the reason. On SQLite writers wait for
    a VACUUM, a second or two for 100 MB. On PostgreSQL the role must own the tables; from half a million
    bars on, an index over the bars of the last 90 days is kept, and renewed about once a month.

    Exits with 1 when something could not be done.
    """
    from repo import maintenance
    from repo.engine.maintenance import Task

    with opened(ctx, url, read_only=plan) as db:
        if plan:
            tasks = maintenance.plan(db)
            _show(form, Task, tasks, "nothing to do")
            return
        done = maintenance.maintain(db, note=lambda task: say(f"{task.statement}: {task.reason}"))
    _show(form, maintenance.Done, done, "nothing to do")
    if any(each.left for each in done):
        raise typer.Exit(1)


def _show(form: Format, record: Any, rows: Sequence[Any], nothing: str) -> None:
    if rows or form is not Format.TABLE:
        show(form, record, rows)
    else:
        typer.echo(nothing)


def sizes(
    ctx: typer.Context,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to keep the sizes until the next time; without it, a file in "
            "~/.local/state/smart-money-repo.",
        ),
    ] = None,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """Show the sizes of the database, its tables and indexes, and their growth since the last time.

    "free" is what is empty or dead and can be filled again. On PostgreSQL rows and free are estimates
    of the last ANALYZE. "share" is the part of the whole database, which has parts that are not listed.
    """
    from repo import maintenance

    with opened(ctx, url) as db:
        try:
            found = maintenance.sizes(db, record or maintenance.record_of(db))
        except ConfigurationError as error:
            if record is not None:
                raise
            say(f"growth is not known: {error}")
            found = maintenance.sizes(db)
    if form is not Format.TABLE:
        show(form, maintenance.Size, found)
        return
    rows = [each._asdict() for each in found]
    for row in rows:
        row["name"] = f"  {row['name']}" if row["kind"] == "index" else row["name"]
    show_table(["name", "rows", "bytes", "free", "share", "grown"], rows)
    if found[0].since is not None:
        typer.echo(f"grown since {found[0].since:%Y-%m-%d %H:%M} UTC")
    if any(each.bytes is None for each in found):
        say("the sizes of tables and indexes are not known: this SQLite was built without dbstat")


def health(ctx: typer.Context, form: As = Format.TABLE, url: Url = None) -> None:
    """Check the health of the database: a line for each check, with what to do.

    pass, warn (look at it) or fail (mend it). Tables and indexes are read whole; nothing is written, and
    nobody waits. On PostgreSQL more is checked if the extensions amcheck and pg_stat_statements are
    installed.

    Exits with 1 when a line says fail.
    """
    from repo import maintenance

    with opened(ctx, url) as db:
        found = maintenance.health(db)
    _tell(form, found)


def doctor(
    ctx: typer.Context,
    backups: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where backups are written, to see how old the last one is."
        ),
    ] = None,
    schema: SchemaFolders = None,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """Check the database for production: a line for each check, with what to do.

    pass, warn (look at it) or fail (mend it). Where the URL and its password are, privileges, TLS,
    settings beside the machine's memory and disk, the schema beside its migrations, and the last proven
    backup. Run it as the programs do, and once as the owner, who alone can compare the schema.

    Exits with 1 when a line says fail.
    """
    from repo.doctor import doctor as examine

    given = url if url is not None else ctx.obj
    _tell(form, examine(given, backups=backups, schema=folders(schema or ())))


def grant(
    ctx: typer.Context,
    show_sql: Annotated[
        bool, typer.Option("--print", help="Print the SQL for an administrator; do nothing.")
    ] = False,
    url: Url = None,
) -> None:
    """Let smdi_writer write rows and smdi_reader read them, in later tables too (PostgreSQL).

    Run it as the role that owns the tables, which alone can change the schema then. It can be run again.
    The two are groups, made if they are missing, which takes the right to make roles. To add a member:
    CREATE ROLE loader LOGIN PASSWORD '...' IN ROLE smdi_writer.
    """
    from repo import roles

    with opened(ctx, url, read_only=show_sql) as db:
        if show_sql:
            typer.echo(roles.statements(db.dialect))
            return
        roles.grant(db)
    typer.echo("smdi_writer may write rows, smdi_reader may read them")


def _tell(form: Format, found: Sequence[Check]) -> None:
    """Print a check list, and exit with 1 where a line of it failed."""
    from repo.engine.maintenance import Check, Status

    if form is not Format.TABLE:
        show(form, Check, found)
    else:
        for each in found:
            advice = f"\n      to do: {each.advice}" if each.status is not Status.PASS else ""
            say(f"{each.status}  {each.check}: {each.found}{advice}", err=False)
    if any(each.status is Status.FAIL for each in found):
        raise typer.Exit(1)
