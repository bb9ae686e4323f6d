"""Where in the text of a TOML file a setting stands, for messages; `tomllib` does not tell."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Path: TypeAlias = tuple[int | str, ...]


def line_of(source: str, path: Sequence[int | str]) -> int | None:
    """The line (from 1) of a setting, else of the nearest table around it that the file writes out, else None."""
    lines = dict(reversed(list(_settings(source))))
    for end in range(len(path), 0, -1):
        line = lines.get(tuple(path[:end]))
        if line is not None:
            return line
    return None


def _settings(source: str) -> Iterator[tuple[Path, int]]:
    """Every table header and key of the file with its line, in order."""
    table: Path = ()
    seen: dict[Path, int] = {}
    for number, text in enumerate(source.splitlines(), start=1):
        line = text.strip()
        if line.startswith("["):
            header = _parsed(line)
            if header is None:
                continue  # a line of an array that spans several
            table = header
            if line.startswith("[["):
                table = (*header, seen.get(header, 0))
                seen[header] = seen.get(header, 0) + 1
            yield table, number
        elif "=" in line and not line.startswith("#"):
            key = _parsed(f"{line.partition('=')[0]}= 0")
            if key is not None:
                yield (*table, *key), number


def _parsed(line: str) -> Path | None:
    """The path that a header or a key alone on a line stands for."""
    try:
        tree: object = tomllib.loads(line)
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
