"""Time to sync, measured: from a webhook at the relay's door until the other shop shows the number that follows.

Everything runs as the local stack runs it: relay, two workers, beat, PostgreSQL, Valkey, both shops played by one
process, on the wall's clock. Webhooks come at their moments whether or not earlier ones were answered; what one waits
for a connection counts in `due_to_shown`.
"""

from __future__ import annotations

import asyncio
import os
import platform
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from sqlalchemy import text

from console.bench.hooks import Heard, hooks, post_all
from console.bench.sync_house import PLACE, SHOWS, SOLD, House, opened
from console.demo.sync import spread
from ledger.db import transaction
from workers.settings import Settings

GOAL_P50_MS: Final = 150.0
GOAL_P99_MS: Final = 1000.0
_CONNECTIONS: Final = 64
#: What has not settled so long after a phase never will.
_SETTLE_S: Final = 600.0
_FIRST_ORDER: Final = 7_000_000_000

# The target that knew of an order is the first one computed from that version of the balance, or a later one. Where the
# shop that was sold in got its own before the other did, the other's was computed with it and had not changed; where
# the other showed no more than that already (a rise was still waiting), there was nothing to lower.
_WAYS = text("""
    SELECT e.order_id::bigint AS order_number, i.received_at, h.set_at, p.sent_at, p.answered_at, g.sku
    FROM event e
    JOIN posting g ON g.event_id = e.id AND g.from_state = 'available'
    JOIN inbox i ON i.source = e.source AND i.delivery_id = 'bench-' || e.order_id
    LEFT JOIN LATERAL (
        SELECT number, set_at, units FROM target_history t
        WHERE t.sku = g.sku AND t.channel = :shows AND t.location = :place
          AND (t.terms -> 'stock' -> 0 ->> 3)::bigint >= g.from_version
        ORDER BY t.number LIMIT 1) AS later ON true
    LEFT JOIN LATERAL (
        SELECT set_at FROM target_history t
        WHERE t.sku = g.sku AND t.channel = :sold AND t.location = :place
          AND (t.terms -> 'stock' -> 0 ->> 3)::bigint >= g.from_version
        ORDER BY t.number LIMIT 1) AS own ON true
    LEFT JOIN LATERAL (
        SELECT units FROM push
        WHERE push.channel = :shows AND push.sku = g.sku AND push.location = :place
          AND push.number < later.number AND push.outcome = 'confirmed'
        ORDER BY push.id DESC LIMIT 1) AS before ON true
    LEFT JOIN LATERAL (
        SELECT later.number, later.set_at
        WHERE (own.set_at IS NULL OR later.set_at <= own.set_at) AND before.units > later.units) AS h ON true
    LEFT JOIN LATERAL (
        SELECT sent_at, answered_at FROM push
        WHERE push.channel = :shows AND push.sku = g.sku AND push.location = :place
          AND push.number >= h.number AND push.outcome = 'confirmed'
        ORDER BY push.id LIMIT 1) AS p ON true
    WHERE e.source = :sold AND e.order_id::bigint BETWEEN :first AND :last
    ORDER BY 1
""")


@dataclass(frozen=True, slots=True)
class Phase:
    """Webhooks at a rate; `per_s` below 2 is idle: each finds everything at rest."""

    name: str
    per_s: float
    seconds: float

    def moments(self, dice: Random) -> list[float]:
        """Seconds from the start: evenly, each a little early or late."""
        count = round(self.per_s * self.seconds)
        return sorted((n + dice.random()) / self.per_s for n in range(count))


#: The measurement proper.
PHASES: Final = (
    Phase("idle", 1, 40),
    Phase("20/s", 20, 20),
    Phase("200/s", 200, 20),
    Phase("spike 1000/s", 1000, 30),
)


@dataclass(frozen=True, slots=True)
class _Way:
    """One order's moments, in seconds since 1970; None where it never came so far."""

    order: int
    received: float
    computed: float | None
    sent: float | None
    shown: float | None


def measure(
    settings: Settings,
    home: Path,
    *,
    phases: Sequence[Phase] = PHASES,
    skus: int = 50,
    seed: int = 0,
    durable: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Every phase after the other in one house; each begins when everything has settled.

    home    a folder of its own, for the servers
    """
    dice = Random(seed)
    result: dict[str, Any] = {"skus": skus, "seed": seed, "phases": {}}
    with opened(settings, home, skus=skus, durable=durable) as house:
        first = _FIRST_ORDER
        # A SKU that has just begun to sell changes its buffers: that is no part of the way.
        _phase(house, Phase("warm", 20, 3 * skus / 20), first, dice)
        for phase in phases:
            first += 1_000_000
            say(f"{phase.name}: {phase.per_s:g} webhooks/s for {phase.seconds:g} s")
            result["phases"][phase.name] = _phase(house, phase, first, dice)
            rows(phase.name, result["phases"][phase.name], say)
        result["durability"] = _server(house)
    result["machine"] = {"cores": os.cpu_count(), "python": platform.python_version()}
    result["goals"] = {"idle_p50_ms": GOAL_P50_MS, "idle_p99_ms": GOAL_P99_MS}
    result["passed"] = _passed(result["phases"])
    return result


def _passed(phases: Mapping[str, Mapping[str, Any]]) -> bool:
    """Idle within its goals, and everything accepted was shown in every phase."""
    idle = phases.get("idle")
    if idle is None or idle["received_to_shown"]["n"] == 0:
        return False
    return (
        idle["received_to_shown"]["p50"] < GOAL_P50_MS
        and idle["received_to_shown"]["p99"] < GOAL_P99_MS
        and all(
            each["never_shown"] == 0 and each["settled_s"] is not None for each in phases.values()
        )
    )


def _phase(house: House, phase: Phase, first: int, dice: Random) -> dict[str, Any]:
    played = house.stack.simulators[SOLD]
    posts = hooks(
        house.template,
        house.listings,
        phase.moments(dice),
        first=first,
        secret=played.webhook_secret,
        shop=played.account,
    )
    heard = asyncio.run(post_all(house.stack.settings.relay_port, posts, connections=_CONNECTIONS))
    settled_s = house.settle(_SETTLE_S)
    return _report(heard, _ways(house, first, first + len(posts)), settled_s)


def _report(
    heard: Sequence[Heard], ways: Sequence[_Way], settled_s: float | None
) -> dict[str, Any]:
    due = {one.order: one for one in heard}
    accepted = [one for one in heard if one.status == 200]
    took_s = max(one.at for one in heard) - min(one.due for one in heard)

    def ms(take: Callable[[_Way], tuple[float | None, float | None]]) -> dict[str, Any]:
        pairs = [take(way) for way in ways]
        known = [1000 * (b - a) for a, b in pairs if a is not None and b is not None]
        return spread(known).as_json()

    # Where the buffer fell by what was sold, the other shop showed no more than the right number all the time.
    nothing = sum(way.computed is None for way in ways) if settled_s is not None else 0
    return {
        "posted": len(heard),
        "refused": len(heard) - len(accepted),
        "accepted_per_s": round(len(accepted) / max(took_s, 1e-9), 1),
        "nothing_to_show": nothing,
        "never_shown": len(accepted) - nothing - sum(way.shown is not None for way in ways),
        "settled_s": None if settled_s is None else round(settled_s, 2),
        "due_to_answered": spread([1000 * (one.at - one.due) for one in heard]).as_json(),
        "received_to_computed": ms(lambda way: (way.received, way.computed)),
        "computed_to_sent": ms(lambda way: (way.computed, way.sent)),
        "sent_to_shown": ms(lambda way: (way.sent, way.shown)),
        "received_to_shown": ms(lambda way: (way.received, way.shown)),
        "due_to_shown": ms(lambda way: (due[way.order].due, way.shown)),
    }


def _ways(house: House, first: int, last: int) -> list[_Way]:
    """What became of each order, by the book, the pushes and the other shop's own log."""
    written: dict[str, list[float]] = defaultdict(list)
    for entry in house.shops[SHOWS].events().get("stock", []):
        if "available" in entry and not entry.get("swallowed"):
            written[entry["sku"]].append(entry["at"].timestamp())
    values = {"sold": SOLD, "shows": SHOWS, "place": PLACE, "first": first, "last": last}
    with transaction(house.wiring.engine) as connection:
        found = connection.execute(_WAYS, values).all()
    return [
        _Way(
            row.order_number,
            row.received_at.timestamp(),
            _seconds(row.set_at),
            _seconds(row.sent_at),
            _shown(written[row.sku], row.sent_at, row.answered_at),
        )
        for row in found
    ]


def _shown(
    written: Sequence[float], sent_at: datetime | None, answered_at: datetime | None
) -> float | None:
    """When the shop's log has the number; when it confirmed it, where the log does not reach back."""
    if sent_at is None or answered_at is None:
        return None
    place = bisect_left(written, sent_at.timestamp())
    in_log = written[place] if place < len(written) else None
    until = answered_at.timestamp()
    return in_log if in_log is not None and in_log <= until else until


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _server(house: House) -> dict[str, str]:
    names = ("fsync", "synchronous_commit", "server_version")
    with transaction(house.wiring.engine) as connection:
        said = {n: str(connection.execute(text(f"SHOW {n}")).scalar_one()) for n in names}
    return said | {"redis": str(house.wiring.redis.info("server")["redis_version"])}


def rows(name: str, phase: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """A phase for people."""
    say(
        f"{name}: {phase['posted']} posted, {phase['accepted_per_s']} accepted/s, {phase['refused']} refused,"
        f" {phase['never_shown']} never shown, settled {phase['settled_s']} s after the last answer"
    )
    for hop, said in phase.items():
        if isinstance(said, dict):
            say(
                f"  {hop.replace('_', ' '):<20} p50 {said['p50']:>8.1f}  p95 {said['p95']:>8.1f}"
                f"  p99 {said['p99']:>8.1f}  max {said['max']:>8.1f} ms"
            )


def table(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """The result for people."""
    for name, phase in result["phases"].items():
        rows(name, phase, say)
    said = result["durability"]
    say(
        f"PostgreSQL {said['server_version']}, fsync {said['fsync']}, synchronous_commit {said['synchronous_commit']},"
        f" Redis {said['redis']}, {result['machine']['cores']} cores, Python {result['machine']['python']}"
    )
