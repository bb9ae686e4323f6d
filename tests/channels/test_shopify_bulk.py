"""The whole catalogue of a shop in one export, and what changed since a moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import downloads
from channels.base import Refused, Sighting, Throttled, Unauthorised, Unavailable, Unreadable
from channels.shopify import bulk
from channels.shopify.client import Shopify
from tests.channels.shopify_rig import ShopifyRig
from tests.channels.stub import Answer, Stub


def everything(rig: ShopifyRig) -> list[Sighting]:
    operation = rig.channel.begin_read_all()
    rig.advance(10)
    found = rig.channel.read_all(operation)
    assert found is not None
    return list(found)


def test_an_export_tells_every_level_of_every_location(rig: ShopifyRig) -> None:
    rig.do("product", variants=[{"sku": "UNCOUNTED", "tracked": False, "stock": {"Oslo": 3}}])
    rig.drift("SKU-B", -12)

    told = {(s.item_id, s.vendor_location_id): s.units for s in everything(rig)}

    levels = rig.do("state")["levels"]
    assert told == {
        (level["item"], level["location_id"]): level["available"] if level["tracked"] else None
        for level in levels
    }
    assert -2 in told.values()
    assert len(told) == 7


def test_an_export_says_the_same_as_reading_item_by_item(rig: ShopifyRig) -> None:
    bindings = rig.bindings().values()

    told = {
        s.item_id: (s.units, s.at)
        for s in everything(rig)
        if s.vendor_location_id == rig.places["Oslo"]
    }

    for reading in rig.channel.snapshot(list(bindings)):
        assert told[reading.binding.item_id] == (reading.units, reading.updated_at)


def test_an_export_is_not_there_before_it_is_written(rig: ShopifyRig) -> None:
    operation = rig.channel.begin_read_all()

    assert rig.channel.read_all(operation) is None
    rig.advance(10)
    assert rig.channel.read_all(operation) is not None


def test_a_shop_without_goods_tells_nothing(rig: ShopifyRig) -> None:
    for sku in ("SKU-A", "SKU-B", "SKU-C"):
        rig.do("delete_product", sku=sku)

    assert everything(rig) == []


def test_a_sixth_export_at_a_time_comes_back_later(rig: ShopifyRig) -> None:
    for _ in range(5):
        rig.channel.begin_read_all()

    with pytest.raises(Throttled) as refusal:
        rig.channel.begin_read_all()

    assert refusal.value.retry_after_s > 0
    rig.advance(10)
    assert rig.channel.begin_read_all()


def test_a_failed_export_tells_what_it_had_written_and_then_that_it_failed(rig: ShopifyRig) -> None:
    rig.do("fail_bulk", status="FAILED", error_code="TIMEOUT", partial=5)
    operation = rig.channel.begin_read_all()
    rig.advance(10)
    found = rig.channel.read_all(operation)
    assert found is not None

    told: list[Sighting] = []
    with pytest.raises(Refused, match="TIMEOUT"):
        told.extend(found)

    assert len(told) == 2, "three items and two of their levels were written"


@pytest.mark.parametrize("status", ["EXPIRED", "CANCELED"])
def test_nothing_more_comes_of_an_export_that_ended_otherwise(rig: ShopifyRig, status: str) -> None:
    rig.do("fail_bulk", status=status)
    operation = rig.channel.begin_read_all()
    rig.advance(10)

    with pytest.raises(Refused, match=status):
        list(rig.channel.read_all(operation) or ())


def test_a_denied_export_calls_a_person(rig: ShopifyRig) -> None:
    rig.do("fail_bulk", status="FAILED", error_code="ACCESS_DENIED")
    operation = rig.channel.begin_read_all()
    rig.advance(10)

    with pytest.raises(Unauthorised, match="read_inventory"):
        rig.channel.read_all(operation)


def test_an_export_the_vendor_does_not_know_is_begun_anew(rig: ShopifyRig) -> None:
    with pytest.raises(Refused) as refusal:
        rig.channel.read_all("gid://shopify/BulkOperation/1")

    assert refusal.value.code == "GONE"


def test_a_file_that_lost_its_end_is_not_taken_for_the_whole(vendor: Stub, shop: Shopify) -> None:
    line = json.dumps({"id": "gid://shopify/InventoryItem/1"}).encode() + b"\n"
    operation = {"id": "gid://shopify/BulkOperation/1", "status": "COMPLETED", "objectCount": "3"}
    answer = {"data": {"bulkOperation": {**operation, "url": f"{vendor.url}/file.jsonl"}}}
    vendor.says(answer, Answer(line * 2))

    with pytest.raises(Unavailable, match="2 of 3"):
        list(shop.read_all("gid://shopify/BulkOperation/1") or ())


def test_the_token_does_not_go_to_the_host_of_the_file(vendor: Stub, shop: Shopify) -> None:
    operation = {"id": "gid://shopify/BulkOperation/1", "status": "COMPLETED", "objectCount": "0"}
    answer = {"data": {"bulkOperation": {**operation, "url": f"{vendor.url}/file.jsonl"}}}
    vendor.says(answer, Answer(b""))

    list(shop.read_all("gid://shopify/BulkOperation/1") or ())

    asked, fetched = vendor.heard
    assert "x-shopify-access-token" in asked.headers
    assert "x-shopify-access-token" not in fetched.headers


@pytest.mark.parametrize(
    "line", [b"{", b'{"quantities": 1}', b'{"quantities": [], "updatedAt": 1}']
)
def test_a_line_nobody_asked_for_is_shown(line: bytes) -> None:
    with pytest.raises(Unreadable, match="a line of an export"):
        list(bulk.sightings([line]))


@given(
    lines=st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line), max_size=20),
    cuts=st.lists(st.integers(0, 60), max_size=10),
    ends=st.booleans(),
)
def test_lines_are_the_same_however_the_file_arrives(
    lines: list[bytes], cuts: list[int], ends: bool
) -> None:
    whole = b"\n".join(lines) + (b"\n" if ends and lines else b"")

    assert list(downloads.split(_pieces(whole, cuts))) == lines


def _pieces(whole: bytes, cuts: list[int]) -> Iterator[bytes]:
    for cut in cuts:
        yield whole[:cut]
        whole = whole[cut:]
    yield whole


def test_only_what_changed_is_told(rig: ShopifyRig) -> None:
    rig.advance(600)
    mark = rig.now()
    rig.do("external_edit", sku="SKU-A", location="Oslo", available=4)
    rig.do("external_edit", sku="SKU-B", location="Bergen", available=5)
    item = rig.level("SKU-A")["item"]

    told = list(rig.channel.changed_since(mark, [rig.places["Oslo"]]))

    assert [(s.item_id, s.vendor_location_id, s.units) for s in told] == [
        (item, rig.places["Oslo"], 4)
    ]
    assert (
        list(rig.channel.changed_since(mark + timedelta(seconds=1), list(rig.places.values())))
        == []
    )


def test_many_changes_come_page_by_page(rig: ShopifyRig) -> None:
    rig.do(
        "products",
        products=[{"variants": [{"sku": f"N-{n}", "stock": {"Oslo": n}}]} for n in range(300)],
    )

    told = list(rig.channel.changed_since(rig.now() - timedelta(hours=1), [rig.places["Oslo"]]))

    assert len(told) == len({s.item_id for s in told}) == 303


def test_a_location_that_is_gone_changed_nothing(rig: ShopifyRig) -> None:
    assert list(rig.channel.changed_since(rig.now(), ["gid://shopify/Location/1"])) == []


def test_locations_say_where_buyers_may_fetch_and_which_are_closed(rig: ShopifyRig) -> None:
    rig.do("location", name="Corner", pickup=True)
    rig.do("location_active", location="Bergen", active=False)

    told: dict[str, Any] = {
        place.name: (place.active, place.pickup) for place in rig.channel.places()
    }

    assert told == {"Oslo": (True, False), "Bergen": (False, False), "Corner": (True, True)}
