"""Listings: what a write does, when it does it, and how it is read back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.simulators.amazon.seller import Seller


def entry(code: str = "DEFAULT", **fields: object) -> dict[str, object]:
    return {"fulfillment_channel_code": code, **fields}


def patches(op: str, *values: dict[str, object]) -> list[dict[str, Any]]:
    path = "/attributes/fulfillment_availability"
    return [{"op": op, "path": path, **({"value": list(values)} if values else {})}]


def test_an_accepted_patch_is_applied_a_while_later(seller: Seller) -> None:
    answer = seller.patch("FBM-1", 4)

    assert (answer.status, answer.body["status"], answer.body["issues"]) == (200, "ACCEPTED", [])
    seller.later(4.9)
    assert seller.units("FBM-1") == {"DEFAULT": 10}
    seller.later(0.1)
    assert seller.units("FBM-1") == {"DEFAULT": 4}


@pytest.mark.parametrize("op", ["replace", "add"])
def test_replacing_loses_the_fields_that_were_not_sent(seller: Seller, op: str) -> None:
    assert seller.offer("FBM-1")["lead_time_to_ship_max_days"] == 2

    seller.patch("FBM-1", 4, op=op)
    seller.later(5)

    here = "ATVPDKIKX0DER"
    assert seller.offer("FBM-1") == entry(marketplace_id=here, quantity=4)


def test_merging_keeps_the_fields_that_were_not_sent(seller: Seller) -> None:
    seller.patch("FBM-1", 4, op="merge")
    seller.later(5)

    assert seller.offer("FBM-1")["quantity"] == 4
    assert seller.offer("FBM-1")["lead_time_to_ship_max_days"] == 2


def test_handling_time_can_be_merged_without_touching_the_units(seller: Seller) -> None:
    seller.patch("FBM-1", patches=patches("merge", entry(lead_time_to_ship_max_days=5)))
    seller.later(5)

    assert seller.offer("FBM-1")["quantity"] == 10
    assert seller.offer("FBM-1")["lead_time_to_ship_max_days"] == 5


@pytest.mark.parametrize("op", ["merge", "replace"])
def test_a_merchants_quantity_on_an_fba_sku_makes_a_second_offer(seller: Seller, op: str) -> None:
    seller.patch("FBA-1", 7, op=op)
    seller.later(5)

    assert seller.units("FBA-1") == {"AMAZON_NA": None, "DEFAULT": 7}
    order = seller.do("order", lines=[{"sku": "FBA-1", "units": 7}], by_amazon=False)
    assert order["fulfillment"]["fulfilledBy"] == "MERCHANT"


def test_deleting_an_entry_takes_only_that_offer_away(seller: Seller) -> None:
    seller.patch("FBA-1", 7)
    seller.patch("FBA-1", patches=patches("delete", entry()))
    seller.later(5)

    assert seller.units("FBA-1") == {"AMAZON_NA": None}


def test_deleting_without_a_value_takes_the_whole_attribute_away(seller: Seller) -> None:
    seller.patch("FBM-1", patches=patches("delete"))
    seller.later(5)

    assert seller.units("FBM-1") == {}
    assert seller.item("FBM-1").body["summaries"][0]["status"] == ["DISCOVERABLE"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (entry(quantity=-1), "90000900"),
        (entry(quantity="4"), "90000900"),
        (entry(quantity=2.5), "90000900"),
        (entry(quantity=True), "90000900"),
        (entry("MARS", quantity=1), "90000900"),
        ({"quantity": 1}, "99022"),
    ],
)
def test_a_bad_value_is_invalid_with_http_200_and_changes_nothing(
    seller: Seller, given: dict[str, object], code: str
) -> None:
    answer = seller.patch("FBM-1", patches=patches("merge", given))
    seller.later(60)

    assert (answer.status, answer.body["status"]) == (200, "INVALID")
    (issue,) = answer.body["issues"]
    assert (issue["code"], issue["severity"]) == (code, "ERROR")
    assert issue["attributeNames"] == ["fulfillment_availability"]
    assert seller.units("FBM-1") == {"DEFAULT": 10}


def test_an_unknown_attribute_is_invalid(seller: Seller) -> None:
    given = [{"op": "replace", "path": "/attributes/fulfillmentAvailability", "value": [{}]}]

    answer = seller.patch("FBM-1", patches=given)

    assert answer.body["status"] == "INVALID"
    assert answer.body["issues"][0]["attributeNames"] == ["fulfillmentAvailability"]


def test_a_patch_for_an_unknown_sku_is_accepted_and_leads_to_nothing(seller: Seller) -> None:
    assert seller.patch("NOPE", 4).body["status"] == "ACCEPTED"

    seller.later(60)

    assert seller.item("NOPE").status == 404


@pytest.mark.parametrize(("units", "status"), [(4, "VALID"), (-4, "INVALID")])
def test_a_preview_judges_and_changes_nothing(seller: Seller, units: int, status: str) -> None:
    query = {"mode": "VALIDATION_PREVIEW", "includedData": "issues,identifiers"}

    answer = seller.patch("FBM-1", units, query=query)
    seller.later(60)

    assert answer.body["status"] == status
    assert answer.body["identifiers"][0]["marketplaceId"] == "ATVPDKIKX0DER"
    assert seller.units("FBM-1") == {"DEFAULT": 10}


def test_the_later_of_two_patches_wins(seller: Seller) -> None:
    seller.patch("FBM-1", 4)
    seller.later(1)
    seller.patch("FBM-1", 6)
    seller.later(60)

    assert seller.units("FBM-1") == {"DEFAULT": 6}


def test_a_swallowed_patch_is_accepted_and_never_applied(seller: Seller) -> None:
    seller.do("fault", kind="swallow", sku="FBM-1", count=1)

    assert seller.patch("FBM-1", 4).body["status"] == "ACCEPTED"
    assert seller.patch("FBM-2", 4).body["status"] == "ACCEPTED"
    seller.later(3600)

    assert (seller.units("FBM-1"), seller.units("FBM-2")) == ({"DEFAULT": 10}, {"DEFAULT": 4})


def test_a_late_patch_can_overwrite_a_newer_one(seller: Seller) -> None:
    seller.do("fault", kind="late_apply", seconds=600, count=1)
    seller.patch("FBM-1", 4)
    seller.patch("FBM-1", 6)

    seller.later(60)
    assert seller.units("FBM-1") == {"DEFAULT": 6}
    seller.later(600)
    assert seller.units("FBM-1") == {"DEFAULT": 4}


def test_a_blocked_sku_is_invalid_until_the_fault_is_cleared(seller: Seller) -> None:
    seller.do("fault", kind="invalid", sku="FBM-1")

    assert seller.patch("FBM-1", 4).body["status"] == "INVALID"
    seller.do("clear_faults", kind="invalid")
    assert seller.patch("FBM-1", 4).body["status"] == "ACCEPTED"


def test_somebodys_edit_follows_our_write(seller: Seller) -> None:
    seller.do("fault", kind="external_edit", units=3, count=1)

    seller.patch("FBM-1", 4)
    seller.later(5)

    assert seller.units("FBM-1") == {"DEFAULT": 7}


def test_a_write_overwrites_what_was_sold_while_it_was_on_its_way(seller: Seller) -> None:
    seller.patch("FBM-1", 10)
    seller.do("order", lines=[{"sku": "FBM-1", "units": 3}])
    assert seller.units("FBM-1") == {"DEFAULT": 7}

    seller.later(5)

    assert seller.units("FBM-1") == {"DEFAULT": 10}, "the race that reconciliation has to see"


def test_a_put_creates_and_replaces_whole_attributes(seller: Seller) -> None:
    attributes = {
        "item_name": [{"value": "New", "language_tag": "en_US"}],
        "condition_type": [{"value": "new_new"}],
        "fulfillment_availability": [entry(quantity=8)],
    }
    body = {"productType": "LUGGAGE", "requirements": "LISTING", "attributes": attributes}

    answer = seller.call("PUT", seller.simulator.item_path("NEW"), seller.here(), body)
    seller.later(5)

    assert answer.body["status"] == "ACCEPTED"
    assert seller.units("NEW") == {"DEFAULT": 8}
    assert seller.item("NEW").body["summaries"][0]["productType"] == "LUGGAGE"


def test_a_put_that_lacks_a_required_attribute_is_invalid(seller: Seller) -> None:
    body = {"productType": "LUGGAGE", "attributes": {"item_name": [{"value": "New"}]}}

    answer = seller.call("PUT", seller.simulator.item_path("NEW"), seller.here(), body)

    assert answer.body["status"] == "INVALID"
    assert [issue["code"] for issue in answer.body["issues"]] == ["90220"]
    assert answer.body["issues"][0]["message"] == "'condition_type' is required but not supplied."


def test_a_deleted_listing_is_gone_a_while_later(seller: Seller) -> None:
    path = seller.simulator.item_path("FBM-1")

    assert seller.call("DELETE", path, seller.here()).body["status"] == "ACCEPTED"
    assert seller.item("FBM-1").status == 200
    seller.later(5)
    assert seller.item("FBM-1").status == 404


def test_a_listing_shows_only_what_was_asked_for(seller: Seller) -> None:
    default = seller.call("GET", seller.simulator.item_path("FBA-1"), seller.here())
    chosen = seller.item(
        "FBA-1", "issues", "productTypes", "relationships", "procurement", "offers"
    )

    assert set(default.body) == {"sku", "summaries"}
    assert default.body["summaries"][0]["fnSku"].startswith("X00")
    assert set(chosen.body) == {
        "sku", "issues", "productTypes", "relationships", "procurement", "offers",
    }  # fmt: skip


def test_a_sold_out_listing_cannot_be_bought(seller: Seller) -> None:
    seller.patch("FBM-1", 0)
    seller.later(5)

    assert seller.item("FBM-1").body["summaries"][0]["status"] == ["DISCOVERABLE"]
    assert seller.item("FBM-2").body["summaries"][0]["status"] == ["BUYABLE", "DISCOVERABLE"]


def find(seller: Seller, **query: Any) -> Any:
    path = f"/listings/2021-08-01/items/{seller.account.seller_id}"
    return seller.call("GET", path, seller.here(sortBy="sku", sortOrder="ASC", **query))


def test_listings_are_found_by_identifier_and_status(seller: Seller) -> None:
    asin = seller.account.listing("FBA-2").asin
    seller.patch("FBM-3", 0)
    seller.later(5)

    def skus(**query: str) -> list[str]:
        return [item["sku"] for item in find(seller, **query).body["items"]]

    assert skus(identifiers="FBM-1,FBA-1,NOPE", identifiersType="SKU") == ["FBA-1", "FBM-1"]
    assert skus(identifiers=asin, identifiersType="ASIN") == ["FBA-2"]
    assert skus(withoutStatus="BUYABLE") == ["FBM-3"]
    assert skus(lastUpdatedAfter="2026-07-01T14:00:01Z") == ["FBM-3"]
    assert find(seller, identifiers="FBM-1").status == 400


def test_a_search_goes_through_its_pages(seller: Seller) -> None:
    first = find(seller, pageSize="4").body
    second = find(seller, pageSize="4", pageToken=first["pagination"]["nextToken"]).body

    assert first["numberOfResults"] == second["numberOfResults"] == 6
    assert [i["sku"] for i in first["items"] + second["items"]] == sorted(seller.account.listings)
    assert "nextToken" not in second["pagination"]
    assert find(seller, pageSize="21").status == 400
    assert find(seller, pageToken="made-up").status == 400
