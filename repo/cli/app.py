"""All commands, and how their errors are shown."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from repo.cli import (
    backing,
    cataloguing,
    demo,
    explaining,
    exporting,
    maintaining,
    migrating,
    reading,
    reviewing,
    transferring,
    writing,
)
from repo.cli.options import Url
from repo.cli.output import say
from repo.errors import ConfigurationError, RepoError

_INTERRUPTED = 130


class _Commands(TyperGroup):
    """The group of commands: an error becomes one line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit codes are those of :func:`repo.cli.main`."""
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a full disk or a closed pipe can still be reported
        except RepoError as error:
            say(f"error: {error}")
            raise typer.Exit(2 if isinstance(error, ConfigurationError) else 1) from None
        except KeyboardInterrupt as interrupt:
            for note in getattr(interrupt, "__notes__", ()):
                say(note)
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has seen enough. Python would try to flush again at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            say(f"error: {what}{error.strerror or error}")
            raise typer.Exit(1) from None
        return result


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: rich would take longer to import than the help to write.
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if not asked:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        typer.echo(f"smdi {version('smart-money-repo')}")
    except PackageNotFoundError:
        typer.echo("smdi, from a checkout that is not installed")
    raise typer.Exit


@app.callback(
    epilog="Start with a database to look at: smdi demo",
    help="The Smart Money Divergence Index: what institutions hold, what retail investors look at, "
    "and where the two disagree, in SQLite or PostgreSQL.",
)
def _options(
    ctx: typer.Context,
    url: Url = None,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    ctx.obj = url


for _command, _examples in (
    (explaining.check, ["smdi check", "smdi check --queries sql"]),
    (
        explaining.explain,
        [
            "smdi explain market.history --arg symbol=AAPL --arg start= --arg end=",
            "smdi explain market.on_day --arg date=2020-06-01 --analyze",
        ],
    ),
    (
        migrating.migrate,
        ["smdi migrate", "smdi migrate --check", "smdi migrate --dry-run", "smdi migrate --to 1 --yes"],
    ),
    (writing.load, ["smdi load 2018-2020/", "smdi load BYND.csv --symbol BYND --skip-bad"]),
    (
        exporting.export,
        [
            "smdi export files/",
            "smdi export files/ --format parquet",
            "smdi export files/ --gzip --force",
        ],
    ),
    (
        backing.backup,
        [
            "smdi backup backups/ --keep 14",
            "smdi backup before-upgrade.dump",
            "smdi backup backups/ --scratch postgresql://user@test-host/postgres",
        ],
    ),
    (
        backing.restore,
        [
            "smdi restore before-upgrade.dump --check",
            "smdi restore before-upgrade.dump postgresql://user@host/drill",
            "smdi restore backups/divergence-20260101T030000Z.db sqlite:///data/divergence.db --force",
        ],
    ),
    (reading.tickers, ["smdi tickers --format csv"]),
    (reading.history, ["smdi history AAPL --start 2020-01-01 --end 2020-03-31"]),
    (reading.summary, ["smdi summary AAPL --start 2020-01-01"]),
    (reading.coverage, ["smdi coverage"]),
    (reading.holdings, ["smdi holdings DAL", "smdi holdings DAL --as-of 2020-06-01"]),
    (reading.ranking, ["smdi ranking 2020-06-01 --window 90 --limit 10"]),
    (reading.timeline, ["smdi timeline DAL --start 2020-01-01 --format csv"]),
    (
        cataloguing.queries,
        ["smdi queries", "smdi queries market.history", "smdi queries --queries sql --code app"],
    ),
    (cataloguing.stubs, ["smdi stubs --queries sql", "smdi stubs --queries sql --check"]),
    (reviewing.review, ["smdi review --base main", "smdi review --queries sql --explain full-scan"]),
    (maintaining.maintain, ["smdi maintain --plan", "smdi maintain"]),
    (maintaining.sizes, ["smdi sizes", "smdi sizes --record /var/lib/smdi/sizes.json --format json"]),
    (maintaining.health, ["smdi health", "smdi health --format json"]),
    (maintaining.doctor, ["smdi doctor --backups backups/", "smdi doctor --format json"]),
    (maintaining.grant, ["smdi grant", "smdi grant --print"]),
    (
        transferring.copy,
        [
            "smdi copy sqlite:///data/divergence.db postgresql://user@host/divergence",
            "smdi copy postgresql://user@host/divergence sqlite:///slice.db --symbols AAPL,MSFT",
        ],
    ),
    (
        transferring.verify,
        ["smdi verify sqlite:///data/divergence.db postgresql://user@host/divergence"],
    ),
    (demo.demo, ["smdi demo", "smdi demo --path /tmp/look.db"]),
):
    # "\b" keeps the lines as they are.
    app.command(epilog="\b\nFor example:\n" + "\n".join(f"  {each}" for each in _examples))(_command)
