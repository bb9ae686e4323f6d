"""What a GraphQL call costs, and the bucket it is paid from.

Rules of the vendor (shopify.dev, "GraphQL Admin API rate limits"): scalars and enums 0, objects 1, a mutation 10, a
connection sized by `first`/`last`, an interface or union the dearest of its possible selections. The exact sizes are
fitted to 174 recorded calls with their `requestedQueryCost`; 168 of them come out exactly:

    connection      2 + floor(2 ln n) x (1 + its node's fields), at least 1 x; `edges` and `nodes` both count when asked
    list            1 + its fields, however long it is (`nodes(ids:)` too)
    payload         objects directly under a mutation's payload are free, what is below them is not
    values          money and a location's address are free; the scalar `hasUnfulfilledOrders` is not
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from graphql import (
    FieldNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from graphql.language import IntValueNode

from channels.simulators.shopify.schema import Prepared, load_schema

MAX_SINGLE_QUERY: Final = 1000
_MUTATION: Final = 10
_FREE: Final = frozenset({"MoneyBag", "MoneyV2", "LocationAddress"})
_DEAR: Final = frozenset({"hasUnfulfilledOrders"})

_Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType


@dataclass(slots=True)
class Part:
    """The cost of one field that returns objects. `size` is a number or a variable's name, for connections."""

    key: str
    own: int
    size: int | str | None = None
    connection: bool = False
    edges: Parts | None = None
    edge_key: str = "edges"
    node_key: str = "node"
    nodes: Parts | None = None
    nodes_key: str = "nodes"
    inner: Parts | None = None


@dataclass(slots=True)
class Parts:
    """The fields of one selection: those always asked for, and per concrete type those behind a condition."""

    always: list[Part] = field(default_factory=list)
    by_type: dict[str, Parts] = field(default_factory=dict)


@lru_cache(maxsize=512)
def plan(prepared: Prepared, operation: str | None) -> Parts:
    """The cost tree of an operation, made once per document."""
    node = prepared.operation(operation)
    schema = load_schema()
    mutation = node is not None and node.operation is OperationType.MUTATION
    root = schema.mutation_type if mutation else schema.query_type
    parts = Parts()
    if node is None or root is None:
        return parts
    reader = _Reader(prepared)
    for chosen in node.selection_set.selections:
        if not mutation or not isinstance(chosen, FieldNode):
            reader.add(parts, chosen, root, free=False)
            continue
        payload = get_named_type(root.fields[chosen.name.value].type)
        part = Part(chosen.alias.value if chosen.alias else chosen.name.value, _MUTATION)
        if chosen.selection_set is not None:
            part.inner = reader.read(chosen.selection_set, payload, free=True)
        parts.always.append(part)
    return parts


class _Reader:
    """Turns selections into cost parts."""

    def __init__(self, prepared: Prepared) -> None:
        self._fragments = prepared.fragments
        self._schema = load_schema()

    def _named(self, spread: Any) -> Any:
        return self._fragments[spread.name.value]

    def read(self, selections: SelectionSetNode, parent: Any, *, free: bool) -> Parts:
        parts = Parts()
        for chosen in selections.selections:
            self.add(parts, chosen, parent, free=free)
        return parts

    def add(self, parts: Parts, chosen: object, parent: Any, *, free: bool) -> None:
        if isinstance(chosen, FieldNode):
            part = self._field(chosen, parent, free)
            if part is not None:
                parts.always.append(part)
            return
        fragment: Any = chosen if isinstance(chosen, InlineFragmentNode) else self._named(chosen)
        condition, selections = fragment.type_condition, fragment.selection_set
        target: Any = self._schema.type_map[condition.name.value] if condition else parent
        if target is parent:
            for inner in selections.selections:
                self.add(parts, inner, parent, free=free)
        else:
            behind = parts.by_type.setdefault(target.name, Parts())
            for inner in selections.selections:
                self.add(behind, inner, target, free=free)

    def _field(self, node: FieldNode, parent: Any, free: bool) -> Part | None:
        name = node.name.value
        if name in _DEAR:
            return Part(name, 1)
        if name.startswith("__") or node.selection_set is None:
            return None
        kind: Any = get_named_type(parent.fields[name].type)
        if kind.name in _FREE:
            return None
        key = node.alias.value if node.alias else name
        if kind.name.endswith("Connection"):
            return self._connection(node, kind, key)
        part = Part(key, 0 if free or name.lower().endswith("usererrors") else 1)
        part.inner = self.read(node.selection_set, kind, free=False)
        return part

    def _connection(self, node: FieldNode, kind: Any, key: str) -> Part:
        part = Part(key, 2, size=_size(node), connection=True)
        for chosen in self._flat(node.selection_set):
            if chosen.selection_set is None:
                continue
            shown = chosen.alias.value if chosen.alias else chosen.name.value
            target: Any = get_named_type(kind.fields[chosen.name.value].type)
            if chosen.name.value == "nodes":
                part.nodes, part.nodes_key = (
                    self.read(chosen.selection_set, target, free=False),
                    shown,
                )
            elif chosen.name.value == "edges":
                part.edges, part.edge_key = Parts(), shown
                for inner in self._flat(chosen.selection_set):
                    if inner.name.value == "node" and inner.selection_set is not None:
                        part.node_key = inner.alias.value if inner.alias else "node"
                        of = get_named_type(target.fields["node"].type)
                        part.edges = self.read(inner.selection_set, of, free=False)
        return part

    def _flat(self, selections: SelectionSetNode | None) -> list[FieldNode]:
        found: list[FieldNode] = []
        for chosen in selections.selections if selections else ():
            if isinstance(chosen, FieldNode):
                found.append(chosen)
            elif isinstance(chosen, InlineFragmentNode):
                found += self._flat(chosen.selection_set)
            else:
                found += self._flat(self._named(chosen).selection_set)
        return found


def _size(node: FieldNode) -> int | str | None:
    for argument in node.arguments:
        if argument.name.value in ("first", "last"):
            if isinstance(argument.value, IntValueNode):
                return int(argument.value.value)
            if isinstance(argument.value, VariableNode):
                return argument.value.name.value
    return None


def times(n: int) -> int:
    """How often a connection of `n` objects counts its node."""
    return max(1, math.floor(2 * math.log(n))) if n > 0 else 0


def requested(parts: Parts, variables: Mapping[str, object]) -> int:
    """Points reserved before the call runs: as if every connection came back full."""
    total = sum(_requested(part, variables) for part in parts.always)
    behind = [requested(inner, variables) for inner in parts.by_type.values()]
    return total + max(behind, default=0)


def _requested(part: Part, variables: Mapping[str, object]) -> int:
    if not part.connection:
        return part.own + (requested(part.inner, variables) if part.inner else 0)
    size = variables.get(part.size) if isinstance(part.size, str) else part.size
    each = sum(
        1 + requested(inner, variables) for inner in (part.nodes, part.edges) if inner is not None
    )
    return part.own + times(size if isinstance(size, int) else 0) * each


def actual(parts: Parts, data: object) -> int:
    """Points charged after the call: by what came back."""
    if not isinstance(data, Mapping):
        return 0
    total = sum(_actual(part, data[part.key]) for part in parts.always if part.key in data)
    return total + max((actual(inner, data) for inner in parts.by_type.values()), default=0)


def _actual(part: Part, data: object) -> int:
    if part.connection:
        return part.own + (_actual_connection(part, data) if isinstance(data, Mapping) else 0)
    if part.inner is None or data is None:
        return part.own
    if isinstance(data, Sequence):
        return part.own + max((actual(part.inner, one) for one in data), default=0)
    return part.own + actual(part.inner, data)


def _actual_connection(part: Part, data: Mapping[str, object]) -> int:
    total = 0
    for inner, rows in (
        (part.nodes, data.get(part.nodes_key)),
        (part.edges, _unwrapped(data.get(part.edge_key), part.node_key)),
    ):
        if inner is not None and isinstance(rows, Sequence):
            each = 1 + max((actual(inner, row) for row in rows), default=0) if _has(inner) else 1
            total += times(len(rows)) * each
    return total


def _has(parts: Parts) -> bool:
    return bool(parts.always or parts.by_type)


def _unwrapped(edges: object, key: str) -> object:
    if not isinstance(edges, Sequence):
        return None
    return [edge.get(key) if isinstance(edge, Mapping) else None for edge in edges]


def breakdown(
    parts: Parts, variables: Mapping[str, object], path: tuple[str, ...] = ()
) -> list[dict[str, object]]:
    """The debug list of `Shopify-GraphQL-Cost-Debug: 1`: one row per field that returns objects."""
    rows: list[dict[str, object]] = []
    for part in parts.always:
        here = (*path, part.key)
        for inner in (part.inner, part.nodes, part.edges):
            if inner is not None:
                rows += breakdown(inner, variables, here)
        points = _requested(part, variables)
        rows.append(
            {
                "path": list(here),
                "definedCost": part.own,
                "requestedTotalCost": points,
                "requestedChildrenCost": points - part.own,
            }
        )
    for behind in parts.by_type.values():
        rows += breakdown(behind, variables, path)
    return rows


class Bucket:
    """A leaky bucket of points per app and shop. Not safe by itself: use it under the shop's lock.

    maximum   points it holds;  restore: points per simulated second
    """

    def __init__(self, maximum: float, restore: float, now: datetime) -> None:
        self.maximum = maximum
        self.restore = restore
        self._points = maximum
        self._at = now

    def available(self, now: datetime) -> float:
        passed_s = max((now - self._at).total_seconds(), 0.0)
        self._points = min(self.maximum, self._points + passed_s * self.restore)
        self._at = max(now, self._at)
        return self._points

    def take(self, points: float, now: datetime) -> bool:
        """Reserve points; False, and nothing taken, when there are too few."""
        if self.available(now) < points:
            return False
        self._points -= points
        return True

    def give_back(self, points: float, now: datetime) -> None:
        self._points = min(self.maximum, self.available(now) + points)

    def empty(self, now: datetime) -> None:
        self.available(now)
        self._points = 0.0

    def status(self, now: datetime) -> dict[str, object]:
        """`throttleStatus` of an answer."""
        return {
            "maximumAvailable": self.maximum,
            "currentlyAvailable": int(self.available(now)),
            "restoreRate": self.restore,
        }
