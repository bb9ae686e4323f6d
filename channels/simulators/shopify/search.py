"""The vendor's search syntax and its cursor paging, for the fields the simulator knows.

`field:value`, `field:>value` (also >=, <, <=), quotes, a trailing `*`, AND (or a space), OR, NOT or `-`, parentheses.
A field nobody knows is ignored, as the vendor does, and reported under `extensions.search`.
"""

from __future__ import annotations

import base64
import binascii
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from graphql import GraphQLError

Getter = Callable[[Any], object]
Test = Callable[[Any], bool]

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<paren>[()])|(?P<term>-?[\w.]+:(?:>=|<=|>|<)?(?:'[^']*'|"[^"]*"|[^\s()]+))"""
    r"""|(?P<word>'[^']*'|"[^"]*"|[^\s()]+))"""
)
_TERM: Final = re.compile(r"(?P<no>-?)(?P<field>[\w.]+):(?P<op>>=|<=|>|<)?(?P<value>.*)", re.DOTALL)
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Query:
    """A parsed search: `matches(thing)`, and the fields it did not know in `unknown`."""

    def __init__(self, text: str, fields: Mapping[str, Getter]) -> None:
        self._tokens = [m.group().strip() for m in _TOKEN.finditer(text) if m.group().strip()]
        self._fields = fields
        self.unknown: list[str] = []
        self.matches: Test = self._any_of() if self._tokens else lambda _: True

    def _any_of(self) -> Test:
        tests = [self._all_of()]
        while self._tokens and self._tokens[0].upper() == "OR":
            self._tokens.pop(0)
            tests.append(self._all_of())
        return tests[0] if len(tests) == 1 else lambda thing: any(test(thing) for test in tests)

    def _all_of(self) -> Test:
        tests = [self._one()]
        while self._tokens and self._tokens[0] != ")" and self._tokens[0].upper() != "OR":
            if self._tokens[0].upper() == "AND":
                self._tokens.pop(0)
                continue
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda thing: all(test(thing) for test in tests)

    def _one(self) -> Test:
        if not self._tokens:
            return lambda _: True
        token = self._tokens.pop(0)
        if token.upper() == "NOT":
            inner = self._one()
            return lambda thing: not inner(thing)
        if token == "(":
            inner = self._any_of()
            if self._tokens and self._tokens[0] == ")":
                self._tokens.pop(0)
            return inner
        return self._term(token)

    def _term(self, token: str) -> Test:
        found = _TERM.fullmatch(token)
        if found is None:
            needle = token.strip("'\"").lower()
            default = self._fields.get("default")
            return (
                (lambda thing: needle in str(default(thing)).lower()) if default else lambda _: True
            )
        getter = self._fields.get(found["field"])
        if getter is None:
            self.unknown.append(found["field"])
            return lambda _: True
        test = _test(getter, found["op"], found["value"].strip("'\""), found["field"])
        return (lambda thing: not test(thing)) if found["no"] else test


def _test(getter: Getter, op: str | None, text: str, name: str) -> Test:
    if op:
        compare = _COMPARE[op]

        def ordered(thing: Any) -> bool:
            value = getter(thing)
            return value is not None and compare(value, _like(value, text, name))

        return ordered

    def equal(thing: Any) -> bool:
        value = getter(thing)
        if isinstance(value, (list, tuple, set, frozenset)):
            return any(_same(one, text, name) for one in value)
        return _same(value, text, name)

    return equal


def _same(value: object, text: str, name: str) -> bool:
    if value is None:
        return False
    if isinstance(value, str):
        wanted, have = text.lower(), value.lower()
        return have.startswith(wanted[:-1]) if wanted.endswith("*") else have == wanted
    return value == _like(value, text, name)


def _like(value: object, text: str, name: str) -> object:
    """`text` as the same kind of thing as `value`."""
    try:
        if isinstance(value, bool):
            return text.lower() == "true"
        if isinstance(value, int):
            return int(text.rsplit("/", 1)[-1])
        if isinstance(value, datetime):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        message = f"Invalid timestamp for query filter `{name}`."
        raise GraphQLError(message, extensions={"code": "BAD_REQUEST"}) from None
    return text


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a connection."""

    TYPE = "Connection"
    rows: Sequence[Any]
    cursors: Sequence[str]
    has_next: bool
    has_previous: bool


def page(rows: list[Any], key: Callable[[Any], tuple[Any, int]], args: Mapping[str, Any]) -> Page:
    """Sort by `key` (value, number) and cut out what first/after/last/before/reverse ask for.

    A cursor names a place in the order, not a row, so paging goes on when rows come, go or move.
    """
    _check_window(args)
    rows = sorted(rows, key=key)
    if args.get("after"):
        low = _decode(args["after"])
        rows = [
            row
            for row in rows
            if (_wire(key(row)) < low if args.get("reverse") else _wire(key(row)) > low)
        ]
    if args.get("before"):
        high = _decode(args["before"])
        rows = [
            row
            for row in rows
            if (_wire(key(row)) > high if args.get("reverse") else _wire(key(row)) < high)
        ]
    if args.get("reverse"):
        rows.reverse()
    first, last = args.get("first"), args.get("last")
    if first is not None:
        cut, has_next, has_previous = rows[:first], len(rows) > first, bool(args.get("after"))
    else:
        kept = int(last or 0)
        cut, has_previous, has_next = (
            rows[-kept:] if kept else [],
            len(rows) > kept,
            bool(args.get("before")),
        )
    return Page(cut, [_encode(key(row)) for row in cut], has_next, has_previous)


def _check_window(args: Mapping[str, Any]) -> None:
    first, last = args.get("first"), args.get("last")
    problem = None
    if first is None and last is None:
        problem = "you must provide one of first or last"
    elif first is not None and last is not None:
        problem = "providing both first and last is not supported"
    elif not 0 <= int(first if first is not None else last or 0) <= 250:
        problem = "first and last must be between 0 and 250"
    if problem:
        raise GraphQLError(problem, extensions={"code": "BAD_REQUEST"})


def _wire(key: tuple[Any, int]) -> tuple[Any, int]:
    value, number = key
    return (value.isoformat() if isinstance(value, datetime) else value, number)


def _encode(key: tuple[Any, int]) -> str:
    value, number = _wire(key)
    text = json.dumps({"last_id": number, "last_value": value}, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


def _decode(cursor: str) -> tuple[Any, int]:
    try:
        facts = json.loads(base64.b64decode(cursor, validate=True))
        return facts["last_value"], facts["last_id"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise GraphQLError("Invalid cursor for current pagination sort.") from None
