"""The one description of the tables, held to the schema and to the records."""

import pytest

import repo
from repo.tables import TABLES, Kind, Table
from tests.builders import raw

_STORED: dict[Kind, str] = {
    "id": "INTEGER",
    "day": "INTEGER",
    "moment": "INTEGER",
    "int": "INTEGER",
    "float": "REAL",
    "text": "TEXT",
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SQLite database with the newest schema, which PostgreSQL's is compared with elsewhere."""
    url = f"sqlite:///{tmp_path_factory.mktemp('tables') / 'x.db'}"
    with repo.connect(url) as db:
        db.migrate()
    return url


def test_every_table_is_described(url: str) -> None:
    """What the schema has, but for the record of migrations, is in TABLES, referred tables first."""
    found = {name for (name,) in raw(url, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert found - {"schema_migrations"} == {table.name for table in TABLES.values()}
    seen: set[Table] = set()
    for table in TABLES.values():
        assert set(table.references.values()) <= seen
        seen.add(table)


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_description_is_the_schema(url: str, table: Table) -> None:
    """Columns, kinds, keys and references are those of the schema, the fields those of the record."""
    columns = raw(url, f"PRAGMA table_info({table.name})")
    assert [(name, kind, bool(filled)) for _, name, kind, filled, *_ in columns] == [
        (each.name, _STORED[each.kind], not each.nullable) for each in table.columns
    ]
    primary = sorted((place, name) for _, name, *_, place in columns if place)
    assert [name for _, name in primary] == list(table.primary_key)
    unique = raw(
        url,
        "SELECT group_concat(i.name) FROM pragma_index_list('"
        f"{table.name}') AS l, pragma_index_info(l.name) AS i WHERE l.origin = 'u' GROUP BY l.name",
    )
    keys = set(table.unique) if table.surrogate is None else {*table.unique, *table.key}
    assert {name for (name,) in unique} == keys
    references = raw(url, f'SELECT "from", "table" FROM pragma_foreign_key_list(\'{table.name}\')')
    assert set(references) == {
        (each.name, each.references.name) for each in table.columns if each.references is not None
    }
    assert tuple(each.name for each in table.fields) == table.record._fields
