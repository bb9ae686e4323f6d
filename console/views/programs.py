"""Programs of partners, as they are said in JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from allocation import program_store
from allocation.programs import Burn, Program
from console.access.types import Unknown
from workers.flows import program_watch


def program(connection: Connection, name: str) -> Program:
    """A program by its name. Raises Unknown."""
    found = program_store.programs(connection, name=name, also_ended=True)
    if not found:
        raise Unknown(f"there is no program {name!r}: see lockstep partner list --all")
    return found[0]


def in_full(connection: Connection, name: str) -> dict[str, Any]:
    """What was agreed, by whom and why; of each line also what is left. Raises Unknown."""
    found = program(connection, name)
    lines = [asdict(each) | {"left": each.left} for each in found.lines]
    return asdict(found) | {"lines": lines}


def burn(connection: Connection, name: str, now: datetime) -> list[dict[str, object]]:
    """How a program is used up, line by line. Raises Unknown."""
    known = [program(connection, name)]
    return [burn_row(each) for each in program_watch.burns(connection, known, now)]


def burning(
    connection: Connection, partner: str | None, now: datetime, *, also_ended: bool
) -> list[dict[str, object]]:
    """Programs and how they are used up."""
    known = program_store.programs(connection, partner=partner, also_ended=also_ended)
    return [burn_row(each) for each in program_watch.burns(connection, known, now)]


def burn_row(burn: Burn) -> dict[str, object]:
    """How a program is used up, with its numbers as people read them."""
    names = [name for name in Burn.__dataclass_fields__ if name != "others_per_day"]
    row = {name: getattr(burn, name) for name in names}
    row |= {name: round(row[name], 2) for name in ("days", "window_days", "pace_per_day")}
    row |= {name: round(row[name], 1) for name in ("projected", "overrun")}
    row["others_per_week"] = round(7 * burn.others_per_day, 1)
    for name in ("cover_weeks", "cover_weeks_after"):
        weeks = getattr(burn, name)
        row[name] = None if weeks is None else round(weeks, 1)
    return row
