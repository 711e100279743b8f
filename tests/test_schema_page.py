"""The page of the schema is what the databases say."""

import repo
from repo import introspection
from tests.schema_page import PAGE, page


def test_the_page_of_the_schema_is_current(pair: tuple[repo.Database, repo.Database]) -> None:
    """Both engines have the same tables, columns and constraints; the page tells of each."""
    assert page(*map(introspection.describe, pair)) == PAGE.read_text(encoding="utf-8"), "nox -s pages"
