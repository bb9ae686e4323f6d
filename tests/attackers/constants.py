"""Whether a piece of Python is made of nothing but what stands in our files: no word of it can come from outside.

A constant is a literal, or is put together from constants: by name, also of another of our modules, by f-string, `+`,
`%`, `.join` or `.format`, by a function of ours that is given constants, by picking from a table of constants. A
parameter is one if its type admits whole numbers or listed words only, if its function belongs to
its file alone and is given constants at each call, or if it is of a class that is made of constants wherever it is
made (`Sources.made`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

#: What an expression's words come from; which of a table is picked may come from outside, what can be picked does not.
_PARTS: Final[Mapping[type[ast.AST], tuple[str, ...]]] = {
    ast.JoinedStr: ("values",),
    ast.FormattedValue: ("value",),
    ast.BoolOp: ("values",),
    ast.BinOp: ("left", "right"),
    ast.IfExp: ("body", "orelse"),
    ast.Tuple: ("elts",),
    ast.List: ("elts",),
    ast.Set: ("elts",),
    ast.Dict: ("keys", "values"),
    ast.Starred: ("value",),
    ast.keyword: ("value",),
    ast.Subscript: ("value",),
    ast.ListComp: ("elt",),
    ast.SetComp: ("elt",),
    ast.GeneratorExp: ("elt",),
    ast.DictComp: ("key", "value"),
}
#: What makes constants of constants; a number or a quoted name is one whatever it was made of.
_PURE: Final = frozenset(
    {"text", "SQL", "str", "tuple", "list", "set", "frozenset", "sorted", "dict", "zip", "enumerate", "range", "min",
     "max", "dedent", "repr", "MappingProxyType"}
)  # fmt: skip
_TAMING: Final = frozenset({"int", "float", "len", "bool", "fields", "Identifier", "Literal"})
_METHODS: Final = frozenset(
    {"join", "format", "replace", "strip", "rstrip", "lstrip", "removesuffix", "removeprefix", "items", "values",
     "keys", "get", "lower", "upper", "split", "bindparams", "columns", "as_string", "encode", "splitlines",
     "partition", "union"}
)  # fmt: skip
_DEEPEST: Final = 40


@dataclass(frozen=True)
class Scope:
    """Where an expression stands.

    functions    that it is in, innermost last
    given        whether the innermost function was given constants only
    """

    path: str
    functions: tuple[Function | ast.Lambda, ...] = ()
    given: bool = False


@dataclass
class Sources:
    """Our files, parsed once.

    sources    path -> text
    made       classes whose objects are made of constants, each as (file, name); who says so proves it of every call
    """

    sources: Mapping[str, str]
    made: frozenset[tuple[str, str]] = frozenset()
    trees: dict[str, ast.Module] = field(init=False)
    tames: frozenset[str] = field(init=False, default=frozenset())
    _nodes: dict[str, list[tuple[ast.AST, Scope]]] = field(init=False, default_factory=dict)
    _taken: dict[str, list[tuple[str, str, str]]] = field(init=False, default_factory=dict)
    _asked: set[tuple[int, str, bool]] = field(init=False, default_factory=set)
    _bound: dict[int, dict[str, list[ast.AST]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.trees = {path: ast.parse(source) for path, source in self.sources.items()}

    def nodes(self, path: str) -> list[tuple[ast.AST, Scope]]:
        """Every node of a file, with where it stands."""
        if path not in self._nodes:
            found: list[tuple[ast.AST, Scope]] = []
            waiting: list[tuple[ast.AST, Scope]] = [(self.trees[path], Scope(path))]
            while waiting:
                node, scope = waiting.pop()
                found.append((node, scope))
                inner = scope
                if isinstance(node, Function | ast.Lambda):
                    inner = Scope(path, (*scope.functions, node))
                waiting += [(child, inner) for child in ast.iter_child_nodes(node)]
            self._nodes[path] = found
        return self._nodes[path]

    def taming(self, *names: str) -> Sources:
        """The same files, where the result of these functions is harmless, whatever they were given."""
        other = copy(self)
        other.tames = frozenset(names)
        return other

    def is_constant(self, node: ast.AST, scope: Scope, deep: int = 0) -> bool:
        """Whether nothing of an expression can come from outside; in doubt it can."""
        if deep > _DEEPEST:
            return False
        if type(node) in _PARTS:
            return all(self.is_constant(part, scope, deep + 1) for part in _parts(node))
        match node:
            case ast.Constant():
                return True
            case ast.Name(id=name):
                return self._name(name, scope, deep + 1)
            case ast.Attribute():
                return self._attribute(node, scope, deep + 1)
            case ast.Call():
                return self._call(node, scope, deep + 1)
        return False

    def imports(self, path: str, name: str, of: tuple[str, ...]) -> bool:
        """Whether a file has a name from one of these packages."""
        return any(
            said == name and module.split(".")[0] in of for said, module, _ in self._imports(path)
        )

    def makes(self, call: ast.Call, path: str) -> bool:
        """Whether a call makes an object of a class that is trusted to be made of constants."""
        found = self._class(call.func, path)
        return found is not None and (found[0], found[1].name) in self.made

    def _name(self, name: str, scope: Scope, deep: int) -> bool:
        for at in range(len(scope.functions), 0, -1):
            function = scope.functions[at - 1]
            inner = Scope(
                scope.path, scope.functions[:at], scope.given and at == len(scope.functions)
            )
            if name in _parameters(function):
                annotation = _parameters(function)[name]
                return (
                    inner.given
                    or _is_tame(annotation)
                    or self._is_made(annotation, function, name, scope.path)
                    or self._is_always_given(function, name, scope.path, deep)
                )
            if name in self._bindings(function):
                return self._are_constant(function, name, inner, deep)
        tree = self.trees[scope.path]
        if name in self._bindings(tree):
            return self._are_constant(tree, name, Scope(scope.path), deep)
        found = self._imported(name, scope.path)
        if found is None or found == (scope.path, name):
            return False
        return self._name(found[1], Scope(found[0]), deep)

    def _are_constant(self, within: ast.AST, name: str, scope: Scope, deep: int) -> bool:
        """Whether all that a name is set to is constant; what it is set to by itself adds nothing."""
        key = (id(within), name, scope.given)
        if key in self._asked:
            return True
        self._asked.add(key)
        try:
            bound = self._bindings(within)[name]
            return all(self.is_constant(value, scope, deep) for value in bound)
        finally:
            self._asked.discard(key)

    def _attribute(self, node: ast.Attribute, scope: Scope, deep: int) -> bool:
        """`module.NAME`, a member of a class of constants, or its value."""
        module = self._module(node.value, scope.path)
        if module:
            return self._name(node.attr, Scope(module), deep)
        found = self._class(node.value, scope.path)
        if found:
            path, made = found
            bound = self._bindings(made).get(node.attr, [])
            return bool(bound) and all(
                self.is_constant(value, Scope(path), deep) for value in bound
            )
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return self.is_constant(node.value, scope, deep)
        return self.is_constant(node.value, scope, deep)

    def _is_made(self, annotation: ast.AST | None, function: ast.AST, name: str, path: str) -> bool:
        """Whether a parameter is of a class that is made of constants; `self` is of the class around it."""
        if name == "self":
            around = next(
                (
                    c
                    for c in self.trees[path].body
                    if isinstance(c, ast.ClassDef) and function in c.body
                ),
                None,
            )
            return around is not None and (path, around.name) in self.made
        found = self._class(annotation, path) if annotation else None
        return found is not None and (found[0], found[1].name) in self.made

    def _is_always_given(
        self, function: Function | ast.Lambda, name: str, path: str, deep: int
    ) -> bool:
        """Whether each call of a function that only its file knows gives a constant for a parameter."""
        if isinstance(function, ast.Lambda) or not function.name.startswith("_"):
            return False
        calls = [
            (node, scope)
            for node, scope in self.nodes(path)
            if isinstance(node, ast.Call) and called(node) == function.name
        ]
        named = sum(isinstance(call.func, ast.Name) for call, _ in calls)
        uses = sum(
            isinstance(node, ast.Name) and node.id == function.name
            for node in ast.walk(self.trees[path])
        )
        # A function that is handed on is called by nobody knows whom.
        return (
            bool(calls)
            and uses == named
            and all(self._given(call, function, name, scope, deep) for call, scope in calls)
        )

    def _given(
        self, call: ast.Call, function: Function, name: str, scope: Scope, deep: int
    ) -> bool:
        names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
        if names[:1] == ["self"]:
            names = names[1:]
        for keyword in call.keywords:
            if keyword.arg == name:
                return self.is_constant(keyword.value, scope, deep)
        if name in names and names.index(name) < len(call.args):
            return self.is_constant(call.args[names.index(name)], scope, deep)
        # What is left out is its default, which stands in our file.
        return not any(isinstance(each, ast.Starred) for each in call.args)

    def _call(self, node: ast.Call, scope: Scope, deep: int) -> bool:
        of, name = node.func, called(node)
        if name in _TAMING or name in self.tames:
            return True
        given = all(self.is_constant(part, scope, deep) for part in (*node.args, *node.keywords))
        if name in _PURE or self.makes(node, scope.path):
            return given
        found = self._function(of, scope.path)
        if found:
            path, function = found
            inner = Scope(path, (function,), given)
            said = [
                each.value
                for each in _own(function)
                if isinstance(each, ast.Return | ast.Yield) and each.value
            ]
            return bool(said) and all(self.is_constant(value, inner, deep) for value in said)
        if isinstance(of, ast.Attribute) and name in _METHODS:
            return given and self.is_constant(of.value, scope, deep)
        return False

    def _bindings(self, within: ast.AST) -> dict[str, list[ast.AST]]:
        """What each name is set to in a module, class or function itself."""
        known = self._bound.get(id(within))
        if known is None:
            known = {}
            for node in _own(within):
                for target, value in _set_by(node):
                    for name in _names(target):
                        known.setdefault(name, []).append(value)
            self._bound[id(within)] = known
        return known

    def _module(self, node: ast.AST, path: str) -> str:
        """The file of a module that a name means, "" when it means none of ours."""
        if not isinstance(node, ast.Name):
            return ""
        for name, module, inner in self._imports(path):
            if name == node.id:
                return self._file(f"{module}.{inner}" if inner else module)
        return ""

    def _imported(self, name: str, path: str) -> tuple[str, str] | None:
        """The file and the name there of what is imported by name."""
        for said, module, inner in self._imports(path):
            if said == name and inner and self._file(module):
                return self._file(module), inner
        return None

    def _imports(self, path: str) -> list[tuple[str, str, str]]:
        """What a file imports: the name here, the module, the name there ("" for the module itself)."""
        known = self._taken.get(path)
        if known is None:
            known = self._taken[path] = []
            for each in ast.walk(self.trees[path]):
                if isinstance(each, ast.ImportFrom):
                    known += [(a.asname or a.name, each.module or "", a.name) for a in each.names]
                elif isinstance(each, ast.Import):
                    known += [(a.asname or a.name, a.name, "") for a in each.names]
        return known

    def _file(self, module: str) -> str:
        stem = module.replace(".", "/")
        return next((p for p in (f"{stem}.py", f"{stem}/__init__.py") if p in self.trees), "")

    def _function(self, called: ast.AST, path: str) -> tuple[str, Function] | None:
        if isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "self":
            methods = (
                each
                for made in self.trees[path].body
                if isinstance(made, ast.ClassDef)
                for each in made.body
                if isinstance(each, Function) and each.name == called.attr
            )
            method = next(methods, None)
            return (path, method) if method else None
        found = self._defined(called, path)
        return (found[0], found[1]) if found and isinstance(found[1], Function) else None

    def _class(self, node: ast.AST, path: str) -> tuple[str, ast.ClassDef] | None:
        found = self._defined(node, path)
        return (found[0], found[1]) if found and isinstance(found[1], ast.ClassDef) else None

    def _defined(self, node: ast.AST, path: str) -> tuple[str, ast.AST] | None:
        """The function or class of ours that a name or `module.name` means."""
        if isinstance(node, ast.Attribute):
            path, name = self._module(node.value, path), node.attr
        else:
            name = getattr(node, "id", "")
        if not path:
            return None
        for each in self.trees[path].body:
            if isinstance(each, Function | ast.ClassDef) and each.name == name:
                return path, each
        found = self._imported(name, path)
        return self._defined(ast.Name(found[1]), found[0]) if found else None


def _own(within: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a module, class or function, without those of functions and classes in it."""
    waiting = list(ast.iter_child_nodes(within))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    for name in _PARTS[type(node)]:
        said = getattr(node, name)
        yield from (part for part in (said if isinstance(said, list) else [said]) if part)


def called(node: ast.Call) -> str:
    """The last part of the name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _set_by(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value) for target in targets)
        case ast.AnnAssign(target=target, value=ast.AST() as value):
            yield target, value
        case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
            yield target, value
        case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
            yield target, value
        case ast.With(items=items):
            yield from (
                (item.optional_vars, item.context_expr) for item in items if item.optional_vars
            )


def _names(target: ast.AST) -> Iterator[str]:
    yield from (
        each.id
        for each in ast.walk(target)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    )


def _parameters(function: Function | ast.Lambda) -> dict[str, ast.AST | None]:
    said = function.args
    every = [*said.posonlyargs, *said.args, *said.kwonlyargs]
    every += [each for each in (said.vararg, said.kwarg) if each]
    return {each.arg: each.annotation for each in every}


def _is_tame(annotation: ast.AST | None) -> bool:
    """Whether a type holds whole numbers or listed words only."""
    match annotation:
        case ast.Name(id="int" | "bool"):
            return True
        case ast.Subscript(value=ast.Name(id="Literal")):
            return True
    return False
