"""What comes to POST /hooks/square: genuine or not, seen or asked for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.base import Sighting, Unreadable
from channels.square import lane, webhook

# The vendor's own example of a signature.
KEY = "asdf1234"
URL = "https://example.com/webhook"
BODY = b'{"hello":"world"}'
SIGNATURE = "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og="


def signed_by(key: str, url: str) -> str:
    digest = hmac.new(key.encode(), url.encode() + BODY, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def a_count(item: str = "VARIATION", units: str = "7", **more: object) -> dict[str, Any]:
    return {
        "catalog_object_id": item,
        "catalog_object_type": "ITEM_VARIATION",
        "state": "IN_STOCK",
        "location_id": "OSLO",
        "quantity": units,
        "calculated_at": "2026-08-20T14:00:00.123456Z",
        **more,
    }


def counts(*rows: dict[str, Any]) -> bytes:
    told = {"type": "inventory_counts", "id": "1", "object": {"inventory_counts": list(rows)}}
    return json.dumps(
        {"merchant_id": "M", "type": "inventory.count.updated", "event_id": "E", "data": told}
    ).encode()


def test_the_vendors_example_is_genuine() -> None:
    assert webhook.verify(BODY, SIGNATURE, [KEY], URL)


@pytest.mark.parametrize(
    ("body", "signature", "secrets", "url"),
    [
        (BODY + b" ", SIGNATURE, [KEY], URL),
        (BODY, SIGNATURE, [KEY], URL + "/"),
        (BODY, SIGNATURE, [KEY], "http://example.com/webhook"),
        (BODY, SIGNATURE, ["other"], URL),
        (BODY, SIGNATURE, [], URL),
        (BODY, "", [KEY], URL),
        (BODY, "nønsense", [KEY], URL),
    ],
)
def test_another_body_address_or_key_is_not(
    body: bytes, signature: str, secrets: list[str], url: str
) -> None:
    assert not webhook.verify(body, signature, secrets, url)


def test_an_empty_key_or_address_verifies_nothing() -> None:
    assert not webhook.verify(BODY, signed_by("", URL), [""], URL)
    assert not webhook.verify(BODY, signed_by(KEY, ""), [KEY], "")


def test_the_old_key_still_counts_while_keys_change() -> None:
    assert webhook.verify(BODY, SIGNATURE, ["new", KEY], URL)


def test_the_headers_tell_the_signature_and_no_account() -> None:
    headers = {
        "X-Square-HmacSha256-Signature": f" {SIGNATURE} ",
        "square-environment": "Production",
    }

    signed = lane.signed(headers)

    assert (signed.account, signed.signature) == ("", SIGNATURE)
    assert lane.signed({}).signature == ""


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"type": "order.created"}', b'{"type": ""}'])
def test_a_body_that_does_not_say_what_it_is_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        webhook.routing({}, body)


def test_counts_in_stock_are_seen_and_others_left_out_with_their_reason() -> None:
    body = counts(
        a_count(),
        a_count("LOW", "-2"),
        a_count("WASTED", state="WASTE"),
        a_count("CHEESE", "2.5"),
    )

    message = lane.read("inventory.count.updated", body)

    at = datetime(2026, 8, 20, 14, 0, 0, 123456, tzinfo=UTC)
    assert message.sightings == (
        Sighting("VARIATION", "OSLO", 7, at),
        Sighting("LOW", "OSLO", -2, at),
    )
    assert "WASTED at OSLO is WASTE" in message.silent
    assert "CHEESE at OSLO: 2.5 is not a whole number" in message.silent
    assert not message.asks_orders


def test_a_hundred_counts_are_a_hundred_sightings() -> None:
    body = counts(*(a_count(f"V-{number}", f"{number}.00000") for number in range(100)))

    sightings = lane.read("inventory.count.updated", body).sightings

    assert [sighting.units for sighting in sightings] == list(range(100))


@pytest.mark.parametrize("units", ["many", "NaN", "", "Infinity", "1e"])
def test_a_count_that_is_no_number_is_unreadable(units: str) -> None:
    with pytest.raises(Unreadable, match="VARIATION at OSLO"):
        lane.read("inventory.count.updated", counts(a_count(units=units)))


@pytest.mark.parametrize("topic", sorted(webhook.ASKING))
def test_whatever_names_an_order_asks_for_it(topic: str) -> None:
    body = json.dumps({"type": topic, "event_id": "E", "merchant_id": "M", "data": {}}).encode()

    message = lane.read(topic, body)

    assert message.asks_orders
    assert "the order API is asked" in message.silent


def test_what_nobody_knows_says_so() -> None:
    assert "payroll.paid is not a type" in lane.read("payroll.paid", b"{}").silent


@pytest.mark.parametrize(
    "quantity", ["1E+999999", "1_000", "\uff11", "+5", " 5", "9" * 27, "NaN", "0x10"]
)
def test_a_quantity_that_square_does_not_write_is_refused_at_once(quantity: str) -> None:
    with pytest.raises(Unreadable, match="is not a decimal number"):
        webhook.parse(webhook.COUNTS, counts(a_count(units=quantity)))
