"""A server that is away for a while."""

from __future__ import annotations

import pytest

import repo
from repo import DatabaseUnavailable
from tests import servers
from tests.relay import relayed


def test_it_is_found_again_soon_after_it_is_back(server: servers.Server, template: str) -> None:
    """By a caller who waits much less than it was away: pauses between attempts do not grow with it."""
    name = server.create(template)
    with (
        relayed(server.url_of(name)) as (relay, url),
        repo.connect(f"{url}?min_size=1&pool_timeout=4") as db,
    ):
        assert db.tickers.all() == []
        relay.cut()
        for _ in range(10):  # pauses that double would be of 32 seconds by then
            with pytest.raises(DatabaseUnavailable):
                db.tickers.all()
        relay.mend()
        assert db.tickers.all() == []
    server.drop(name)
