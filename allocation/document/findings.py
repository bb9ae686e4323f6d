"""One thing that is wrong in a rule file, or worth saying, before its line is known."""

from __future__ import annotations

from dataclasses import dataclass

from allocation.document.lines import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a setting, and the remedy.

    path    the setting, as in ("channels", "shop", "cap")
    """

    path: Path
    message: str


def named(path: Path) -> str:
    """A setting as messages name it: `overrides.0.cap`."""
    return ".".join(map(str, path))
