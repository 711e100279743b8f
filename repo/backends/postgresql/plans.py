"""EXPLAIN (FORMAT JSON) as steps."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import Any, Final

import psycopg

from repo.backends.postgresql.adapter import PostgreSQLAdapter, translate
from repo.backends.postgresql.connection import PooledConnection
from repo.backends.results import unlike
from repo.binding import BoundQueries, dumped, sent
from repo.engine.plans import Plan, Step
from repo.errors import QueryContractError
from repo.queries import Query

_CONDITIONS: Final = (
    "Index Cond",
    "Recheck Cond",
    "TID Cond",
    "Hash Cond",
    "Merge Cond",
    "Join Filter",
    "One-Time Filter",
    "Filter",
)
_REMOVED: Final = ("Filter", "Join Filter", "Index Recheck")
_SORTS: Final = frozenset({"Sort", "Incremental Sort"})
_INDEX_SCANS: Final = frozenset({"Index Scan", "Index Only Scan", "Bitmap Index Scan"})


def _condition(node: Mapping[str, Any]) -> str | None:
    found = [f"{node[each]}" for each in _CONDITIONS if each in node]
    return " AND ".join(dict.fromkeys(found)) or None


def _whole(node: Mapping[str, Any], above: str) -> bool:
    """Whether a scan reads everything; under a Limit it ends when enough rows are found."""
    kind = node["Node Type"]
    unbound = kind in _INDEX_SCANS and "Index Cond" not in node
    return kind == "Seq Scan" or (unbound and above != "Limit")


def _on_disk(node: Mapping[str, Any]) -> bool | None:
    if "Sort Space Type" in node:
        return bool(node["Sort Space Type"] == "Disk")
    if "Hash Batches" in node or "HashAgg Batches" in node:
        return bool(max(node.get("Hash Batches", 1), node.get("HashAgg Batches", 1)) > 1)
    return None


def _does(node: Mapping[str, Any]) -> str:
    kind = str(node["Node Type"])
    if kind == "Aggregate":
        kind = {"Sorted": "GroupAggregate", "Hashed": "HashAggregate"}.get(node["Strategy"], kind)
    if kind == "ModifyTable":
        kind = str(node["Operation"])
    if "Join Type" in node and node["Join Type"] != "Inner":
        kind += f" {node['Join Type']}"
    if "Sort Key" in node:
        kind += f" by {', '.join(node['Sort Key'])}"
    if node.get("Alias", node.get("Relation Name")) != node.get("Relation Name"):
        kind += f" {node['Alias']}"
    name = node.get("Subplan Name")
    return f"{name}: {kind}" if name else kind


def _step(node: Mapping[str, Any], above: str = "", table: str | None = None) -> Step:
    loops = node.get("Actual Loops")

    def total(name: str) -> int | None:
        return round(node[name] * loops) if loops is not None and name in node else None

    kind, table = node["Node Type"], node.get("Relation Name", table if "Index Name" in node else None)
    removed = [total(f"Rows Removed by {each}") for each in _REMOVED]
    pages = [
        node[f"Shared {each} Blocks"] for each in ("Hit", "Read") if f"Shared {each} Blocks" in node
    ]
    return Step(
        _does(node),
        # A bitmap's index belongs to the table of the step above.
        table=table,
        index=node.get("Index Name"),
        condition=_condition(node),
        whole=_whole(node, above),
        sorts=kind in _SORTS,
        on_disk=_on_disk(node),
        estimated_rows=node.get("Plan Rows"),
        rows=total("Actual Rows"),
        removed=sum(filter(None, removed)) if loops is not None else None,
        loops=loops,
        pages=sum(pages) if pages else None,
        steps=tuple(_step(each, kind, table) for each in node.get("Plans", ())),
    )


def _written(root: Mapping[str, Any], step: Step) -> int:
    """How many rows were written by a statement that returns none."""
    if "Tuples Inserted" not in root:
        above = [each["Parent Relationship"] == "Outer" for each in root.get("Plans", ())]
        return sum(each.rows or 0 for each in compress(step.steps, above))
    alike = int(root.get("Rows Removed by Conflict Filter", 0))
    return int(root["Tuples Inserted"]) + int(root.get("Conflicting Tuples", 0)) - alike


class PostgreSQLPlanner:
    """See :class:`repo.engine.plans.Planner`."""

    def __init__(self, adapter: PostgreSQLAdapter) -> None:
        self._adapter = adapter

    def plan(
        self,
        connection: PooledConnection,
        queries: BoundQueries,
        query: Query,
        arguments: Mapping[str, Any],
        *,
        analyze: bool,
        limit: int | None = None,
    ) -> Plan:
        adapter = self._adapter
        sql, parameters = sent(query, adapter), dumped(query, adapter, arguments)
        options = "FORMAT JSON, ANALYZE, BUFFERS, TIMING FALSE" if analyze else "FORMAT JSON"
        try:
            ((answer,),) = connection.execute(
                f"EXPLAIN ({options}) {sql}", parameters, prepare=False
            ).fetchall()
        except psycopg.Error as error:
            found = translate(error)
            if isinstance(found, QueryContractError):
                found = unlike(query, str(found))
            raise found from error
        root = answer[0]["Plan"]
        step = _step(root)
        rows = step.rows if query.answers else _written(root, step)
        return Plan(
            query.full_name,
            "postgresql",
            (step,),
            rows if analyze else None,
            step.pages if analyze else None,
        )
