"""A grocer with programs: made, ordered from, and seen as (reserved, committed, available)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from allocation import program_store
from allocation.programs import Policy, Program
from ledger.db import transaction
from tests.builders import balance
from tests.workers.edi_rig import PARTNER, Grocer
from workers.flows import programs
from workers.flows.programs import Agreement, Asked


def agreement(grocer: Grocer, name: str = "SPRING", days: float = 90, **said: Any) -> Agreement:
    """A program of the grocer's from now on, with a cap."""
    made = Agreement(
        name=name,
        partner=PARTNER,
        policy=Policy.CAP,
        since=grocer.clock.now,
        until=grocer.clock.now + timedelta(days=days),
        by="ann",
        why="agreed for spring",
    )
    return replace(made, **said)


def reserve(grocer: Grocer, units: int = 400, name: str = "SPRING", **said: Any) -> Program:
    """Reserve MUG at the warehouse."""
    asked = [Asked("MUG", "WH", units)]
    return programs.reserve(
        grocer.house, agreement(grocer, name, **said), asked, now=grocer.clock.now
    )


def standing(grocer: Grocer, name: str = "SPRING") -> tuple[int, int, int]:
    """(used, released, left) of a program's first line."""
    with transaction(grocer.engine) as connection:
        (program,) = program_store.programs(connection, name=name, also_ended=True)
    line = program.lines[0]
    return line.used, line.released, line.left


def held(grocer: Grocer, sku: str = "MUG") -> tuple[int, int, int]:
    """(available, committed, reserved) by the book."""
    found = balance(grocer.engine, sku, "WH")
    return found.get("available", 0), found.get("committed", 0), found.get("reserved", 0)


def days(grocer: Grocer, count: float) -> datetime:
    """Let days go by."""
    return grocer.clock.advance(count * 86_400)


def booked(grocer: Grocer, name: str = "SPRING") -> int:
    """What the book's own events of a program come to: reserved less released."""
    ((units,),) = grocer.rows(
        "SELECT coalesce(sum(CASE e.kind WHEN 'reservation' THEN p.units ELSE -p.units END), 0)"
        " FROM event AS e JOIN posting AS p ON p.event_id = e.id"
        " WHERE e.source = 'program' AND e.reference = :name",
        name=name,
    )
    return int(units)
