"""What must be true when a fault is over and its time to settle has passed: the same for every fault."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from console.faults.house import House
from console.faults.load import Diary
from ledger.verify import verify

#: Within so long after a fault, everything is as it should be. Seconds.
SETTLES_S: Final = 60.0
_RESEND: Final = 200
_SHOWN: Final = 5

_KEPT: Final = """
    SELECT delivery_id, state FROM inbox WHERE source = :source AND delivery_id = ANY(CAST(:ids AS text[]))
"""
_BOOKED_TWICE: Final = """
    SELECT i.source || ' ' || i.delivery_id AS what, count(*) FROM event AS e JOIN inbox AS i ON i.id = e.inbox_id
    WHERE e.source = 'wms' GROUP BY 1 HAVING count(*) > 1
"""

# A number may have become what the shop shows while it waited: then the call says so itself, and is no repeat.
_SAID_SO: Final = """
    SELECT channel, sku, units, count(*) FROM push
    WHERE expected = units AND sent_at >= CAST(:since AS timestamptz) - interval '1 minute' GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a fault ended.

    accepted    deliveries (facts and webhooks) that were answered with 2xx while it was on
    applied     those of them that are in the book
    lost        accepted ones that are not in the inbox, or are never applied
    doubled     facts booked twice, numbers that a shop was set to twice
    settle_s    from the fault's end until everything was as it should be; None when it was not in time
    breaches    what does not hold, in words
    """

    accepted: int
    applied: int
    lost: int
    doubled: int
    settle_s: float | None
    breaches: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.settle_s is not None and not self.breaches

    def as_json(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "applied": self.applied,
            "lost": self.lost,
            "doubled": self.doubled,
            "settle_s": None if self.settle_s is None else round(self.settle_s, 1),
            "breaches": list(self.breaches),
            "passed": self.passed,
        }


def judge(
    house: House,
    diary: Diary,
    opening: Counter[tuple[str, str]],
    since: datetime,
    *,
    limit_s: float = SETTLES_S,
) -> Verdict:
    """Let everything settle and look.

    diary      of what was done meanwhile
    opening    what the book said before
    since      when it began
    """
    begun_s = time.monotonic()
    accepted = {"wms": diary.accepted, **_webhooks(house, diary.since or since)}
    # Before the sender comes again: a repeat would bring back what was lost.
    lost = [f"{source} {key}" for source, key in _not_kept(house, accepted)]
    breaches = [f"accepted and not in the inbox: {what}" for what in lost]
    _send_again(house, diary)
    expected = diary.expects(opening)
    settle_s = _settled(house, expected, begun_s, limit_s)
    if settle_s is None:
        breaches += _unsettled(house, expected, limit_s)
    applied, stuck = _applied(house, accepted)
    breaches += [f"accepted and not applied: {what}" for what in stuck]
    doubled = [f"{row.what}: {row.count} times" for row in house.rows(_BOOKED_TWICE)]
    doubled += _written_twice(house, since)
    breaches += [f"done twice: {what}" for what in doubled]
    breaches += [
        f"ledger verify: {f.check} {f.row} {f.says}" for f in verify(house.wiring.engine).findings
    ]
    total = sum(len(ids) for ids in accepted.values())
    return Verdict(total, applied, len(lost) + len(stuck), len(doubled), settle_s, _first(breaches))


def _webhooks(house: House, since: datetime) -> dict[str, list[str]]:
    """Ids of deliveries of each shop that we answered with 2xx, by the shop's own log."""
    return {
        name: sorted(
            {
                entry["delivery_id"]
                for entry in shop.events().get("webhook", [])
                if entry["at"] >= since and 200 <= entry["status"] < 300
            }
        )
        for name, shop in house.shops.items()
    }


def _written_twice(house: House, since: datetime) -> list[str]:
    """Writes that a shop took and that changed nothing, by its own log: it had been told before."""
    said_so = Counter(
        {(row.channel, row.sku, row.units): row.count for row in house.rows(_SAID_SO, since=since)}
    )
    empty = Counter(
        (name, entry["sku"], int(entry["available"]))
        for name, shop in house.shops.items()
        for entry in shop.events().get("stock", [])
        if entry["at"] >= since and "available" in entry and not any(entry["deltas"].values())
    )
    return [
        f"{name} {sku} was set to {units} where it was so already"
        for name, sku, units in (empty - said_so).elements()
    ]


def _not_kept(house: House, accepted: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    for source, ids in accepted.items():
        kept = {row.delivery_id for row in house.rows(_KEPT, source=source, ids=list(ids))}
        yield from ((source, key) for key in ids if key not in kept)


def _applied(house: House, accepted: Mapping[str, Sequence[str]]) -> tuple[int, list[str]]:
    """How many are in the book, and which are kept and are not."""
    applied, stuck = 0, []
    for source, ids in accepted.items():
        for row in house.rows(_KEPT, source=source, ids=list(ids)):
            if row.state == "applied":
                applied += 1
            else:
                stuck.append(f"{source} {row.delivery_id} is {row.state}")
    return applied, stuck


def _send_again(house: House, diary: Diary) -> None:
    """What was not answered comes again until it is, as a sender's queue does."""
    left = list(diary.refused)
    for _ in range(50):
        if not left:
            break
        if house.post(left[:_RESEND]) == 200:
            del left[:_RESEND]
        else:
            time.sleep(0.5)


def _settled(
    house: House, expected: Mapping[tuple[str, str], int], begun_s: float, limit_s: float
) -> float | None:
    while True:
        if house.book() == expected and not house.waits() and not house.wrong():
            return time.monotonic() - begun_s
        if time.monotonic() - begun_s > limit_s:
            return None
        time.sleep(0.2)


def _unsettled(house: House, expected: Mapping[tuple[str, str], int], limit_s: float) -> list[str]:
    book = house.book()
    said = [f"{house.waits()} rows wait"] if house.waits() else []
    said += [
        f"{' '.join(place)}: {book.get(place, 0)} in the book, {expected.get(place, 0)} by the diary"
        for place in sorted({*book, *expected})
        if book.get(place, 0) != expected.get(place, 0)
    ]
    said += house.wrong()
    return [f"not settled within {limit_s:g} s: {what}" for what in said]


def _first(breaches: Sequence[str]) -> tuple[str, ...]:
    more = len(breaches) - 4 * _SHOWN
    return (*breaches[: 4 * _SHOWN], *([f"and {more} more"] if more > 0 else []))
