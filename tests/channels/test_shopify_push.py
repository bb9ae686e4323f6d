"""Pushing levels, against a stub that says what a live shop said or what no simulator would say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from channels.base import (
    ChannelError,
    Confirmed,
    Level,
    Refused,
    Rejected,
    Stale,
    Throttled,
    Unavailable,
)
from channels.shopify.client import Shopify
from tests.channels.shopify_stub import (
    a_binding,
    complaint,
    keys,
    levels,
    rows,
    set_answer,
)
from tests.channels.stub import Stub


def test_every_row_says_what_it_expects_even_when_it_is_nothing(
    vendor: Stub, shop: Shopify
) -> None:
    vendor.says(set_answer())
    wanted = [Level(a_binding(1), 5, 1, expected=7), Level(a_binding(2), -3, 1)]

    assert shop.push(wanted, key="k 1") == [Confirmed(level) for level in wanted]

    sent = vendor.heard[0].json["variables"]["input"]
    assert (sent["name"], sent["reason"]) == ("available", "correction")
    assert sent["referenceDocumentUri"] == "gid://lockstep/Push/k%201"
    assert [(row["quantity"], row["changeFromQuantity"]) for row in sent["quantities"]] == [
        (5, 7),
        (0, None),
    ]


def test_nothing_to_show_is_no_call(vendor: Stub, shop: Shopify) -> None:
    assert shop.push([], key="k") == []
    assert vendor.heard == []


def test_more_rows_than_a_call_carries_are_our_mistake(shop: Shopify) -> None:
    with pytest.raises(ValueError, match="250"):
        shop.push(levels(251), key="k")


def test_rows_the_vendor_names_are_taken_out_and_the_rest_is_shown(
    vendor: Stub, shop: Shopify
) -> None:
    wanted = levels(4)
    vendor.says(
        set_answer(
            complaint("INVALID_INVENTORY_ITEM", "quantities", "1", "inventoryItemId"),
            complaint("CHANGE_FROM_QUANTITY_STALE", "quantities", "3", "changeFromQuantity"),
        ),
        set_answer(),
    )

    outcomes = shop.push(wanted, key="k")

    assert outcomes == [
        Confirmed(wanted[0]),
        Rejected(wanted[1], "INVALID_INVENTORY_ITEM", "INVALID_INVENTORY_ITEM it is"),
        Confirmed(wanted[2]),
        Stale(wanted[3]),
    ]
    assert [row["quantity"] for row in rows(vendor, 1)] == [1, 3]


def test_a_repeat_of_the_push_repeats_every_key(vendor: Stub, shop: Shopify) -> None:
    bad = set_answer(complaint("INVALID_LOCATION", "quantities", "0", "locationId"))
    vendor.says(bad, set_answer(), bad, set_answer())

    shop.push(levels(3), key="k")
    shop.push(levels(3), key="k")

    first, second = keys(vendor)[:2], keys(vendor)[2:]
    assert first == second
    assert first[0] == "k" != first[1]


def test_a_stale_row_is_known_by_its_path_when_the_code_is_missing(
    vendor: Stub, shop: Shopify
) -> None:
    wanted = levels(1)
    vendor.says(set_answer(complaint(None, "quantities", "0", "changeFromQuantity")))

    assert shop.push(wanted, key="k") == [Stale(wanted[0])]


def test_a_row_both_bad_and_stale_is_bad(vendor: Stub, shop: Shopify) -> None:
    wanted = levels(1)
    vendor.says(
        set_answer(
            complaint("CHANGE_FROM_QUANTITY_STALE", "quantities", "0", "changeFromQuantity"),
            complaint("NON_MUTABLE_INVENTORY_ITEM", "quantities", "0", "inventoryItemId"),
        )
    )

    (outcome,) = shop.push(wanted, key="k")

    assert isinstance(outcome, Rejected)


@pytest.mark.parametrize(
    "field", [(), ("quantities",), ("quantities", "99", "quantity"), ("quantities", "x")]
)
def test_an_error_without_a_row_never_blocks_the_others(
    vendor: Stub, shop: Shopify, field: Sequence[str]
) -> None:
    wanted = levels(4)
    nowhere = set_answer(complaint("SOMETHING_NEW", *field))
    # 1-4 bad; 1-2 bad; 1 fine; 2 bad; 3-4 fine
    vendor.says(nowhere, nowhere, set_answer(), nowhere, set_answer())

    outcomes = shop.push(wanted, key="k")

    assert [type(outcome) for outcome in outcomes] == [
        Confirmed,
        Rejected,
        Confirmed,
        Confirmed,
    ]
    assert [[row["quantity"] for row in rows(vendor, call)] for call in range(5)] == [
        [1, 2, 3, 4],
        [1, 2],
        [1],
        [2],
        [3, 4],
    ]
    assert len(set(keys(vendor))) == 5


def test_a_first_request_still_running_is_waited_for_with_the_same_key(
    vendor: Stub, shop: Shopify
) -> None:
    vendor.says(set_answer(complaint("IDEMPOTENCY_CONCURRENT_REQUEST")))

    with pytest.raises(Throttled) as refusal:
        shop.push(levels(2), key="k")

    assert 1 <= refusal.value.retry_after_s <= 5


@pytest.mark.parametrize("code", ["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "SERVICE_UNAVAILABLE"])
def test_a_failed_attempt_is_repeated_once_under_a_new_key(
    vendor: Stub, shop: Shopify, code: str
) -> None:
    vendor.says(set_answer(complaint(code)), set_answer())

    outcomes = shop.push(levels(2), key="k")

    assert [type(outcome) for outcome in outcomes] == [Confirmed, Confirmed]
    assert len(set(keys(vendor))) == 2


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", Refused),
        ("SERVICE_UNAVAILABLE", Unavailable),
    ],
)
def test_a_second_failure_is_given_back(
    vendor: Stub, shop: Shopify, code: str, expected: type[ChannelError]
) -> None:
    vendor.says(set_answer(complaint(code)))

    with pytest.raises(expected):
        shop.push(levels(2), key="k")

    assert len(vendor.heard) == 2


@pytest.mark.parametrize(
    "code",
    [
        "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
        "INVALID_REASON",
        "INVALID_NAME",
        "INVALID_REFERENCE_DOCUMENT",
    ],
)
def test_our_own_mistake_is_refused_whole_and_never_repeated(
    vendor: Stub, shop: Shopify, code: str
) -> None:
    vendor.says(set_answer(complaint(code, "reason")))

    with pytest.raises(Refused) as refusal:
        shop.push(levels(2), key="k")

    assert refusal.value.code == code
    assert len(vendor.heard) == 1
