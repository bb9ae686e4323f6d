"""Answers a Square account may give, and a client of ours to hear them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from channels.base import Binding, Level
from channels.limits import Bucket
from channels.square.client import Square
from tests.channels.stub import Answer, Stub

NOW = datetime(2026, 8, 20, 12, tzinfo=UTC)
TOKEN = "EAAA_very_secret"
DATE = "Thu, 20 Aug 2026 14:00:00 GMT"


def a_client(vendor: Stub) -> Square:
    """A client with a full bucket of its own."""
    bucket = Bucket(None, "square:till", maximum=1000, restore_rate=100, alone_share=1)
    return Square("till-no", vendor.url, TOKEN, limiter=bucket, now=lambda: NOW, read_s=1)


def a_binding(number: int) -> Binding:
    return Binding(
        channel="till-no",
        sku=f"SKU-{number}",
        location="OSLO",
        item_id=f"V{number}",
        vendor_location_id="OSLO-ID",
        variant_id=f"V{number}",
    )


def levels(count: int, expected: int | None = None) -> list[Level]:
    return [Level(a_binding(number), number, 1, expected) for number in range(1, count + 1)]


def a_count(number: int, units: str, at: str = "2026-08-20T13:00:00.000Z") -> dict[str, Any]:
    return {
        "catalog_object_id": f"V{number}",
        "location_id": "OSLO-ID",
        "state": "IN_STOCK",
        "quantity": units,
        "calculated_at": at,
    }


def counts(*rows: dict[str, Any], date: str = DATE) -> Answer:
    return Answer(_json({"counts": list(rows)}), headers={"Date": date} if date else {})


def written(*changes: dict[str, Any]) -> Answer:
    return Answer(_json({"counts": [], "changes": list(changes)}))


def refused(status: int, *problems: tuple[str, str | None], **headers: str) -> Answer:
    errors = [
        {"category": "INVALID_REQUEST_ERROR", "code": code, "detail": f"{code} it is"}
        | ({"field": field} if field else {})
        for code, field in problems
    ]
    return Answer(_json({"errors": errors}), status, headers)


def history(*numbers: int, reference: str) -> Answer:
    """Counts of ours as the history tells them."""
    rows = [
        {
            "type": "PHYSICAL_COUNT",
            "physical_count": {
                "id": f"C{number}",
                "catalog_object_id": f"V{number}",
                "location_id": "OSLO-ID",
                "state": "IN_STOCK",
                "quantity": "1",
                "reference_id": reference,
                "occurred_at": "2026-08-20T13:00:00.000Z",
            },
        }
        for number in numbers
    ]
    return Answer(_json({"changes": rows}))


def sent(vendor: Stub, call: int) -> list[dict[str, Any]]:
    """The counts of one write."""
    return [change["physical_count"] for change in vendor.heard[call].json["changes"]]


def paths(vendor: Stub) -> list[str]:
    return [heard.path.rpartition("/inventory/")[2] for heard in vendor.heard]


def _json(document: object) -> bytes:
    return json.dumps(document).encode()
