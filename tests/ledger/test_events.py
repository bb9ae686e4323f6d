"""Which bodies are stock events and which are not, with reasons a sender understands."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ledger.events import KINDS
from tests.builders import a_fact, read


def test_every_kind_has_a_canonical_form() -> None:
    units: dict[str, dict[str, Any]] = {
        "count": {"counted": 3},
        "reversal": {"reverses_source": "wms", "reverses_id": "x", "reason": "typo"},
    }

    read_kinds = [read(a_fact(kind, **units.get(kind, {"units": 3}))).kind for kind in KINDS]

    assert tuple(read_kinds) == KINDS


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"units": -1}, "greater than or equal to 1"),
        ({"units": 0}, "greater than or equal to 1"),
        ({"units": 1.5}, "valid integer"),
        ({"units": 1.0}, "valid integer"),
        ({"units": "3"}, "valid integer"),
        ({"units": True}, "valid integer"),
        ({"units": 10**12}, "less than or equal to"),
        ({"units": None}, "valid integer"),
        ({"units": 1, "sku": ""}, "at least 1"),
        ({"units": 1, "sku": "A\x00B"}, "match pattern"),
        ({"units": 1, "sku": " A"}, "match pattern"),
        ({"units": 1, "sku": "x" * 129}, "at most 128"),
        ({"units": 1, "occurred_at": "yesterday"}, "datetime"),
        ({"units": 1, "occurred_at": "2026-03-02T12:00:00"}, "timezone"),
        ({"units": 1, "colour": "red"}, "not permitted"),
        ({"units": 1, "kind": "theft"}, "does not match any of the expected tags"),
    ],
)
def test_what_is_not_a_receipt_is_refused_with_the_reason(
    said: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        read(a_fact("receipt") | said)


@pytest.mark.parametrize("kind", ["adjustment", "write_off"])
def test_a_correction_by_hand_needs_a_reason(kind: str) -> None:
    with pytest.raises(ValidationError, match="needs a reason"):
        read(a_fact(kind, units=1, reason="  "))


def test_a_count_gives_what_was_seen_or_the_difference_but_not_both() -> None:
    with pytest.raises(ValidationError, match="either"):
        read(a_fact("count", counted=3, variance=1))


def test_a_shipment_names_an_order_line_or_a_place() -> None:
    with pytest.raises(
        ValidationError, match="either channel, order and line, or sku and location"
    ):
        read(a_fact("ship", units=1, order="1001"))
