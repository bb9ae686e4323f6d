"""The vendor's shapes for documents and variables it refuses, made from what graphql-core found wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableDefinitionNode,
    is_input_type,
    is_non_null_type,
    print_ast,
    type_from_ast,
)
from graphql.utilities import coerce_input_value, value_from_ast

from channels.simulators.shopify.schema import Prepared

_RULES: Final[tuple[tuple[re.Pattern[str], str, str], ...]] = (
    (
        re.compile(r"Cannot query field '(?P<fieldName>\w+)' on type '(?P<typeName>\w+)'"),
        "undefinedField",
        "Field '{fieldName}' doesn't exist on type '{typeName}'",
    ),
    (
        re.compile(r"Unknown directive '@(?P<directiveName>\w+)'"),
        "undefinedDirective",
        "Directive @{directiveName} is not defined",
    ),
    (
        re.compile(
            r"Directive '@(?P<name>\w+)' argument '(?P<arguments>\w+)' of type .* is required"
        ),
        "missingRequiredArguments",
        "Directive '{name}' is missing required arguments: {arguments}",
    ),
    (
        re.compile(r"Field '(?P<name>\w+)' argument '(?P<arguments>\w+)' of type .* is required"),
        "missingRequiredArguments",
        "Field '{name}' is missing required arguments: {arguments}",
    ),
    (
        re.compile(
            r"Variable '\$(?P<variableName>\w+)' is never used in operation '(?P<operation>\w+)'"
        ),
        "variableNotUsed",
        "Variable ${variableName} is declared by {operation} but not used",
    ),
    (
        re.compile(r"Unknown argument '(?P<argumentName>\w+)' on field '(?:\w+\.)?(?P<name>\w+)'"),
        "argumentNotAccepted",
        "Field '{name}' doesn't accept argument '{argumentName}'",
    ),
    (
        re.compile(r"Variable '\$(?P<variableName>\w+)' is not defined"),
        "variableNotDefined",
        "Variable ${variableName} is used but not declared",
    ),
)


def document_error(error: GraphQLError, prepared: Prepared) -> dict[str, object]:
    """A validation error: the vendor's text and code where known, graphql-core's text otherwise."""
    shown: dict[str, object] = {
        "message": error.message,
        "locations": [{"line": spot.line, "column": spot.column} for spot in error.locations or ()],
        "path": _path(error, prepared),
        "extensions": {"code": "invalidDocument"},
    }
    for pattern, code, text in _RULES:
        found = pattern.match(error.message)
        if found:
            shown["message"] = text.format(**found.groupdict())
            facts = {
                name: value for name, value in found.groupdict().items() if name != "operation"
            }
            shown["extensions"] = {"code": code, **facts}
            break
    return shown


def _path(error: GraphQLError, prepared: Prepared) -> list[str]:
    """The vendor starts with the operation's kind and name, then the fields down to the mistake."""
    target = error.nodes[0] if error.nodes else None
    for operation in prepared.operations.values():
        title = operation.operation.value + (f" {operation.name.value}" if operation.name else "")
        trail = _trail(operation, target)
        if trail is not None:
            return [title, *trail]
    return []


def _trail(node: Any, target: Any) -> list[str] | None:
    if node is target:
        return []
    for name in getattr(node, "keys", ()):
        value = getattr(node, name, None)
        for child in value if isinstance(value, (list, tuple)) else (value,):
            if not hasattr(child, "keys"):
                continue
            below = _trail(child, target)
            if below is not None:
                return [child.name.value, *below] if isinstance(child, FieldNode) else below
    return None


def coerce_variables(
    schema: GraphQLSchema, operation: OperationDefinitionNode, given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[dict[str, object]]]:
    """Variables as graphql-core would pass them on, and the vendor's errors for those that do not fit."""
    values: dict[str, Any] = {}
    errors: list[dict[str, object]] = []
    for definition in operation.variable_definitions:
        name = definition.variable.name.value
        kind: Any = type_from_ast(schema, definition.type)
        if not is_input_type(kind):
            continue
        if name not in given:
            if definition.default_value is not None:
                values[name] = value_from_ast(definition.default_value, kind)
            elif is_non_null_type(kind):
                errors.append(
                    _variable_error(definition, None, [([], "Expected value to not be null")])
                )
            continue
        problems: list[tuple[list[Any], str]] = []

        def keep(
            path: list[str | int], _: object, error: GraphQLError, into: list[Any] = problems
        ) -> None:
            into.append(_problem(path, error.message))

        value = coerce_input_value(given[name], kind, keep)
        if problems:
            errors.append(_variable_error(definition, given[name], problems))
        else:
            values[name] = value
    return values, errors


_EXPLANATIONS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(r"Field '(?P<field>\w+)' is not defined by type '(?P<type>\w+)'"),
        "Field is not defined on {type}",
    ),
    (
        re.compile(r"Field '(?P<field>\w+)' of required type .* was not provided"),
        "Expected value to not be null",
    ),
    (re.compile(r"Expected non-nullable type"), "Expected value to not be null"),
    (
        re.compile(r"Value '(?P<value>.*)' does not exist in '(?P<type>\w+)' enum"),
        'Expected "{value}" to be one of {type}',
    ),
    (
        re.compile(r"(?P<type>\w+) cannot represent [\w\- ]*: (?P<value>.*)"),
        "Could not coerce value {value} to {type}",
    ),
)


def _problem(path: list[str | int], message: str) -> tuple[list[Any], str]:
    for pattern, text in _EXPLANATIONS:
        found = pattern.match(message)
        if found:
            facts = found.groupdict()
            where = [*path, facts["field"]] if "field" in facts else list(path)
            return where, text.format(**facts)
    return list(path), message


def _variable_error(
    definition: VariableDefinitionNode, value: Any, problems: list[tuple[list[Any], str]]
) -> dict[str, object]:
    shown = ", ".join(
        f"{'.'.join(str(step) for step in path)} ({text})" if path else f"({text})"
        for path, text in problems
    )
    joined = f" for {shown}" if problems[0][0] else f" {shown}"
    return {
        "message": (
            f"Variable ${definition.variable.name.value} of type {print_ast(definition.type)} "
            f"was provided invalid value{joined}"
        ),
        "locations": [_spot(definition)],
        "extensions": {
            "code": "INVALID_VARIABLE",
            "value": value,
            "problems": [{"path": path, "explanation": text} for path, text in problems],
        },
    }


def _spot(node: Any) -> dict[str, int]:
    start = node.loc.start_token
    return {"line": start.line, "column": start.column}
