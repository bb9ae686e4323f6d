"""Shopify's schema as the judge of what we sent: documents, variables, and documents inside documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    StringValueNode,
    get_operation_ast,
    parse,
    validate,
    visit,
)
from graphql.execution.values import get_variable_values
from graphql.language import Visitor


def faults(schema: GraphQLSchema, text: str, variables: Mapping[str, Any]) -> list[str]:
    """What the schema says against a call, nothing when it is fine. A bulk query is a document in a document."""
    document = parse(text)
    found = [error.message for error in validate(schema, document)]
    operation = get_operation_ast(document)
    assert operation is not None, "a call names one operation"
    declared = {each.variable.name.value for each in operation.variable_definitions}
    found += [f"${name} is sent and not declared" for name in sorted(variables.keys() - declared)]
    if not found:
        values = get_variable_values(schema, operation.variable_definitions, dict(variables))
        if isinstance(values, list):
            found += [error.message for error in values]
    for inner in _inner(document):
        found += [f"in the bulk query: {fault}" for fault in faults(schema, inner, {})]
    return found


def _inner(document: DocumentNode) -> Iterator[str]:
    texts: list[str] = []

    class Bulk(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            if node.name.value == "bulkOperationRunQuery":
                texts.extend(
                    argument.value.value
                    for argument in node.arguments
                    if argument.name.value == "query"
                    and isinstance(argument.value, StringValueNode)
                )

    visit(document, Bulk())
    yield from texts
