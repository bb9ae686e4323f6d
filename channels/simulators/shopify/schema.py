"""The vendor's Admin schema 2026-07, built once per process, and documents kept parsed and validated.

The text is Shopify's published SDL without descriptions (`admin_2026-07.graphql.gz`, notice in
`LICENSE.shopify-dev-mcp.txt`); every type and field is there. Building takes about one second.
"""

from __future__ import annotations

import gc
import gzip
import threading
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_ast_schema,
    parse,
    validate,
)

_building = threading.Lock()


@lru_cache(maxsize=1)
def _build() -> GraphQLSchema:
    packed = files("channels.simulators.shopify").joinpath("admin_2026-07.graphql.gz").read_bytes()
    # The collector would walk the growing tree again and again: without it building takes half the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return build_ast_schema(
            parse(gzip.decompress(packed).decode(), no_location=True), assume_valid=True
        )
    finally:
        # What is built lives as long as the process: later collections need not look at it.
        gc.freeze()
        if collecting:
            gc.enable()


def load_schema() -> GraphQLSchema:
    """The schema, the same object every time; the first call builds it."""
    with _building:
        return _build()


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A document that parsed, with its operations and fragments by name; `errors` from validation."""

    document: DocumentNode
    operations: dict[str | None, OperationDefinitionNode]
    fragments: dict[str, FragmentDefinitionNode]
    errors: tuple[GraphQLError, ...]

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The named operation, or the only one when no name is given."""
        if name:
            return self.operations.get(name)
        return next(iter(self.operations.values())) if len(self.operations) == 1 else None


@lru_cache(maxsize=512)
def prepare(text: str) -> Prepared:
    """Parse and validate, remembered by text. Raises GraphQLSyntaxError."""
    document = parse(text)
    operations: dict[str | None, OperationDefinitionNode] = {}
    fragments: dict[str, FragmentDefinitionNode] = {}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations[definition.name.value if definition.name else None] = definition
        elif isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
    return Prepared(document, operations, fragments, tuple(validate(load_schema(), document)))
