"""The vendor's idempotency store: what became of each key in the 24 hours since it was first seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

REQUIRED: Final = frozenset(
    [
        "inventorySetQuantities",
        "inventoryAdjustQuantities",
        "inventoryMoveQuantities",
        "inventorySetOnHandQuantities",
        "inventoryActivate",
        "inventoryShipmentAddItems",
        "inventoryShipmentCreate",
        "inventoryShipmentCreateInTransit",
        "inventoryShipmentReceive",
        "inventoryTransferCreate",
        "inventoryTransferCreateAsReadyToShip",
        "inventoryTransferDuplicate",
        "inventoryTransferSetItems",
        "locationActivate",
        "locationDeactivate",
        "refundCreate",
    ]
)
"""Mutations that refuse to run without `@idempotent(key:)` since 2026-04."""

LIFETIME: Final = timedelta(hours=24)

MESSAGES: Final = {
    "IDEMPOTENCY_CONCURRENT_REQUEST": "This request is currently in progress, please try again.",
    "IDEMPOTENCY_KEY_PARAMETER_MISMATCH": (
        "The same idempotency key cannot be used with different operation parameters."
    ),
    "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED": (
        "A previous request with this idempotency key failed. Retry with a new idempotency key."
    ),
}


@dataclass(slots=True)
class Kept:
    """What a key stands for. `state` is running, done or failed; `outcome` is set when done."""

    first_at: datetime
    print: str
    state: str = "running"
    outcome: Any = None


class Keys:
    """Keys of one app and shop. Not safe by itself: use it under the shop's lock."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def claim(
        self, key: str, root: str, arguments: Mapping[str, object], now: datetime
    ) -> Kept | str:
        """Begin or repeat a request: a fresh or finished `Kept`, or the code of the refusal."""
        self._forget(now)
        fingerprint = json.dumps([root, arguments], sort_keys=True, default=str)
        kept = self._kept.get(key)
        if kept is None:
            self._kept[key] = kept = Kept(now, fingerprint)
            return kept
        if kept.print != fingerprint:
            return "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
        if kept.state == "running":
            return "IDEMPOTENCY_CONCURRENT_REQUEST"
        if kept.state == "failed":
            return "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
        return kept

    def drop(self, kept: Kept) -> None:
        """Forget a claim that came to nothing, such as a call refused before it ran."""
        for key in [key for key, one in self._kept.items() if one is kept]:
            del self._kept[key]

    def _forget(self, now: datetime) -> None:
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if now - oldest.first_at < LIFETIME:
                return
            del self._kept[key]
