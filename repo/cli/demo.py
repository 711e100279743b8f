"""``smdi demo``: a small database to look at, made up from nothing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from repo.cli import demo_data
from repo.cli.output import say, show_table
from repo.errors import ConfigurationError, RepoError

if TYPE_CHECKING:
    from repo.database import Database

_SHOWN = 5


def demo(
    ctx: typer.Context,
    path: Annotated[
        Path,
        typer.Option(
            "--path", metavar="FILE", help="The SQLite file to make; an earlier demo is replaced."
        ),
    ] = Path("smdi-demo.db"),
) -> None:
    """Make a small synthetic database to look at.

    It is a SQLite file of tickers that do not exist, the same every time; its ranking is shown, and what
    to type next.
    """
    from repo.database import connect

    if ctx.obj is not None:
        raise ConfigurationError("the demo is a new file: leave --url out, and see --path")
    url = f"sqlite:///{quote(str(path))}"
    if path.exists():
        _refuse_another(path, url)
    with connect(url) as db:
        db.migrate(0)
        db.migrate()
        with db.transaction():
            made = demo_data.fill(db)
        rows = db.divergence.ranking(demo_data.AS_OF)
    say(f"{path}: synthetic data, made up and true of nothing, until {demo_data.AS_OF}", err=False)
    typer.echo(", ".join(f"{count:,} rows of {kind}" for kind, count in made.items()))
    fields = ["symbol", "divergence", "flow", "interest_change", "price_return"]
    typer.echo("\nBought by institutions while nobody looks:")
    show_table(fields, [row._asdict() for row in rows[:_SHOWN]])
    typer.echo("\nCrowded by retail investors, or sold out by institutions:")
    show_table(fields, [row._asdict() for row in rows[-_SHOWN:]])
    typer.echo("\nWhat to type next:")
    given = shlex.quote(url)
    for command in (
        f"ranking {demo_data.AS_OF} --limit 10",
        f"timeline {rows[0].symbol} --start {demo_data.AS_OF.replace(day=1)}",
        f"holdings {rows[-1].symbol}",
        f"summary {rows[0].symbol}",
        "coverage --format csv",
    ):
        say(f"  smdi --url {given} {command}", err=False)


def _refuse_another(path: Path, url: str) -> None:
    """Refuse a file that is neither a demo nor empty."""
    refusal = ConfigurationError(f"{path} is there and is not a demo; choose another file with --path")
    if not path.is_file():
        raise refusal
    if path.stat().st_size == 0:
        return
    from repo.database import connect

    try:
        with connect(url, read_only=True) as db:
            if db.version() == 0 or not _is_demo(db):
                raise refusal
    except RepoError as error:
        raise refusal from error


def _is_demo(db: Database) -> bool:
    tickers = {ticker.symbol for ticker in db.tickers.all()}
    institutions = {institution.cik for institution in db.institutions.all()}
    sources = set(db.sentiment.sources())
    # A demo that was interrupted is empty: it is filled in one transaction.
    return (tickers, institutions, sources) in ((set(), set(), set()), demo_data.identity())
