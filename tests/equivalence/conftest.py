"""Both engines side by side for every module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import servers
from tests.equivalence import engines as sides


@pytest.fixture(scope="module")
def engines(server: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sides.Engines]:
    """One database on each engine for a whole module, for making them costs more than a test.

    Tests clear them first; a test of many examples does so in each.
    """
    with sides.opened(server, tmp_path_factory.mktemp("engines")) as opened:
        yield opened
