from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from channels.base import Unreadable
from channels.lane import Account
from channels.limits import Allowance, Bucket
from channels.names import Names
from channels.registry import LANES
from channels.shopify.client import Shopify
from tests.channels.shopify_builders import a_line, an_order

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_a_lane_is_found_by_its_kind() -> None:
    assert all(kind == lane.kind for kind, lane in LANES.items())


def test_an_account_becomes_a_client_under_its_channels_name() -> None:
    lane = LANES["shopify"]
    secrets = {"token": "shpat_1"}
    account = Account("shop-no", "shopify", "https://shop-no.myshopify.com", secrets)

    client = lane.connect(account, an_own_bucket, lambda: NOW)

    assert isinstance(client, Shopify)
    assert (client.name, client.push_rows) == ("shop-no", 250)
    assert "shpat_1" not in repr(account)


def an_own_bucket(what: str, allowance: Allowance) -> Bucket:
    return Bucket(None, what, maximum=allowance.maximum, restore_rate=allowance.restore_per_s)


def test_a_message_is_read_once_and_booked_with_the_names_of_its_ids() -> None:
    body = json.dumps(an_order(a_line(11, variant=1), location_id=77)).encode()

    message = LANES["shopify"].read("orders/create", body)

    skus = {gid: "SKU-A" for gid in message.vendor_ids if "ProductVariant" in gid}
    locations = {gid: "OSLO" for gid in message.vendor_ids if "Location" in gid}
    names = Names(skus, locations, default_location="MAIN")
    (fact,) = message.facts(source="shop-no", channel="shop-no", names=names)
    assert (fact.kind, fact.source, message.silent) == ("order", "shop-no", "")


def test_a_silent_message_says_why_and_books_nothing() -> None:
    message = LANES["shopify"].read("inventory_levels/update", b"{}")

    assert "never changes the ledger" in message.silent
    assert message.facts(source="s", channel="c", names=Names({}, {}, "MAIN")) == []


def test_an_unreadable_message_is_refused() -> None:
    with pytest.raises(Unreadable):
        LANES["shopify"].read("orders/create", b"<html>")
