"""Use cases of partner programs: made out of what is available; released by date, by hand or at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, text

from allocation import program_store, programs
from allocation.programs import Ends, Policy, Program, ProgramLine, Step
from ledger import decide, store
from ledger.db import transaction
from ledger.events import AnyFact, Release, Reservation
from ledger.types import Place, State
from reconcile import trail
from workers.flows.booking import book
from workers.flows.edi_programs import SOURCE
from workers.flows.ingest import House, take_turn
from workers.flows.program_watch import calm

#: Events of a program are named by it and a number, within 255 characters beside the names of an order line.
_LONGEST_NAME: Final = 64

_PARTNER = text("SELECT EXISTS (SELECT FROM channel WHERE channel = :partner)")


class Refused(Exception):
    """What a program cannot do; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a line of a new program asks for; exactly one of `units` and `percent`.

    percent     of what is available, or of a receipt (its id, or the document behind it)
    partial     take what is there when that is less
    at_most     (from when, percent of the agreed units) that may stay reserved from then on
    """

    sku: str
    location: str
    units: int | None = None
    percent: Decimal | None = None
    receipt: str | None = None
    partial: bool = False
    at_most: tuple[tuple[datetime, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """A new program, but for its lines."""

    name: str
    partner: str
    policy: Policy
    since: datetime
    until: datetime
    by: str
    why: str
    ends: Ends = Ends.ITSELF


@dataclass(frozen=True, slots=True)
class Freed:
    """What a program let go, by (SKU, location); `ended` when it is done for good."""

    program: str
    units: Mapping[tuple[str, str], int]
    ended: bool


def reserve(
    house: House, agreement: Agreement, asked: Sequence[Asked], *, now: datetime
) -> Program:
    """Make a program and reserve its units, decided under lock: all of it, or nothing.

    raises    Refused; booking.NotBooked
    """
    _check(agreement, asked, now)
    _check_lines(asked)
    with transaction(house.engine) as connection:
        _enter(connection)
        if not connection.execute(_PARTNER, {"partner": agreement.partner}).scalar_one():
            raise Refused(
                f"there is no channel {agreement.partner!r}: add it to the rules (lockstep alloc apply)"
            )
        program = _agreed(connection, agreement, asked, now)
        if not program_store.add(connection, program):
            raise Refused(
                f"there is a program {agreement.name} already: give this one another name"
            )
        facts: list[AnyFact] = []
        for line in program.lines:
            program = replace(program, moves=program.moves + 1)
            facts.append(Reservation(**_said(program, line, agreement.by, agreement.why, now)))
        program_store.keep(connection, [program])
        book(connection, house, facts, now=now)
        detail = {f"{x.sku}@{x.location}": x.agreed for x in program.lines}
        _tell(connection, program, "reserve", agreement.by, agreement.why, now, detail)
    return program


def _enter(connection: Connection) -> None:
    """The turn and the gate that everybody passes who holds balances: before any row is held."""
    take_turn(connection)
    store.enter(connection)


def _check(agreement: Agreement, asked: Sequence[Asked], now: datetime) -> None:
    if not asked:
        raise Refused("a program has at least one SKU")
    if not agreement.name.strip() or len(agreement.name) > _LONGEST_NAME:
        raise Refused(f"a program's name has 1 to {_LONGEST_NAME} characters")
    if not agreement.by.strip() or not agreement.why.strip():
        raise Refused("say who makes the program, and why")
    if agreement.until <= max(agreement.since, now):
        raise Refused("the window must end after it begins, and not in the past")
    if len({(each.sku, each.location) for each in asked}) < len(asked):
        raise Refused("each SKU once at a location")


def _check_lines(asked: Sequence[Asked]) -> None:
    for each in asked:
        if (each.units is None) == (each.percent is None):
            raise Refused(f"{each.sku}: give either units or a percent")
        if each.percent is not None and not 0 < each.percent <= 100:
            raise Refused(f"{each.sku}: a percent is above 0 and at most 100")
        if any(not 0 <= percent <= 100 for _, percent in each.at_most):
            raise Refused(f"{each.sku}: what may stay from a date on is 0 to 100 percent")


def _agreed(
    connection: Connection, agreement: Agreement, asked: Sequence[Asked], now: datetime
) -> Program:
    """The program with its units, as the balances stand; they stay held."""
    places = {each: Place(each.sku, each.location, State.AVAILABLE) for each in asked}
    known = _known(connection, asked)
    held = decide.hold(connection, [places[each] for each in known])
    lines = tuple(_line(connection, each, held[places[each]].units) for each in asked)
    return Program(
        name=agreement.name,
        partner=agreement.partner,
        policy=agreement.policy,
        ends=agreement.ends,
        since=agreement.since,
        until=agreement.until,
        lines=lines,
        made_by=agreement.by,
        made_at=now,
        why=agreement.why,
    )


_SKUS = text("SELECT sku FROM sku WHERE sku = ANY(CAST(:skus AS text[]))")
_PLACES = text(
    "SELECT location FROM location WHERE location <> 'OUTSIDE' AND location = ANY(CAST(:locations AS text[]))"
)


def _known(connection: Connection, asked: Sequence[Asked]) -> Sequence[Asked]:
    skus = set(connection.execute(_SKUS, {"skus": [x.sku for x in asked]}).scalars())
    locations = [x.location for x in asked]
    places = set(connection.execute(_PLACES, {"locations": locations}).scalars())
    for each in asked:
        if each.sku not in skus:
            raise Refused(f"unknown SKU {each.sku!r}: lockstep catalogue add-sku {each.sku}")
        if each.location not in places:
            raise Refused(f"unknown location {each.location!r}: see the rules for those there are")
    return asked


def _line(connection: Connection, asked: Asked, available: int) -> ProgramLine:
    where = f"{asked.sku} at {asked.location}"
    units, note = asked.units or 0, ""
    if asked.percent is not None:
        base, what = available, "available"
        if asked.receipt is not None:
            base = program_store.received(connection, asked.receipt, asked.sku, asked.location)
            what = f"received ({asked.receipt})"
        units = programs.frozen(asked.percent, base)
        note = f"{asked.percent}% of {max(0, base)} {what}"
        if units == 0:
            raise Refused(f"{where}: {note} is no whole unit")
    if units <= 0:
        raise Refused(f"{where}: a program reserves at least one unit")
    if units > available:
        if not asked.partial or available <= 0:
            raise Refused(
                f"{where} has {max(0, available)} available and {units} are asked for: ask for fewer,"
                " or take what is there with --partial"
            )
        note = f"{note or units}, of which {available} were there".lstrip(", ")
        units = available
    steps = tuple(Step(at, units * percent // 100) for at, percent in sorted(asked.at_most))
    return ProgramLine(asked.sku, asked.location, units, note=note, steps=steps)


def _said(
    program: Program,
    line: ProgramLine,
    actor: str,
    why: str,
    now: datetime,
    units: int | None = None,
) -> dict[str, object]:
    return {
        "source": SOURCE,
        "id": f"{program.name}:{program.moves}",
        "occurred_at": now,
        "actor": actor,
        "reference": program.name,
        "reason": why,
        "sku": line.sku,
        "location": line.location,
        "units": line.agreed if units is None else units,
    }


def release(
    house: House, name: str, *, units: int | None = None, by: str, why: str, now: datetime
) -> Freed:
    """Let go of units by hand: so many of a program's only line, or all that is left, which ends the program.

    raises    Refused
    """
    with transaction(house.engine) as connection:
        _enter(connection)
        program = program_store.lock(connection, name)
        if program is None or program.ended_at is not None:
            raise Refused(f"there is no open program {name!r}: see lockstep partner list")
        wanted, ends = {(x.sku, x.location): x.left for x in program.lines}, True
        if units is not None:
            line = program.lines[0]
            if len(program.lines) > 1:
                raise Refused(f"program {name} has {len(wanted)} lines: release all of it")
            if not 0 < units <= line.left:
                raise Refused(
                    f"program {name} has {line.left} units left: release as many or fewer"
                )
            wanted = {(line.sku, line.location): units}
            ends = program.is_over(now) and units == line.left
        return _free(connection, house, program, wanted, ends, by, why, now)


def expire(house: House, *, now: datetime) -> list[Freed]:
    """Release what programs hold beyond their window or their steps, one transaction a program.

    Late or twice is harmless: each program is looked at again under its lock.
    """
    with transaction(house.engine) as connection:
        names = program_store.due(connection, now)
    freed = [_expire(house, name, now) for name in names]
    return [each for each in freed if each is not None]


def _expire(house: House, name: str, now: datetime) -> Freed | None:
    with transaction(house.engine) as connection:
        _enter(connection)
        program = program_store.lock(connection, name)
        if program is None or program.ended_at is not None:
            return None
        wanted = {(x.sku, x.location): programs.surplus(program, x, now) for x in program.lines}
        ends = programs.ends_now(program, now)
        if not ends and not any(wanted.values()):
            return None
        over = f"its window ended {program.until.isoformat()}"
        why = over if program.is_over(now) else "a step of its release rule is due"
        return _free(connection, house, program, wanted, ends, "lockstep", why, now)


def _free(
    connection: Connection,
    house: House,
    program: Program,
    wanted: Mapping[tuple[str, str], int],
    ends: bool,
    by: str,
    why: str,
    now: datetime,
) -> Freed:
    """Release these units by events of the book, as far as it holds them, and give them up in any case."""
    places = [Place(sku, location, State.RESERVED) for sku, location in wanted]
    held = decide.hold(connection, places)
    facts: list[AnyFact] = []
    freed: dict[tuple[str, str], int] = {}
    missing: dict[str, int] = {}
    for (sku, location), units in wanted.items():
        line = program.line(sku, location)
        if line is None or units <= 0:
            continue
        program = program.with_line(replace(line, released=line.released + units))
        # Somebody else may have released them (an event by hand): what is not reserved must not be freed twice.
        there = min(units, max(0, held[Place(sku, location, State.RESERVED)].units))
        if there < units:
            missing[f"{sku}@{location}"] = units - there
        if there:
            program = replace(program, moves=program.moves + 1)
            facts.append(Release(**_said(program, line, by, why, now, there)))
            freed[sku, location] = there
    program_store.keep(connection, [program])
    if ends:
        program_store.end(connection, program.name, now)
        calm(connection, program, now)
    if facts:
        book(connection, house, facts, now=now)
    detail: dict[str, object] = {f"{sku}@{where}": units for (sku, where), units in freed.items()}
    if missing:
        detail["missing"] = missing
    _tell(connection, program, "end" if ends else "release", by, why, now, detail)
    return Freed(program.name, freed, ends)


def _tell(
    connection: Connection,
    program: Program,
    verb: str,
    by: str,
    why: str,
    now: datetime,
    detail: Mapping[str, object],
) -> None:
    trail.record(
        connection,
        actor=by,
        action=f"program.{verb}",
        what=f"program:{program.name}",
        at=now,
        reason=why,
        detail={"partner": program.partner, **detail},
    )
