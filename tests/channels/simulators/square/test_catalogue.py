"""The catalogue: upsert with temporary ids and versions, search by SKU, overrides, presence."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.simulators.square.till import Till

OBJECT = "/v2/catalog/object"
COCOA: dict[str, Any] = {
    "type": "ITEM",
    "id": "#Cocoa",
    "item_data": {
        "name": "Cocoa",
        "description_html": "<p><strong>Hot</strong> Chocolate</p>",
        "variations": [
            {
                "id": "#Small",
                "type": "ITEM_VARIATION",
                "item_variation_data": {"item_id": "#Cocoa", "name": "Small", "sku": "C-S"},
            },
            {
                "id": "#Large",
                "type": "ITEM_VARIATION",
                "item_variation_data": {"item_id": "#Cocoa", "name": "Large", "sku": "C-L"},
            },
        ],
    },
}
"""The vendor's example of UpsertCatalogObject, with SKUs."""


def upsert(till: Till, object: dict[str, Any], key: str) -> Any:
    return till.call("POST", OBJECT, {"idempotency_key": key, "object": object})


def test_temporary_ids_are_replaced_throughout(till: Till) -> None:
    body = upsert(till, COCOA, "k").body

    ids = {pair["client_object_id"]: pair["object_id"] for pair in body["id_mappings"]}
    made = body["catalog_object"]
    assert made["id"] == ids["#Cocoa"]
    inside = made["item_data"]["variations"]
    assert [one["id"] for one in inside] == [ids["#Small"], ids["#Large"]]
    assert {one["item_variation_data"]["item_id"] for one in inside} == {ids["#Cocoa"]}
    found = till.call("GET", f"{OBJECT}/{ids['#Small']}", include_related_objects="true").body
    assert found["object"]["item_variation_data"]["sku"] == "C-S"
    assert found["related_objects"][0]["id"] == ids["#Cocoa"]


def test_an_update_wants_the_present_version(till: Till) -> None:
    made = upsert(till, COCOA, "k1").body["catalog_object"]
    till.clock.advance(1)
    small = made["item_data"]["variations"][0]
    small["item_variation_data"]["sku"] = "C-S2"

    changed = upsert(till, small, "k2")
    stale = upsert(till, small, "k3")

    assert changed.body["catalog_object"]["version"] > small["version"]
    assert (stale.status, stale.codes) == (409, ["CONFLICT"])


def test_a_variation_left_out_of_its_item_is_deleted(till: Till) -> None:
    made = upsert(till, COCOA, "k1").body["catalog_object"]
    small, large = made["item_data"].pop("variations")
    made["item_data"]["variations"] = [large]

    upsert(till, made, "k2")

    gone = till.call("GET", f"{OBJECT}/{small['id']}").body["object"]
    assert gone["is_deleted"]
    assert till.write(till.counted("SKU-1", "1", catalog_object_id=small["id"])).status == 404


def test_a_refused_batch_leaves_nothing_behind(till: Till) -> None:
    till.do("item", variations=[{"sku": "OLD"}])
    old = till.call("GET", f"{OBJECT}/{till.variation('OLD')}").body["object"]
    renamed = {**old, "item_variation_data": {**old["item_variation_data"], "sku": "NEW"}}
    orphan = {
        "type": "ITEM_VARIATION",
        "id": "#x",
        "item_variation_data": {"item_id": "NOWHERE", "sku": "X"},
    }
    batch = {"objects": [COCOA, renamed, orphan]}

    answer = till.call(
        "POST", "/v2/catalog/batch-upsert", {"idempotency_key": "k", "batches": [batch]}
    )

    assert answer.fields == ["batches[0].objects[2].item_variation_data.item_id"]
    assert till.call("GET", f"{OBJECT}/{till.variation('OLD')}").body["object"] == old
    assert search(till, {"exact_query": {"attribute_name": "sku", "attribute_value": "C-S"}}) == []


def search(till: Till, query: dict[str, Any], **more: Any) -> list[str]:
    asked = {"object_types": ["ITEM_VARIATION"], "query": query, **more}
    body = till.call("POST", "/v2/catalog/search", asked).body
    return [one["item_variation_data"]["sku"] for one in body["objects"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"exact_query": {"attribute_name": "sku", "attribute_value": "sku-1"}}, ["SKU-1"]),
        (
            {"set_query": {"attribute_name": "sku", "attribute_values": ["SKU-2", "SKU-1", "X"]}},
            ["SKU-1", "SKU-2"],
        ),
        (
            {"prefix_query": {"attribute_name": "sku", "attribute_prefix": "SKU"}},
            ["SKU-1", "SKU-2", "SKU-3"],
        ),
        ({"text_query": {"keywords": ["sku-3"]}}, ["SKU-3"]),
    ],
)
def test_variations_are_found_by_sku(till: Till, query: dict[str, Any], found: list[str]) -> None:
    assert search(till, query) == found


def test_one_sku_may_stand_on_two_variations(till: Till) -> None:
    """The vendor does not keep SKUs unique; a client has to."""
    till.do("item", variations=[{"sku": "SKU-1"}])

    query = {"exact_query": {"attribute_name": "sku", "attribute_value": "SKU-1"}}

    assert search(till, query) == ["SKU-1", "SKU-1"]


def test_the_catalogue_is_listed_in_pages_by_type(till: Till) -> None:
    till.do("items", items=[{"variations": [{"sku": f"M-{n}"}]} for n in range(120)])

    first = till.call("GET", "/v2/catalog/list", types="ITEM_VARIATION").body
    second = till.call(
        "GET", "/v2/catalog/list", types="ITEM_VARIATION", cursor=first["cursor"]
    ).body

    assert (len(first["objects"]), len(second["objects"])) == (100, 23)
    assert "cursor" not in second


def test_what_changed_since_a_moment_is_found_deleted_or_not(till: Till) -> None:
    till.clock.advance(10)
    till.do("delete_item", sku="SKU-2")
    since = {"begin_time": till.ago(5)}

    query = {"prefix_query": {"attribute_name": "sku", "attribute_prefix": "SKU"}}

    assert search(till, query, **since) == []
    assert search(till, query, include_deleted_objects=True, **since) == ["SKU-2"]


def test_deleting_an_item_deletes_its_variations(till: Till) -> None:
    item = str(till.merchant.variation("SKU-1").data["item_id"])
    variation = till.variation("SKU-1")

    answer = till.call("DELETE", f"{OBJECT}/{item}")

    assert set(answer.body["deleted_object_ids"]) == {item, variation}
    asked = {"object_ids": [item, variation]}
    assert till.call("POST", "/v2/catalog/batch-retrieve", asked).body["objects"] == []


def test_tracking_is_overridden_per_location(till: Till) -> None:
    till.do("track", sku="SKU-1", location="Main", tracked=False)
    till.do("sale", location="Main", lines=[{"sku": "SKU-1", "units": 2}])
    untracked = till.units("SKU-1")
    till.do("track", sku="SKU-1", location="Main", tracked=True)
    till.do("sale", location="Main", lines=[{"sku": "SKU-1", "units": 10}])

    found = till.call("GET", f"{OBJECT}/{till.variation('SKU-1')}").body["object"]

    assert untracked == "10", "sales of what is not tracked leave the count alone"
    assert found["item_variation_data"]["location_overrides"] == [
        {"location_id": till.place(), "track_inventory": True, "sold_out": True}
    ]


def test_what_is_absent_at_a_location_is_not_sold_there(till: Till) -> None:
    path = f"{OBJECT}/{till.variation('SKU-1')}"
    found = till.call("GET", path).body["object"]

    upsert(till, {**found, "absent_at_location_ids": [till.place("Main")]}, "halt")

    line = {"sku": "SKU-1", "units": 1}
    refused = till.do("sales", sales=[{"location": "Main", "lines": [line]}])["sales"][0]
    assert "is not sold at 'Main'" in refused["refused"]
    assert till.do("sale", location="Second", lines=[line])["state"] == "COMPLETED"
    shown = till.call("GET", path).body["object"]
    assert shown["absent_at_location_ids"] == [till.place("Main")]


def test_sold_out_is_not_an_applications_to_say(till: Till) -> None:
    found = till.call("GET", f"{OBJECT}/{till.variation('SKU-1')}").body["object"]
    override = {"location_id": till.place(), "track_inventory": True, "sold_out": True}
    data = {**found["item_variation_data"], "location_overrides": [override]}

    body = upsert(till, {**found, "item_variation_data": data}, "k").body

    shown = body["catalog_object"]["item_variation_data"]["location_overrides"]
    assert shown == [{"location_id": till.place(), "track_inventory": True}]


@pytest.mark.parametrize(
    "said",
    [
        {"present_at_all_locations": True},
        {"present_at_all_locations": False, "present_at_location_ids": ["Second"]},
    ],
)
def test_a_variation_is_nowhere_where_its_item_is_not(till: Till, said: dict[str, Any]) -> None:
    variation = till.call("GET", f"{OBJECT}/{till.variation('SKU-1')}").body["object"]
    item = till.merchant.objects[variation["item_variation_data"]["item_id"]]
    item.everywhere, item.present = False, [till.place("Main")]
    if "present_at_location_ids" in said:
        said = {**said, "present_at_location_ids": [till.place("Second")]}

    answer = upsert(till, {**variation, **said}, "k")

    assert (answer.status, answer.codes) == (400, ["INVALID_VALUE"])
    assert answer.fields == ["object.item_variation_data.item_id"]


def test_other_kinds_and_queries_say_they_are_not_simulated(till: Till) -> None:
    tax = upsert(till, {"type": "TAX", "id": "#t", "tax_data": {"name": "VAT"}}, "k")
    query = {"object_types": ["ITEM"], "query": {"items_for_tax_query": {"tax_ids": ["x"]}}}

    assert tax.codes == ["NOT_IMPLEMENTED"]
    assert till.call("POST", "/v2/catalog/search", query).codes == ["NOT_IMPLEMENTED"]
