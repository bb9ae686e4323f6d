"""A day of the demo on which everything went as it should, small enough to be read; tests spoil a part of it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from console.demo import goods
from console.demo.evidence import Crash, Evidence, Halted, LaneNotes, McfOrder, Notes
from console.demo.shop import Placed, View
from console.demo.vendors import LaneView

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GID = {"shopify": "gid://1", "outlet": "gid://2"}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_level(
    sku: str, available: int, committed: int = 0, policy: str = "CONTINUE"
) -> dict[str, Any]:
    return {"sku": sku, "available": available, "committed": committed, "policy": policy}


def a_write(
    seq: int, sku: str, seconds: float, available: int, *, swallowed: bool
) -> dict[str, Any]:
    return {
        "seq": seq, "sku": sku, "at": at(seconds), "available": available, "swallowed": swallowed,
    }  # fmt: skip


def a_halt(sku: str) -> Halted:
    return Halted(
        "shopify",
        sku,
        before=a_level(sku, 10),
        during=a_level(sku, 0, policy="DENY"),
        after=a_level(sku, 10),
    )


def a_drift(shop: str, sku: str, cause: str, window_at: datetime | None) -> dict[str, Any]:
    return {
        "channel": shop, "sku": sku, "cause": cause, "window_at": window_at, "expected": 10,
        "actual": 12, "resolved_at": at(80),
    }  # fmt: skip


def a_good_day() -> Evidence:
    """The day as it is handed to the checks."""
    return Evidence(
        notes=_notes(),
        views=_views(),
        vendor_ids={"shopify": {"gid://1": "WH"}, "outlet": {"gid://2": "WH"}},
        diary={"A": 10},
        tables=_tables(),
        findings=[],
        lanes=_lanes(),
        restarts={"worker-prefork": 1, "relay": 0},
    )


def _notes() -> Notes:
    return Notes(
        placed=[Placed("shopify", "#1001", "1", (("11", "A", 2),))],
        stretch=(at(0), at(10)),
        crash=Crash(
            "worker-prefork", 100, keys_before=9, keys_after=0, at=at(5), lives=200, restarts=1
        ),
        rubbish={
            "forged": {"status": 401, "kept": ""},
            "large": {"status": 413, "kept": ""},
            "broken": {"state": "rejected", "why": "not JSON"},
            "unknown": {"state": "parked", "why": "unknown SKU", "replayed": True},
        },
        refused=("outlet", "GONE"),
        beside_refused=("A",),
        swallowed=("outlet", "S"),
        storm=("shopify", at(20), at(22)),
        drifted=[("outlet", "O")],
        overwritten=("outlet", "O"),
        halted=a_halt("H"),
        hidden=a_halt("L"),
        repeated_windows=[("shopify", at(60), at(61))],
        flower=(401, 200),
        lanes=_lane_notes(),
    )


def _lane_notes() -> LaneNotes:
    return LaneNotes(
        booked=[
            ("amazon", "111-1", "K", 2),
            ("amazon", "111-2", goods.AMZ_CANCELLED, 2),
            ("till", "sale", "K", 1),
            ("grocer", "PO1", "K", 24),
        ],
        purchases={"whole": "PO1", "short": "PO2"},
        mcf=McfOrder("outlet", "55", "F", 3, fba=(30, 27), own=(0, 0), shipped=3),
        swallowed_at=at(100),
        repaired_at=at(107),
        storm=(at(110), at(112)),
    )


def _lanes() -> dict[str, LaneView]:
    orders = {
        "PO1": {
            "order": "PO1",
            "answered": ["855"],
            "lines": [{"sku": "K", "units": 24, "shipped": 24, "promised": {"IA": 24}}],
        },
        "PO2": {
            "order": "PO2",
            "answered": ["855"],
            "lines": [{"sku": "K", "units": 99, "shipped": 0, "promised": {"BP": 9, "IB": 90}}],
        },
    }
    return {
        "amazon": LaneView(
            shown={("K", "DEFAULT"): 7, ("F", "FBA"): 27},
            committed=Counter({"K": 1}),
            held={"F": 27},
            calls=[{"at": at(111), "status": 429, "operation": "x"}, {"at": at(1), "status": 200}],
            deliveries=[{"delivery_id": "n1", "status": 200}],
        ),
        "till": LaneView(shown={("K", "L1"): -1}, calls=[{"at": at(1), "status": 200}]),
        "grocer": LaneView(
            shown={("K", "0001"): 5},
            told={"orders": orders, "received": [{"sets": ["855"]}, {"sets": ["856"]}]},
        ),
    }


def _views() -> dict[str, View]:
    return {
        "shopify": View(
            levels={("A", "gid://1"): a_level("A", 8, committed=2)},
            calls=[{"at": at(1), "outcome": "ok"}, {"at": at(21), "outcome": "throttled"}],
            deliveries=[
                {"delivery_id": "d1", "status": 200},
                {"delivery_id": "d1", "status": 200},
                {"delivery_id": "d2", "status": 0},
            ],
        ),
        "outlet": View(
            levels={("A", "gid://2"): a_level("A", 5)},
            writes=[
                a_write(1, "S", 30, 8, swallowed=True),
                a_write(2, "S", 34, 7, swallowed=False),
            ],
        ),
    }


def _tables() -> dict[str, list[dict[str, Any]]]:
    return {
        "sums": [{"events": 3}],
        "inbox": [
            {"source": "shopify", "delivery_id": "d1", "state": "applied", "error": ""},
            {"source": "shopify", "delivery_id": "broken", "state": "rejected", "error": "no JSON"},
            {"source": "amazon", "delivery_id": "n1", "state": "applied", "error": ""},
        ],
        "order_line": [
            {"channel": "shopify", "order_id": "1", "line_id": "11", "sku": "A", "ordered_units": 2},
            *(
                {"channel": c, "order_id": o, "line_id": "1", "sku": "K", "ordered_units": n, "shipped_units": 0}
                for c, o, n in (("amazon", "111-1", 2), ("till", "sale", 1), ("grocer", "PO1", 24))
            ),
            {
                "channel": "outlet", "order_id": "55", "line_id": "9", "sku": "F", "ordered_units": 3,
                "shipped_units": 3,
            },
        ],
        "held": [{"sku": "F", "location": "FBA-US", "units": 27}],
        "committed": [{"sku": "A", "units": 2}, {"sku": "K", "units": 1}],
        "in_house": [{"sku": "A", "units": 10}],
        "target": [
            {"channel": shop, "sku": sku, "location": "WH", "units": units, "vendor_location_id": GID[shop]}
            for shop, sku, units in (("shopify", "A", 8), ("outlet", "A", 5), ("outlet", "GONE", 4))
        ]
        + [
            {"channel": lane, "sku": sku, "location": "WH", "units": units, "vendor_location_id": place}
            for lane, sku, units, place in (
                ("amazon", "K", 7, "DEFAULT"), ("amazon", "F", 27, "FBA"), ("till", "K", 0, "L1"),
                ("grocer", "K", 5, "0001"),
            )
        ],
        "due": [],
        "push_due": [{"channel": "outlet", "sku": "GONE", "parked": True, "error": "no such item"}],
        "run": [
            {
                "channel": "shopify", "window_at": at(60), "finished_at": at(61), "state": "done",
                "attempts": 1, "error": "",
            }
        ],
        "drift": [
            a_drift("outlet", "S", "swallowed_update", None),
            a_drift("outlet", "O", "stale_overwrite", at(60)),
        ],
        "halt": [
            {
                "channel": "shopify", "sku": "H", "state": "lifted", "reason": "too much",
                "confirmed_at": at(62),
            }
        ],
        "hidden": [],
    }  # fmt: skip
