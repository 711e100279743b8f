"""How the package hangs together: imports point one way, and engines are known in one place."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

import pytest

import repo
from repo.catalogue import load
from repo.queries import DIALECTS

PACKAGE = Path(repo.__file__).parent

LAYERS = [
    {"showing"},
    {"errors"},
    {"progress", "schemas", "scripts", "settings", "validation"},
    {"parameters", "records"},
    {"tables"},
    {"queries", "rows", "statements"},
    {"query_files"},
    {"catalogue"},
    {"binding"},
    {"batches", "frames", "migrations", "watching", "workplace"},
    {"binary", "conflicts", "delimited"},
    {"chunks"},
    {"engine"},
    {"backends", "blocks"},
    {"transactions"},
    {"sessions"},
    {"migrating", "named", "repositories"},
    {"database"},
    {"digests", "introspection", "loading", "maintenance", "plans", "sample", "stubs"},
    {"backup", "export", "review", "roles", "transfer"},
    {"doctor"},
    {"cli"},
    {"__main__"},
]
"""The parts of the package, the lowest first. A part imports from those below it, and from itself."""

ONLY_IN = {
    "aiosql": {"queries", "query_files", "binding", "backends"},
    "psycopg": {"backends"},
    "psycopg_pool": {"backends"},
    "sqlite3": {"backends"},
    "sqlglot": {"review"},
    "typer": {"cli"},
    "rich": {"cli"},
}
"""Where each of these may be imported."""

ENGINES = {"sqlite", "postgresql", "postgres"}

MAY_ASK_FOR_AN_ENGINE = {
    "repo.backup.restore": "a backup is of one engine, and a URL of the other is refused unopened",
    "repo.settings.DatabaseURL.file": "only a SQLite URL names a file",
    "repo.settings.DatabaseURL.__str__": "a SQLite URL has no password to hide",
    "repo.settings.database_url": "the scheme of a URL says how to read the rest of it",
}
"""Functions that ask which engine it is, with the reason."""

SQL = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE)\b"
    r"|\b(?i:select\b.*\bfrom\b|insert\s+into\b|update\s+\w+\s+set\b|delete\s+from\b"
    r"|create\s+(unique\s+)?(table|index|view)\b)",
    re.DOTALL,
)


def name_of(path: Path) -> str:
    """A module's dotted name."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}


def part_of(module: str) -> str:
    """The part of the package that a module belongs to; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def layer_of(part: str) -> int:
    """The number of a part's layer; the package's own face stands on the database."""
    places = [number for number, parts in enumerate(LAYERS) if part in parts]
    assert places or not part, f"repo/{part} has no place in the layers"
    return places[0] if places else layer_of("database")


def imports_of(module: str) -> Iterator[str]:
    """What a module imports, anywhere in it: modules of the package by their full names, others too."""
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def own_imports(module: str) -> set[str]:
    """The modules of the package that a module imports."""
    return {each for each in imports_of(module) if each.split(".")[0] == "repo"}


def functions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node with the full name of the innermost function or class that it is in."""
    for child in ast.iter_child_nodes(tree):
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        inner = f"{prefix}.{child.name}" if named else prefix  # type: ignore[attr-defined]  # a name has been asked for
        yield inner, child
        yield from functions(child, inner)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_module_has_a_place(module: str) -> None:
    """Every module belongs to a part that has a place in the layers."""
    assert layer_of(part_of(module)) >= 0


def test_layers_name_what_there_is() -> None:
    """The layers name no part twice, and none that is not there."""
    parts = [part for layer in LAYERS for part in layer]
    assert sorted(parts) == sorted({part_of(module) for module in MODULES} - {""})


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down(module: str) -> None:
    """A module imports from its own part and from lower layers, and never the package's face."""
    part = part_of(module)
    for imported in own_imports(module):
        assert imported in MODULES, f"{module} imports {imported}, which is not there"
        assert part_of(imported), f"{module} imports from repo itself"
        below = layer_of(part_of(imported)) < layer_of(part)
        face = not part and layer_of(part_of(imported)) <= layer_of(part)
        assert part_of(imported) == part or below or face, f"{module} imports {imported}"


def test_only_the_database_imports_backends() -> None:
    """Outside of themselves, backends are imported by repo.database alone."""
    importers = {
        module
        for module in MODULES
        if part_of(module) != "backends" and "backends" in map(part_of, own_imports(module))
    }
    assert importers == {"repo.database"}


def test_no_cycle() -> None:
    """No module imports itself by way of others, in functions and for types included."""
    try:
        TopologicalSorter({module: own_imports(module) for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_libraries_have_their_place(module: str) -> None:
    """Drivers, grammars and terminals are each imported by one part of the package."""
    for imported in imports_of(module):
        library = imported.split(".")[0]
        assert part_of(module) in ONLY_IN.get(library, {part_of(module)}), f"{module} imports {library}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_references_lead_somewhere(module: str) -> None:
    """What a docstring refers to by its full name is there."""
    text = Path(str(find_spec(module).origin)).read_text(encoding="utf-8")  # type: ignore[union-attr]
    for name in re.findall(r":(?:class|func|meth|mod|data|attr):`(repo\.[\w.]+)`", text):
        resolve_name(name)


def asks_for_an_engine(node: ast.AST) -> bool:
    """Whether a comparison, an isinstance() or a case of match asks which engine it is."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        named = any(
            isinstance(each, ast.Constant) and each.value in ENGINES
            for side in sides
            for each in ast.walk(side)
        )
        by_name = any(
            (isinstance(side, ast.Name) and side.id in {"dialect", "engine"})
            or (isinstance(side, ast.Attribute) and side.attr in {"dialect", "engine"})
            for side in sides
        )
        return named or (by_name and any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
        return any(
            isinstance(each, ast.Name) and each.id.endswith("Backend") for each in ast.walk(node.args[1])
        )
    return isinstance(node, ast.MatchValue) and getattr(node.value, "value", None) in ENGINES


@pytest.mark.parametrize("module", sorted(MODULES))
def test_engines_are_known_in_one_place(module: str) -> None:
    """Outside of the backends nothing asks for the engine, but where it is chosen."""
    if part_of(module) == "backends":
        return
    asking = {where for where, node in functions(MODULES[module], module) if asks_for_an_engine(node)}
    assert asking <= set(MAY_ASK_FOR_AN_ENGINE)


def test_exceptions_are_needed() -> None:
    """The list of functions that may ask for an engine has none that does not."""
    asking = {
        where
        for module, tree in MODULES.items()
        for where, node in functions(tree, module)
        if asks_for_an_engine(node)
    }
    assert set(MAY_ASK_FOR_AN_ENGINE) <= asking


@pytest.mark.parametrize(
    ("code", "asks"),
    [
        ("if dialect == 'sqlite': pass", True),
        ("if session.dialect != other: pass", True),
        ("if kind in ('sqlite', 'mysql'): pass", True),
        ("isinstance(backend, SQLiteBackend)", True),
        ("match x:\n    case 'postgresql': pass", True),
        ("if dialect in variants: pass", False),
        ("if query.dialect is None: pass", False),
        ("isinstance(value, date)", False),
    ],
)
def test_asking_is_noticed(code: str, asks: bool) -> None:
    """The test above sees the ways there are to ask for an engine, and nothing else."""
    assert any(asks_for_an_engine(node) for node in ast.walk(ast.parse(code))) == asks


def literals(tree: ast.AST) -> Iterator[str]:
    """The string literals of a module, f-strings whole, without its docstrings."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "x" for part in node.values]
            yield "".join(map(str, parts))
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in documentation:
            yield text


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_sql_in_python(module: str) -> None:
    """SQL stands in SQL files; only backends have the few statements that a connection needs."""
    if part_of(module) != "backends":
        assert [text for text in literals(MODULES[module]) if SQL.search(text)] == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_engine_s_own_queries_are_its_backend_s(dialect: str) -> None:
    """What one engine alone is asked is named in the backend of that engine, and nowhere else."""
    catalogue = load()
    alone = {*catalogue.names(dialect=dialect)} - {*catalogue.names()}
    naming = {
        (name, module)
        for module, tree in MODULES.items()
        for text in literals(tree)
        for name in alone
        if text in (name, f"{name.partition('.')[0]}.x")  # f"rows.{table.aggregate}" is "rows.x" here
    }
    assert {name for name, _ in naming} == alone
    assert {".".join(module.split(".")[:3]) for _, module in naming} <= {f"repo.backends.{dialect}"}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("run('SELECT 1')", True),
        ("run(f'delete from {table} where x = 1')", True),
        ("run(f'update {table} set close = 1')", True),
        ("'''SELECT in a docstring'''", False),
        ("print('select a file, then update')", False),
    ],
)
def test_sql_is_noticed(code: str, found: bool) -> None:
    """The test above sees SQL in literals, and neither docstrings nor plain English."""
    assert any(SQL.search(text) for text in literals(ast.parse(code))) == found
