"""Programs of partners, as they are said in JSON."""

from __future__ import annotations

from allocation.programs import Burn


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
