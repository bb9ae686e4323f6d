"""Where in the text of a TOML file a setting stands, for messages; `tomllib` does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

Path: TypeAlias = tuple[int | str, ...]

# What may hide a bracket, an equals sign or the end of a line (toml.io/en/v1.0.0: strings, comments), and those.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|\#[^\n]*|[\[\]{}=\n]',
    re.DOTALL,
)


def line_of(source: str, path: Sequence[int | str]) -> int | None:
    """The line (from 1) of a setting, else of the nearest table around it that the file writes out, else None.

    source    a text that is valid TOML; of another the answer may be None or wrong
    """
    lines = _lines(source)
    for end in range(len(path), 0, -1):
        line = lines.get(tuple(path[:end]))
        if line is not None:
            return line
    return None


@lru_cache(maxsize=2)
def _lines(source: str) -> Mapping[Path, int]:
    return dict(reversed(list(_settings(source))))


def _settings(source: str) -> Iterator[tuple[Path, int]]:
    """Every table header, key and table of an array in the file with its line, in order."""
    table: Path = ()
    seen: dict[Path, int] = {}
    for number, key, inner in _statements(source):
        path = _parsed(key)
        if path is None:
            continue
        if not key.startswith("["):
            yield (*table, *path), number
            yield from (((*table, *path, place), line) for place, line in enumerate(inner))
            continue
        if key.startswith("[["):
            array = (*_placed(path[:-1], seen), path[-1])
            seen[array] = seen.get(array, -1) + 1
        table = _placed(path, seen)
        yield table, number


def _placed(header: Path, seen: Mapping[Path, int]) -> Path:
    """A header with the places of the arrays of tables that it goes through."""
    path: Path = ()
    for part in header:
        path = (*path, part)
        if path in seen:
            path = (*path, seen[path])
    return path


def _statements(source: str) -> Iterator[tuple[int, str, list[int]]]:
    """(line, header or `key = 0`, lines of the tables in its array) of every statement."""
    begin, line, start = 0, 1, 1
    key, depth = "", ""
    inner: list[int] = []
    for token in _TOKEN.finditer(f"{source}\n"):
        text = token.group()
        if text == "\n" and not depth:
            written = source[begin : token.start()].strip()
            if key or written.startswith("["):
                yield start, key or written, inner
            begin, start, key, inner = token.end(), line + 1, "", []
        elif text == "=" and not key:
            key = f"{source[begin : token.start()].strip()} = 0"
        elif text in "[{":
            if text == "{" and depth == "[":
                inner.append(line)
            depth += text
        elif text in "]}":
            depth = depth[:-1]
        line += text.count("\n")


def _parsed(statement: str) -> Path | None:
    """The path that a header or a key stands for."""
    try:
        tree: object = tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    while (isinstance(tree, dict) and tree) or (isinstance(tree, list) and tree):
        if isinstance(tree, list):
            tree = tree[0]
            continue
        name = next(iter(tree))
        path.append(name)
        tree = tree[name]
    return tuple(path) or None
