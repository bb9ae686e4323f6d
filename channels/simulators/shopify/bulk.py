"""Bulk operations: checked like the vendor checks them, run on the simulated clock, delivered as JSONL."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLResolveInfo,
    OperationType,
    SelectionSetNode,
    get_named_type,
)

from channels.simulators.shopify import bodies
from channels.simulators.shopify.ids import parse_gid
from channels.simulators.shopify.schema import Prepared, load_schema, prepare
from channels.simulators.shopify.shop import Act, Shop
from channels.simulators.shopify.state import Bulk
from channels.simulators.shopify.writes import UserError

AT_ONCE: Final = 5
QUEUED_S: Final = 0.5
RUNNING_S: Final = 1.5
"""Simulated seconds in CREATED and then RUNNING; the vendor takes minutes for a large shop."""

_ROOTS_PER_BLOCK: Final = 7
"""Children of a block of roots follow the whole block: the vendor promises only that they come later."""


def start(shop: Shop, act: Act, text: str) -> tuple[Bulk | None, list[UserError]]:
    """`bulkOperationRunQuery`."""
    for operation in shop.bulks.values():
        refresh(shop, operation)
    busy = [one.gid for one in shop.bulks.values() if one.status in ("CREATED", "RUNNING", "CANCELING")]
    if len(busy) >= AT_ONCE:
        message = f"A bulk query operation for this app and shop is already in progress: {', '.join(busy)}."
        return None, [UserError("OPERATION_IN_PROGRESS", None, message)]
    problems = check(text)
    if problems:
        return None, [UserError("INVALID", ("query",), problem) for problem in problems]
    runs_at = act.at + timedelta(seconds=QUEUED_S)
    made = Bulk(
        shop.ids.next("BulkOperation"), text, act.at, runs_at, runs_at + timedelta(seconds=RUNNING_S)
    )
    shop.bulks[made.number] = made
    shop.note("bulk", {"operation": made.gid, "ends_at": made.ends_at.isoformat()})
    shop.schedule(made.ends_at, lambda: finish(shop, made))
    return made, []


def cancel(shop: Shop, act: Act, gid: str) -> tuple[Bulk | None, list[UserError]]:
    """`bulkOperationCancel`: what has ended stays ended."""
    parsed = parse_gid(gid)
    found = shop.bulks.get(parsed[1]) if parsed else None
    if found is None:
        return None, [UserError(None, ("id",), "Bulk operation does not exist")]
    refresh(shop, found)
    if found.status in ("CREATED", "RUNNING"):
        found.status, found.completed_at = "CANCELED", act.at
    return found, []


def refresh(shop: Shop, operation: Bulk) -> Bulk:
    """Bring the status up to the clock."""
    now = shop.clock.now()
    if operation.status == "CREATED" and now >= operation.runs_at:
        operation.status = "RUNNING"
    if operation.status == "RUNNING" and now >= operation.ends_at:
        finish(shop, operation)
    return operation


def finish(shop: Shop, operation: Bulk) -> None:
    """Read the shop as it stands now, write the file, tell the subscribers. Once."""
    with shop.act() as act:
        if operation.status not in ("CREATED", "RUNNING"):
            return
        lines, operation.roots = shop.run_bulk(operation.query)
        operation.objects = len(lines)
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        operation.jsonl = text.encode() if lines else None
        operation.status, operation.completed_at = "COMPLETED", act.at
        shop.announce(
            act, "bulk_operations/finish", lambda: bodies.bulk_finished(operation, shop.zone), ()
        )


# -- what a bulk query may be -----------------------------------------------------------------------------------------


def check(text: str) -> list[str]:
    """Every rule the query breaks, in the vendor's words."""
    try:
        prepared = prepare(text)
    except GraphQLError as error:
        return [f"Failed to parse the query - {error.message}"]
    operation = prepared.operation(None)
    if operation is None or operation.operation is not OperationType.QUERY:
        return ["Invalid operation type. Only `query` operations are supported."]
    if prepared.errors:
        return [error.message for error in prepared.errors]
    problems: list[str] = []
    root = load_schema().query_type
    for node in _fields(operation.selection_set, prepared):
        if node.name.value in ("node", "nodes"):
            problems.append(f"Bulk queries cannot contain a top level `{node.name.value}` field.")
    looked = _Looked()
    _look(operation.selection_set, root, prepared, looked, depth=0, in_list=False, parent=None)
    if looked.connections == 0:
        problems.append("Bulk queries must contain at least one connection.")
    if looked.connections > 5:
        problems.append("Bulk queries cannot contain more than 5 connections.")
    if looked.depth > 3:
        problems.append("Bulk queries cannot contain connections with a nesting depth greater than 2.")
    if looked.in_list:
        problems.append("Queries that contain a connection field within a list field are not currently supported.")
    if looked.by_nodes:
        names = ", ".join(f"'{name}'" for name in looked.by_nodes)
        example = looked.by_nodes[0]
        problems.append(
            "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "
            f"'{example} {{ edges {{ node {{'. Selecting via 'nodes' is not supported. "
            f"Invalid connection fields: {names}."
        )
    if looked.without_id:
        problems.append(
            "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be "
            f"of 'ID' return type. Connection fields without 'id': {', '.join(looked.without_id)}."
        )
    return problems


class _Looked:
    def __init__(self) -> None:
        self.connections = 0
        self.depth = 0
        self.in_list = False
        self.by_nodes: list[str] = []
        self.without_id: list[str] = []


def _fields(selections: SelectionSetNode | None, prepared: Prepared) -> list[FieldNode]:
    found: list[FieldNode] = []
    for chosen in selections.selections if selections else ():
        if isinstance(chosen, FieldNode):
            found.append(chosen)
        elif getattr(chosen, "selection_set", None) is not None:
            found += _fields(chosen.selection_set, prepared)  # type: ignore[attr-defined]
        else:
            found += _fields(prepared.fragments[chosen.name.value].selection_set, prepared)  # type: ignore[attr-defined]
    return found


def _look(
    selections: SelectionSetNode | None,
    kind: Any,
    prepared: Prepared,
    looked: _Looked,
    *,
    depth: int,
    in_list: bool,
    parent: tuple[str, SelectionSetNode | None] | None,
) -> None:
    for node in _fields(selections, prepared):
        name = node.name.value
        if name not in getattr(kind, "fields", {}):
            continue
        returned = kind.fields[name].type
        target = get_named_type(returned)
        if not target.name.endswith("Connection"):
            deeper = in_list or _is_list(returned)
            _look(node.selection_set, target, prepared, looked, depth=depth, in_list=deeper, parent=parent)
            continue
        looked.connections += 1
        looked.depth = max(looked.depth, depth + 1)
        looked.in_list = looked.in_list or in_list
        if parent is not None and not any(f.name.value == "id" for f in _fields(parent[1], prepared)):
            looked.without_id.append(parent[0])
        for part in _fields(node.selection_set, prepared):
            if part.name.value == "nodes":
                looked.by_nodes.append(name)
            for inner in _fields(part.selection_set, prepared) if part.name.value == "edges" else ():
                if inner.name.value == "node":
                    of = get_named_type(get_named_type(target.fields["edges"].type).fields["node"].type)
                    here = (name, inner.selection_set)
                    _look(inner.selection_set, of, prepared, looked, depth=depth + 1, in_list=False, parent=here)


def _is_list(kind: Any) -> bool:
    while isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    return isinstance(kind, GraphQLList)


# -- the file ---------------------------------------------------------------------------------------------------------


def flatten(data: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """Lines of the file from an executed query, and how many of them are roots."""
    lines: list[dict[str, Any]] = []
    roots = 0
    for value in data.values():
        if not _is_connection(value):
            continue
        children: list[dict[str, Any]] = []
        for index, edge in enumerate(value["edges"], start=1):
            lines.append(_line(edge["node"], None, children))
            roots += 1
            if index % _ROOTS_PER_BLOCK == 0:
                lines += children
                children = []
        lines += children
    return lines, roots


def _is_connection(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("edges"), list)


def _line(node: Mapping[str, Any], parent: str | None, children: list[dict[str, Any]]) -> dict[str, Any]:
    line = {name: value for name, value in node.items() if not _is_connection(value)}
    if parent is not None:
        line["__parentId"] = parent
    for value in node.values():
        if _is_connection(value):
            for edge in value["edges"]:
                below: list[dict[str, Any]] = []
                children.append(_line(edge["node"], str(node.get("id")), below))
                children += below
    return line


# -- reading ----------------------------------------------------------------------------------------------------------


def _plain(get: Callable[[Shop, Bulk], Any]) -> Callable[..., Any]:
    def resolve(operation: Bulk, info: GraphQLResolveInfo) -> Any:
        shop: Shop = info.context.shop
        return get(shop, refresh(shop, operation))

    return resolve


def _iso(at: Any) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _current(_: object, info: GraphQLResolveInfo, type: str = "QUERY") -> Bulk | None:
    bulks = list(info.context.shop.bulks.values())
    return bulks[-1] if bulks and type == "QUERY" else None


FIELDS: Final[dict[str, dict[str, Callable[..., Any]]]] = {
    "QueryRoot": {"currentBulkOperation": _current},
    "BulkOperation": {
        "id": _plain(lambda _, b: b.gid),
        "status": _plain(lambda _, b: b.status),
        "type": _plain(lambda _, b: "QUERY"),
        "errorCode": _plain(lambda _, b: b.error_code),
        "query": _plain(lambda _, b: b.query),
        "createdAt": _plain(lambda _, b: _iso(b.created_at)),
        "completedAt": _plain(lambda _, b: _iso(b.completed_at)),
        "objectCount": _plain(lambda _, b: str(b.objects)),
        "rootObjectCount": _plain(lambda _, b: str(b.roots)),
        "fileSize": _plain(lambda _, b: str(len(b.jsonl)) if b.jsonl else None),
        "url": _plain(lambda shop, b: shop.file_url(b) if b.jsonl else None),
        "partialDataUrl": _plain(lambda _, b: None),
    },
}
