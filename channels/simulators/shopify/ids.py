"""Shopify's global ids: `gid://shopify/<Kind>/<number>`; some numbers do not fit into a double."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

_STEP: Final = 32_768
_FIRST: Final = 53_204_673_823_026
_PER_KIND: Final = 1_000_000_007
"""Kinds count from different numbers, so that an id of the wrong kind finds nothing."""
_FIRST_HUGE: Final = 271_878_346_596_884_015
"""Above 2^53: a consumer that parses ids as doubles loses the last digits (seen in the vendor's own examples)."""

_GID: Final = re.compile(r"gid://shopify/(\w+)/(\d+)(?:\?inventory_item_id=(\d+))?")


class Ids:
    """Numbers for new things: rising per kind; every `huge_every`-th one is above 2^53 (0 = none)."""

    def __init__(self, huge_every: int = 4) -> None:
        self._huge_every = huge_every
        self._counts: dict[str, int] = defaultdict(int)

    def next(self, kind: str) -> int:
        self._counts[kind] += 1
        count = self._counts[kind]
        offset = list(self._counts).index(kind) * _PER_KIND
        huge = self._huge_every and count % self._huge_every == 0
        return (_FIRST_HUGE if huge else _FIRST) + offset + count * _STEP


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def level_gid(location_number: int, item_number: int) -> str:
    return f"gid://shopify/InventoryLevel/{location_number}?inventory_item_id={item_number}"


def parse_gid(text: str) -> tuple[str, int, int | None] | None:
    """Kind, number and (for a level) the inventory item's number; None when it is no Shopify gid."""
    found = _GID.fullmatch(text)
    if found is None:
        return None
    item = found.group(3)
    return found.group(1), int(found.group(2)), int(item) if item else None
