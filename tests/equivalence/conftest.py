"""Profiles of Hypothesis, and both engines side by side for every module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import servers
from tests.equivalence import engines as sides
from tests.equivalence import profiles

profiles.register()


def pytest_configure(config: pytest.Config) -> None:
    """Hypothesis' own option chooses the profile; without it, it is ours for CI."""
    settings.load_profile(config.getoption("--hypothesis-profile") or profiles.DEFAULT)
    # The threads of psycopg's pool roll dice, at times while a strategy draws.
    warning = "hypothesis.errors.HypothesisDeprecationWarning"
    config.addinivalue_line("filterwarnings", f"ignore:Do not use the `random` module:{warning}")


@pytest.fixture(scope="module")
def engines(server: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sides.Engines]:
    """One database on each engine for a whole module, for making them costs more than a test.

    Tests clear them first; a test of many examples does so in each.
    """
    with sides.opened(server, tmp_path_factory.mktemp("engines")) as opened:
        yield opened
