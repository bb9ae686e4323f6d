"""Bulk operations: checked like the vendor checks them, run on the simulated clock, delivered as JSONL."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLResolveInfo,
    InlineFragmentNode,
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
    busy = [
        one.gid for one in shop.bulks.values() if one.status in ("CREATED", "RUNNING", "CANCELING")
    ]
    if len(busy) >= AT_ONCE:
        message = f"A bulk query operation for this app and shop is already in progress: {', '.join(busy)}."
        return None, [UserError("OPERATION_IN_PROGRESS", None, message)]
    problems = check(text)
    if problems:
        return None, [UserError("INVALID", ("query",), problem) for problem in problems]
    runs_at = act.at + timedelta(seconds=QUEUED_S)
    made = Bulk(
        shop.ids.next("BulkOperation"),
        text,
        act.at,
        runs_at,
        runs_at + timedelta(seconds=RUNNING_S),
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
        if shop.bulk_ends is not None:
            _fail(operation, shop.bulk_ends, lines)
            return
        operation.objects = len(lines)
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        operation.jsonl = text.encode() if lines else None
        operation.status, operation.completed_at = "COMPLETED", act.at
        shop.announce(
            act, "bulk_operations/finish", lambda: bodies.bulk_finished(operation, shop.zone), ()
        )


def _fail(
    operation: Bulk, ends: Mapping[str, object], lines: Sequence[Mapping[str, object]]
) -> None:
    """End badly; a failed export may leave the part that it had written."""
    operation.status = str(ends["status"]).upper()
    code = ends.get("error_code")
    operation.error_code = str(code).upper() if code else None
    written = lines[: int(str(ends.get("partial", 0)))]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in written)
    operation.jsonl = text.encode() or None
    operation.objects = len(written)


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
    looked = _Looked()
    root = load_schema().query_type
    here = _Here(prepared, root, 0, in_list=False, parent=None)
    _look(operation.selection_set, here, looked)
    tops = _fields(operation.selection_set, prepared)
    return [
        *(
            f"Bulk queries cannot contain a top level `{node.name.value}` field."
            for node in tops
            if node.name.value in ("node", "nodes")
        ),
        *looked.problems(),
    ]


@dataclass(slots=True)
class _Looked:
    """What was found in a bulk query, and what is wrong with that."""

    connections: int = 0
    levels: int = 0
    in_list: bool = False
    by_nodes: list[str] = field(default_factory=list)
    without_id: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        rules = (
            (self.connections == 0, "Bulk queries must contain at least one connection."),
            (self.connections > 5, "Bulk queries cannot contain more than 5 connections."),
            (
                self.levels > 3,
                "Bulk queries cannot contain connections with a nesting depth greater than 2.",
            ),
            (
                self.in_list,
                "Queries that contain a connection field within a list field are not currently supported.",
            ),
            (bool(self.by_nodes), self._by_nodes_text()),
            (
                bool(self.without_id),
                "The parent 'node' field for a nested connection must select the 'id' field without an alias and must "
                f"be of 'ID' return type. Connection fields without 'id': {', '.join(self.without_id)}.",
            ),
        )
        return [text for broken, text in rules if broken]

    def _by_nodes_text(self) -> str:
        names = ", ".join(f"'{name}'" for name in self.by_nodes)
        example = self.by_nodes[0] if self.by_nodes else ""
        return (
            "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "
            f"'{example} {{ edges {{ node {{'. Selecting via 'nodes' is not supported. "
            f"Invalid connection fields: {names}."
        )


@dataclass(frozen=True, slots=True)
class _Here:
    """Where in the query we are: the type, how deep in connections, in a list, and the connection above."""

    prepared: Prepared
    kind: Any
    level: int
    in_list: bool
    parent: tuple[str, SelectionSetNode | None] | None


def _fields(selections: SelectionSetNode | None, prepared: Prepared) -> list[FieldNode]:
    found: list[FieldNode] = []
    chosen: Any
    for chosen in selections.selections if selections else ():
        if isinstance(chosen, FieldNode):
            found.append(chosen)
        else:
            inline = isinstance(chosen, InlineFragmentNode)
            fragment = chosen if inline else prepared.fragments[chosen.name.value]
            found += _fields(fragment.selection_set, prepared)
    return found


def _look(selections: SelectionSetNode | None, here: _Here, looked: _Looked) -> None:
    for node in _fields(selections, here.prepared):
        name = node.name.value
        if name not in getattr(here.kind, "fields", {}):
            continue
        returned = here.kind.fields[name].type
        target = get_named_type(returned)
        if target.name.endswith("Connection"):
            _look_connection(node, target, here, looked)
        else:
            in_list = here.in_list or _is_list(returned)
            _look(node.selection_set, replace(here, kind=target, in_list=in_list), looked)


def _look_connection(node: FieldNode, kind: Any, here: _Here, looked: _Looked) -> None:
    name = node.name.value
    looked.connections += 1
    looked.levels = max(looked.levels, here.level + 1)
    looked.in_list = looked.in_list or here.in_list
    if here.parent is not None:
        above, chosen = here.parent
        if not any(f.name.value == "id" and not f.alias for f in _fields(chosen, here.prepared)):
            looked.without_id.append(above)
    for part in _fields(node.selection_set, here.prepared):
        if part.name.value == "nodes":
            looked.by_nodes.append(name)
        for inner in (
            _fields(part.selection_set, here.prepared) if part.name.value == "edges" else ()
        ):
            if inner.name.value == "node":
                of = get_named_type(get_named_type(kind.fields["edges"].type).fields["node"].type)
                below = _Here(here.prepared, of, here.level + 1, False, (name, inner.selection_set))
                _look(inner.selection_set, below, looked)


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


def _line(
    node: Mapping[str, Any], parent: str | None, children: list[dict[str, Any]]
) -> dict[str, Any]:
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
        "url": _plain(
            lambda shop, b: shop.file_url(b) if b.jsonl and b.status == "COMPLETED" else None
        ),
        "partialDataUrl": _plain(
            lambda shop, b: shop.file_url(b) if b.jsonl and b.status == "FAILED" else None
        ),
    },
}
