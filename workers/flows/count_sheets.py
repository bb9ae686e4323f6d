"""A filled sheet: checked whole, booked through inbox and drain as of its minute while selling goes on, and judged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson
from sqlalchemy import Connection

from ledger import inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from reconcile import count_checks
from reconcile.count_checks import Booked, Checked
from reconcile.counting.file import REASONS, Fault, Line, Sheet
from reconcile.counting.tolerance import percent_off, verdict
from reconcile.counting.types import Finding, Terms, Tier, Verdict
from reconcile.trail import record
from workers.flows import counts
from workers.flows.ingest import House, drain

#: Source of counts that were handed in as a sheet.
SOURCE: Final = "count"
#: Beyond that the book refuses what came from no history.
_OLDEST: Final = timedelta(days=399)


class Refused(Exception):
    """Nothing of the sheet was booked; `faults` say what to put right, line by line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} lines are to be put right; nothing was booked")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Found:
    """What one line came to.

    book       units the book said at its minute;  percent  of the book, which counts as one unit at least
    recount    the place is to be counted again
    state      of its delivery; the figures are None unless it is `applied`
    """

    line: int
    sku: str
    location: str
    at: datetime | None
    counted: int
    book: int | None
    variance: int | None
    percent: float | None
    tier: str | None
    verdict: str | None
    reason: str
    recount: bool
    state: str
    error: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """A sheet that is in the book.

    sheet      its name: the same file is the same sheet
    repeated   it was there already, and nothing was booked now
    blank      lines that were not counted
    raised     alarms that are new
    """

    sheet: str
    repeated: bool
    blank: int
    lines: tuple[Found, ...]
    raised: tuple[Finding, ...]

    def number(self, verdict: Verdict) -> int:
        """Lines of this verdict."""
        return sum(line.verdict == verdict for line in self.lines)


def name_of(content: bytes, at: datetime | None) -> str:
    """The name of a sheet: the same content is the same count, unless another time is given."""
    said = b"" if at is None else at.isoformat().encode()
    return hashlib.sha256(content + b"\0" + said).hexdigest()[:20]


def submit(
    house: House,
    sheet: Sheet,
    *,
    name: str,
    at: datetime | None,
    by: str,
    terms: Terms,
    now: Callable[[], datetime],
    reason: str = "",
) -> Submitted:
    """Book a sheet.

    name      `name_of` the file
    at        when it was counted, unless its lines say so; None: now
    reason    code for lines out of tolerance that give none
    raises    Refused when any line cannot be taken: then none is
    """
    if sheet.faults:
        raise Refused(sheet.faults)
    begun = now()
    minutes = {line.number: line.at or at or begun for line in sheet.lines}
    ids = {line.number: f"{name}:{line.number}" for line in sheet.lines}
    with transaction(house.engine) as connection:
        repeated = bool(count_checks.known(connection, SOURCE, list(ids.values())))
        if not repeated:
            facts = _facts(connection, sheet, minutes, terms, begun, reason)
            deliveries = [
                Delivery(
                    SOURCE,
                    ids[number],
                    FACT_TOPIC,
                    orjson.dumps(
                        fact | {"source": SOURCE, "id": ids[number], "actor": by, "reference": name}
                    ),
                )
                for number, fact in facts.items()
            ]
            inbox.keep(connection, deliveries, now=begun)
            detail = {"lines": len(deliveries), "blank": sheet.blank}
            what = f"sheet:{name}"
            record(connection, actor=by, action="count.submit", what=what, at=begun, detail=detail)
    drain(house, now=now())
    raised = counts.look(house.engine, terms, now=now())
    with transaction(house.engine) as connection:
        booked = count_checks.booked(connection, SOURCE, list(ids.values()))
    lines = tuple(_found(*pair, terms) for pair in zip(sheet.lines, booked, strict=True))
    return Submitted(name, repeated, sheet.blank, lines, tuple(raised))


def _facts(
    connection: Connection,
    sheet: Sheet,
    minutes: Mapping[int, datetime],
    terms: Terms,
    now: datetime,
    reason: str,
) -> dict[int, dict[str, object]]:
    given = [(line.number, line.sku, line.location, minutes[line.number]) for line in sheet.lines]
    checked = count_checks.check(connection, given)
    faults: list[Fault] = []
    facts: dict[int, dict[str, object]] = {}
    for line in sheet.lines:
        at, known = minutes[line.number], checked[line.number]
        off = verdict(line.counted - known.position, known.position, known.tier, terms)
        code = line.reason or ("" if off is Verdict.WITHIN else reason)
        faults.extend(Fault(line.number, what) for what in _wrong(line, known, off, code, at, now))
        facts[line.number] = _fact(line, known.tier, code, at)
    if faults:
        raise Refused(faults)
    return facts


def _wrong(
    line: Line, known: Checked, off: Verdict, code: str, at: datetime, now: datetime
) -> Iterator[str]:
    if not known.sku_known:
        yield (
            f"unknown SKU {line.sku!r}: correct it, or add it (lockstep catalogue add-sku {line.sku})"
        )
    elif known.bundled:
        yield f"{line.sku} is a bundle and has no stock of its own: count its parts"
    if known.kind is None:
        yield (
            f"unknown location {line.location!r}: correct it, or add it"
            f" (lockstep catalogue add-location {line.location})"
        )
    elif known.kind not in ("warehouse", "store"):
        yield f"{line.location} is a {known.kind} location: nobody here can count what is there"
    if at > now:
        yield f"counted at {at.isoformat()}, which is to come: correct the time"
    elif at < now - _OLDEST:
        yield f"counted at {at.isoformat()}, too long ago to correct the book: count again"
    if known.sku_known and known.kind is not None and off is not Verdict.WITHIN and not code:
        yield (
            f"{line.sku} at {line.location}: counted {line.counted}, the book had {known.position}"
            f" ({percent_off(line.counted - known.position, known.position):+.1f} %, tier {known.tier}):"
            f" give a reason ({', '.join(REASONS)}) in its column, or --reason for all"
        )


def _fact(line: Line, tier: Tier, code: str, at: datetime) -> dict[str, object]:
    fact: dict[str, object] = {
        "kind": "count",
        "occurred_at": at.isoformat(),
        "sku": line.sku,
        "location": line.location,
        "counted": line.counted,
        "reason": line.note,
        "tier": tier,
    }
    return fact | {"reason_code": code} if code else fact


def _found(line: Line, booked: Booked, terms: Terms) -> Found:
    variance = off = percent = None
    if booked.position is not None and booked.counted is not None and booked.tier is not None:
        variance = booked.counted - booked.position
        off = verdict(variance, booked.position, Tier(booked.tier), terms)
        percent = percent_off(variance, booked.position)
    return Found(
        line=line.number,
        sku=line.sku,
        location=line.location,
        at=booked.at,
        counted=line.counted,
        book=booked.position,
        variance=variance,
        percent=percent,
        tier=booked.tier,
        verdict=off,
        reason=booked.reason or "",
        recount=booked.recount,
        state=booked.state,
        error=booked.error,
    )
