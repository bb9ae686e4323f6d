"""Words of the export: the sheets there are, their columns, and how each is cut into files that never change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["integer", "number", "money", "text", "moment", "day", "flag"]


class Cut(StrEnum):
    """How a sheet is cut into files.

    SEQ    by ranges of the order of writing: a range that nobody can write into any more
    DAY    by whole days (UTC) that are over
    NOW    as it stands, once a day
    """

    SEQ = "seq"
    DAY = "day"
    NOW = "now"


class Form(StrEnum):
    """What files are written as; its value ends their names."""

    CSV = "csv.gz"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of the feed as it is exported.

    rows      what is read, of a view or function of the schema `feed`: `{columns}` is filled in; parameters are `after`
              and `upto` (SEQ: above and up to this number), `day` (DAY), none (NOW)
    columns   name -> kind, in order; a sheet taken as it stands has `taken_at` before them
    units     the column that is added up to prove the file
    """

    name: str
    cut: Cut
    rows: str
    columns: dict[str, Kind]
    units: str


_EVENTS: Final = Sheet(
    "events",
    Cut.SEQ,
    "SELECT {columns} FROM feed.event_v1 WHERE seq > %(after)s AND seq <= %(upto)s ORDER BY seq, line",
    {
        "seq": "integer", "event_id": "text", "kind": "text", "source": "text", "source_id": "text",
        "occurred_at": "moment", "recorded_at": "moment", "channel": "text", "order_id": "text", "line_id": "text",
        "reference": "text", "reason": "text", "reverses": "text", "line": "integer", "sku": "text", "units": "integer",
        "from_location": "text", "from_state": "text", "to_location": "text", "to_state": "text",
    },
    "units",
)  # fmt: skip

_BALANCES: Final = Sheet(
    "balances",
    Cut.DAY,
    "SELECT {columns} FROM feed.balance_days_v1(%(day)s, %(day)s) ORDER BY sku, location, state",
    {
        "day": "day", "sku": "text", "location": "text", "state": "text", "units": "integer", "version": "integer",
    },
    "units",
)  # fmt: skip

_SHOWN: Final = Sheet(
    "shown",
    Cut.NOW,
    "SELECT {columns} FROM feed.shown_v1 ORDER BY channel, sku, location",
    {
        "channel": "text", "sku": "text", "location": "text", "target_units": "integer", "target_set_at": "moment",
        "rule_version": "integer", "told_units": "integer", "told_at": "moment", "read_units": "integer",
        "read_at": "moment", "halted": "flag",
    },
    "target_units",
)  # fmt: skip


def _in_day(*moments: str) -> str:
    """Whether any of these lies in the day."""
    return " OR ".join(
        f"({each} >= %(day)s::timestamp AT TIME ZONE 'UTC'"
        f" AND {each} < (%(day)s + 1)::timestamp AT TIME ZONE 'UTC')"
        for each in moments
    )


_DRIFT: Final = Sheet(
    "drift",
    Cut.DAY,
    "SELECT {columns} FROM feed.drift_v1 WHERE " + _in_day("seen_at", "resolved_at") + " ORDER BY drift_id",  # noqa: S608 -- composed of constants
    {
        "drift_id": "integer", "channel": "text", "sku": "text", "location": "text", "window_at": "moment",
        "expected": "integer", "actual": "integer", "drift_units": "integer", "cause": "text", "action": "text",
        "times": "integer", "seen_at": "moment", "last_at": "moment", "resolved_at": "moment", "result": "text",
    },
    "drift_units",
)  # fmt: skip

_OVERSELL: Final = Sheet(
    "oversell",
    Cut.DAY,
    "SELECT {columns} FROM feed.oversell_v1 WHERE " + _in_day("found_at", "closed_at") + " ORDER BY case_id",  # noqa: S608 -- composed of constants
    {
        "case_id": "integer", "channel": "text", "order_id": "text", "line_id": "text", "sku": "text",
        "location": "text", "units": "integer", "accepted_at": "moment", "found_at": "moment", "cause": "text",
        "worth": "money", "state": "text", "response": "text", "cost": "money", "covered_at": "moment",
        "closed_at": "moment", "result": "text", "times": "integer",
    },
    "units",
)  # fmt: skip

_VELOCITY: Final = Sheet(
    "velocity",
    Cut.NOW,
    "SELECT {columns} FROM feed.velocity_v1 ORDER BY sku, channel, location",
    {
        "sku": "text", "channel": "text", "location": "text", "slow_per_day": "number", "fast_per_day": "number",
        "first_sold_at": "moment",
    },
    "",
)  # fmt: skip

_FORECAST: Final = Sheet(
    "forecast",
    Cut.NOW,
    "SELECT {columns} FROM feed.forecast_v1 ORDER BY sku, location",
    {
        "run_id": "integer", "until_day": "day", "sku": "text", "location": "text", "kind": "text", "model": "text",
        "folds": "integer", "horizon_days": "number", "per_day": "number", "sd_per_day": "number", "units": "number",
        "quantiles": "text",
    },
    "",
)  # fmt: skip

_REORDER: Final = Sheet(
    "reorder",
    Cut.NOW,
    "SELECT {columns} FROM feed.reorder_v1 ORDER BY sku, location",
    {
        "run_id": "integer", "sku": "text", "location": "text", "supplier": "text", "available": "integer",
        "reorder_point": "integer", "order_up_to": "integer", "pack": "integer", "minimum": "integer",
        "service": "number", "review_days": "number", "lead_days": "number", "lead_sd_days": "number",
        "per_day": "number", "lost_per_hour": "number", "tier": "text", "low_since": "moment",
    },
    "available",
)  # fmt: skip

#: In the order in which they are exported.
SHEETS: Final = {
    sheet.name: sheet
    for sheet in (_EVENTS, _BALANCES, _DRIFT, _OVERSELL, _SHOWN, _VELOCITY, _FORECAST, _REORDER)
}

#: When a sheet that is taken as it stands was taken: the moment of its transaction.
TAKEN: Final = "taken_at"


def columns_of(sheet: Sheet) -> dict[str, Kind]:
    """Name -> kind of what a file holds."""
    taken: dict[str, Kind] = {TAKEN: "moment"} if sheet.cut is Cut.NOW else {}
    return taken | sheet.columns
