"""Tries the installed package from outside the checkout: that it is whole, and its own copy."""

from __future__ import annotations

import sysconfig
from datetime import date
from pathlib import Path

import repo
from repo import Bar, Ticker
from repo.queries import shipped


def main() -> None:
    """Use the package as a newcomer would, on a database in memory."""
    installed = Path(sysconfig.get_path("purelib"))
    for path in (Path(repo.__file__), shipped("queries"), shipped("schema")):
        assert path.is_relative_to(installed), f"{path} is not the installed package's"
    assert (Path(repo.__file__).parent / "py.typed").is_file()
    assert (shipped("queries") / "postgresql" / "engine").is_dir()
    bar = Bar("AAPL", date(2020, 6, 1), 79.4, 80.6, 79.3, 80.5, 80_791_200)
    with repo.connect("sqlite://") as db:
        assert db.migrate()
        assert db.tickers.upsert([Ticker("aapl", "Apple Inc.", "037833100")]) == 1
        assert db.market.upsert([bar]) == 1
        assert db.market.upsert([bar]) == 0
        assert db.market.history("AAPL") == [bar]
        assert db.divergence.ranking(date(2020, 6, 1)) == []
        assert db.check() == []
    print(f"smart-money-repo works from {Path(repo.__file__).parent}")


if __name__ == "__main__":
    main()
