"""Which failed work may be done again, and how: the mind of `failed retry`. What is unsafe is refused with its reason.

Nothing is ever replayed as it was: a number is computed anew, a delivery goes through the drain, a document gets new
control numbers, what the clock asks for is asked for anew, a task is rung and reads the present.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from workers.failures.types import Alike, Row

#: Tasks whose arguments are names, so that ringing them is harmless at any time.
RINGABLE: Final = frozenset(
    {
        *(
            f"workers.tasks.{name}"
            for name in (
                "drain", "allocate", "push", "verify", "ask_receipts", "exchange", "work_orders", "work_programs",
                "work_promises", "work_halts", "poll_orders", "watch_channel", "read_truth", "mirror", "open_windows",
                "reconcile", "sweep", "measure", "seal",
            )
        ),
        "workers.alert_tasks.watch_alerts",
        "workers.alert_tasks.send_alerts",
        "workers.case_tasks.look_at_cases",
        "workers.case_tasks.act_on_cases",
        "workers.case_tasks.hold_orders",
        "workers.read_tasks.look_early",
        "workers.read_tasks.read_early",
        "workers.hook_tasks.send_hooks",
        "workers.forecast_tasks.look_at_forecast",
        "workers.forecast_tasks.run_forecast",
        "workers.retention_tasks.forget",
        "workers.failed_tasks.look_at_failed",
        "workers.failed_tasks.work_operations",
    }
)  # fmt: skip

_FILE: Final = (
    "a file that could not be taken: the partner must send it again, whole and under a new number"
)
_TOLD: Final = (
    "the 997 told the partner that it is refused: the partner must correct it and send it anew"
)
_SAYS_NO: Final = "the partner refused this very content: correct it, and send a new document"
_OLD: Final = "an 846 says numbers that are old by now: the next push says what is there, nothing is to be done"
_CARRIES: Final = "this task carried more than names: its sender must send it again"


def refusal(alike: Alike) -> str:
    """Why failures like these must not be done again, "" when they may."""
    match alike:
        case Alike(origin="edi", prefix="file"):
            return _FILE
        case Alike(origin="edi", direction="out", edi_set="846"):
            return _OLD
        case Alike(origin="edi", direction="in", edi_state="rejected"):
            return _TOLD
        case Alike(origin="edi", direction="out", edi_state="rejected"):
            return _SAYS_NO
        case Alike(origin="task", task=task) if task not in RINGABLE:
            return _CARRIES
        case _:
            return ""


def alike(row: Row) -> Alike:
    """What decides whether a failure may be done again."""
    of: Mapping[str, Any] = row.payload if row.origin == "edi" else {}
    prefix, colon, _ = row.object.partition(":")
    return Alike(
        row.origin,
        row.task if row.origin == "task" else "",
        prefix if colon and row.origin == "edi" else "",
        str(of.get("direction", "")),
        str(of.get("state", "")),
        str(of.get("set", "")),
    )
