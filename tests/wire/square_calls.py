"""Which calls of Square stand in our code: read from the source, so that none can be forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "channels/square"
#: `pages` posts; the others name their method first.
CALLS = {"ask", "send", "pages"}


def in_code() -> set[tuple[str, str]]:
    """(method, path) of every call, `{}` where a value stands in the path. Fails on a call it cannot read."""
    modules = {path.stem: ast.parse(path.read_text()) for path in sorted(FOLDER.glob("*.py"))}
    known = {name: _constants(tree) for name, tree in modules.items()}
    found: set[tuple[str, str]] = set()
    for name, tree in modules.items():
        if name == "api":
            continue
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                found |= set(_calls(function, known, name))
    return found


def _constants(tree: ast.Module) -> dict[str, str]:
    return {
        node.target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _calls(
    function: ast.FunctionDef, known: Mapping[str, Mapping[str, str]], module: str
) -> Iterator[tuple[str, str]]:
    local = {
        target.id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in CALLS or not node.args:
            continue
        paged = node.func.attr == "pages"
        method = "POST" if paged else ast.literal_eval(node.args[0])
        yield method, _path(node.args[0 if paged else 1], local, known, module)


def _path(
    node: ast.expr,
    local: Mapping[str, ast.expr],
    known: Mapping[str, Mapping[str, str]],
    module: str,
) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in local:
            return _path(local[name], local, known, module)
        case ast.Name(id=name):
            return known[module][name]
        case ast.Attribute(value=ast.Name(id=other), attr=name):
            return known[other][name]
        case ast.JoinedStr(values=parts):
            return "".join(_piece(part, local, known, module) for part in parts)
        case _:
            raise AssertionError(f"{module}: a path that cannot be read: {ast.unparse(node)}")


def _piece(
    part: ast.expr,
    local: Mapping[str, ast.expr],
    known: Mapping[str, Mapping[str, str]],
    module: str,
) -> str:
    if isinstance(part, ast.FormattedValue):
        inside = part.value
        named = isinstance(inside, ast.Name) and inside.id in known[module]
        return _path(inside, local, known, module) if named else "{}"
    return _path(part, local, known, module)
