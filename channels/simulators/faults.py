"""Seeded faults: what may go wrong at a vendor, switched on by kind, for some calls, reproducibly."""

from __future__ import annotations

import random
import threading
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Final

KINDS: Final = {
    "swallow": "a write answers success and changes nothing",
    "latency": "the answer comes `seconds` late (the write happens after the wait)",
    "server_error": "an error page with `status` before anything happened",
    "failed_write": "HTTP 500 while the write runs; nothing changed, its idempotency key is spent",
    "reset_after_apply": "the write happens, then the connection is reset without an answer",
    "truncate": "the write happens, the answer's body breaks off in the middle",
    "html": "an HTML page with HTTP 200 instead of JSON, before anything happened",
    "throttle": "calls are throttled for `seconds` from the moment the fault is set (without end when 0)",
    "late_apply": "an accepted write is applied `seconds` later than others, maybe over a newer one",
    "invalid": "a write is answered as invalid, with HTTP 200",
    "stuck_feed": "a feed stays in progress for good",
    "fatal_feed": "a feed ends as FATAL and does nothing",
    "stale_reading": "a reading of the vendor's own stock is `seconds` old",
    "absent_row": "a reading leaves a SKU out",
    "missed_change": "a reading of what changed leaves a changed SKU out",
    "packed": "a written number shows one unit for each `units` of it: the account counts packs",
    "wrong_state": "a written number becomes what is on hand, so that what is committed is missing from it",
    "capped": "a written number shows `units` at most",
    "crossed": "a number written for `sku` lands on the item of the SKU `other`",
    "external_edit": "after a write somebody changes the same level by `units` more",
    "webhook_duplicate": "a webhook is delivered twice with the same delivery id",
    "webhook_late": "a webhook is first sent `seconds` late",
    "webhook_reorder": "a webhook is held until the next one has gone out, or ten seconds",
    "webhook_drop": "a webhook is never sent",
    "webhook_bad_hmac": "a webhook carries a signature made with another secret",
}
"""Every kind of fault and what it does. A vendor that has no such thing ignores the kind."""


class UnknownFault(ValueError):
    """The kind is not one of `KINDS`, or its numbers make no sense."""


@dataclass(slots=True)
class Fault:
    """One switched-on fault.

    rate       chance per matching call, 0..1; with `count` too, both must agree
    count      how many times it may still strike; None is without end
    sku        only calls (or webhooks) that touch this SKU; for `swallow`, only its rows
    topic      only webhooks of this topic;  operation: only this API operation
    seconds    length, where the kind has one;  status: for `server_error`;  other: for `crossed`
    units      for `external_edit`, `packed` and `capped`
    retry_after_s   what a throttled answer's Retry-After says; None leaves the header out
    """

    id: int
    kind: str
    rate: float = 1.0
    count: int | None = None
    seed: int = 0
    sku: str | None = None
    topic: str | None = None
    operation: str | None = None
    seconds: float = 0.0
    status: int = 503
    units: int = 0
    other: str | None = None
    retry_after_s: float | None = None
    until: datetime | None = None
    struck: int = 0
    _dice: random.Random = field(default_factory=random.Random, repr=False)

    def as_json(self) -> dict[str, object]:
        facts = {name: value for name, value in asdict(self).items() if not name.startswith("_")}
        return facts | {"until": self.until.isoformat() if self.until else None}

    def matches(self, skus: Collection[str], topic: str | None, operation: str | None) -> bool:
        return (
            (self.sku is None or self.sku in skus)
            and (self.topic is None or self.topic == topic)
            and (self.operation is None or self.operation == operation)
        )

    def strikes(self) -> bool:
        """Throw the dice and count; only call when it matches."""
        if self.count is not None and self.count <= 0:
            return False
        if self._dice.random() >= self.rate:
            return False
        if self.count is not None:
            self.count -= 1
        self.struck += 1
        return True


class Faults:
    """The faults switched on at one simulator; safe to use from several threads."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._next_id = 1
        self._lock = threading.Lock()

    def set(
        self,
        kind: str,
        *,
        now: datetime,
        rate: float = 1.0,
        count: int | None = None,
        seed: int = 0,
        sku: str | None = None,
        topic: str | None = None,
        operation: str | None = None,
        seconds: float = 0.0,
        status: int = 503,
        units: int = 0,
        other: str | None = None,
        retry_after_s: float | None = None,
    ) -> Fault:
        """Switch a fault on; see `Fault` for the arguments. Raises UnknownFault."""
        if kind not in KINDS:
            raise UnknownFault(f"no fault {kind!r}; known: {', '.join(KINDS)}")
        if not 0 <= rate <= 1 or seconds < 0 or (count is not None and count < 0):
            raise UnknownFault("rate is 0..1; count and seconds are not negative")
        if kind in ("packed", "capped") and units < 1:
            raise UnknownFault(f"{kind} needs units, at least 1")
        if kind == "crossed" and not (sku and other):
            raise UnknownFault("crossed needs sku and other")
        until = now + timedelta(seconds=seconds) if kind == "throttle" and seconds else None
        with self._lock:
            fault = Fault(
                self._next_id,
                kind,
                rate,
                count,
                seed,
                sku,
                topic,
                operation,
                seconds,
                status,
                units,
                other,
                retry_after_s,
                until,
            )
            fault._dice = random.Random(seed)
            self._faults[fault.id] = fault
            self._next_id += 1
            return fault

    def clear(self, kind: str | None = None, fault_id: int | None = None) -> int:
        """Switch off all faults, those of a kind, or one; returns how many."""
        with self._lock:
            gone = [
                fault.id
                for fault in self._faults.values()
                if kind in (None, fault.kind) and fault_id in (None, fault.id)
            ]
            for number in gone:
                del self._faults[number]
            return len(gone)

    def draw(
        self,
        kind: str,
        now: datetime,
        *,
        skus: Collection[str] = (),
        topic: str | None = None,
        operation: str | None = None,
    ) -> Fault | None:
        """The first fault of this kind that matches and strikes now, or None."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults.values():
                if fault.kind != kind or (fault.until is not None and now >= fault.until):
                    continue
                if fault.matches(skus, topic, operation) and fault.strikes():
                    return fault
        return None

    def all(self) -> list[Fault]:
        with self._lock:
            return list(self._faults.values())
