"""Every example of a notification that the vendors publish, as it would come to our door."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

OURS = Path(__file__).parents[1] / "channels"
BESIDE = Path(__file__).parents[3] / "shared/data/channels"


@dataclass(frozen=True, slots=True)
class Example:
    """A body; `topic` goes into a header where the vendor has one, else it stands in the body."""

    kind: str
    name: str
    topic: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.kind}-{self.name}"


def ours() -> list[Example]:
    """The examples that came with the repository."""
    return [
        *_documented(OURS / "shopify_bodies/docs_2026-04"),
        *_captured(OURS / "shopify_bodies/captured_2024-10"),
        *_plain("amazon", OURS / "amazon_bodies"),
        *_plain("square", OURS / "square_bodies/events"),
    ]


def strangers() -> list[Example]:
    """What a vendor publishes that is no notification, left at its door all the same."""
    return [*_plain("square", OURS / "square_bodies/messages")]


def beside() -> list[Example]:
    """Whatever lies beside the repository: the same again and more, none where there is nothing."""
    return [
        *_documented(BESIDE / "shopify/open/webhooks/docs_2026-04"),
        *_captured(BESIDE / "shopify/open/webhooks/captured_2024-10"),
        *_plain("amazon", BESIDE / "amazon/open/notifications"),
        *_plain("amazon", BESIDE / "amazon/open/feeds"),
        *_plain("square", BESIDE / "square/open/events"),
        *_plain("square", BESIDE / "square/open/messages"),
    ]


def _documented(folder: Path) -> Iterator[Example]:
    for path in sorted(folder.glob("*.json")):
        yield Example("shopify", path.stem, path.stem.replace(".", "/", 1), path.read_bytes())


def _captured(folder: Path) -> Iterator[Example]:
    for path in sorted(folder.glob("*.json")):
        capture = json.loads(path.read_bytes())
        headers = {name.lower(): value for name, value in capture["headers"].items()}
        body = json.dumps(capture["body"]).encode()
        yield Example("shopify", f"captured-{path.stem}", headers["x-shopify-topic"], body)


def _plain(kind: str, folder: Path) -> Iterator[Example]:
    for path in sorted(folder.glob("*.json")):
        yield Example(kind, path.stem, "", path.read_bytes())


_DAY = re.compile(rb"20[0-3]\d-[01]\d-[0-3]\dT")


def of_yesterday(body: bytes, now: datetime) -> bytes:
    """The body with every moment on the day before `now`: examples are years old, and the book refuses such facts."""
    day = (now.astimezone(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT").encode()
    return _DAY.sub(day, body)


def leaves(document: Any) -> list[tuple[str | int, ...]]:
    """The path of everything inside a document down to twelve levels, the document itself excepted."""
    found: list[tuple[str | int, ...]] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while waiting:
        path, inside = waiting.pop()
        found.append(path)
        if len(path) < _DEEPEST and isinstance(inside, dict):
            waiting += [((*path, name), value) for name, value in inside.items()]
        elif len(path) < _DEEPEST and isinstance(inside, list):
            waiting += [((*path, place), value) for place, value in enumerate(inside)]
    return found[1:]


_DEEPEST = 12
