"""`Square-Version`: moves between locations before and after 2026-07-15."""

from __future__ import annotations

from typing import Any

import pytest

from channels.simulators.square.schema import MOVES_SINCE
from tests.channels.simulators.square.till import OLDER, Till


def transfer(till: Till, units: str) -> dict[str, Any]:
    moved = {
        "catalog_object_id": till.variation("SKU-1"),
        "state": "IN_STOCK",
        "from_location_id": till.place("Main"),
        "to_location_id": till.place("Second"),
        "quantity": units,
        "occurred_at": till.ago(0),
    }
    return {"type": "TRANSFER", "transfer": moved}


def move(till: Till, units: str) -> dict[str, Any]:
    places: dict[str, Any] = {
        "from_location_id": till.place("Main"),
        "to_location_id": till.place("Second"),
    }
    return till.moved("SKU-1", units, "IN_STOCK", "IN_STOCK", **places)


def test_the_older_era_moves_by_transfer(till: Till) -> None:
    answer = till.write(transfer(till, "4"), version=OLDER)

    assert answer.body["changes"][0]["type"] == "TRANSFER"
    assert [row["quantity"] for row in answer.body["counts"]] == ["6", "4"]
    id = answer.body["changes"][0]["transfer"]["id"]
    found = till.call("GET", f"/v2/inventory/transfers/{id}", version=OLDER)
    assert found.body["transfer"]["to_location_id"] == till.place("Second")


def test_the_newer_era_moves_by_adjustment(till: Till) -> None:
    answer = till.write(move(till, "4"))

    (change,) = answer.body["changes"]
    assert change["type"] == "ADJUSTMENT"
    assert change["adjustment"]["from_location_id"] == till.place("Main")
    assert change["adjustment"]["to_location_id"] == till.place("Second")
    assert (till.units("SKU-1"), till.units("SKU-1", "Second")) == ("6", "4")


def test_each_era_refuses_the_spelling_of_the_other(till: Till) -> None:
    here: dict[str, Any] = {"location_id": till.place()}
    receipt = till.moved("SKU-1", "1", "NONE", "IN_STOCK", **here)

    assert till.write(transfer(till, "1")).codes == ["INVALID_ENUM_VALUE", "UNKNOWN_BODY_PARAMETER"]
    assert till.write(receipt).codes == ["UNKNOWN_BODY_PARAMETER"]
    assert set(till.write(move(till, "1"), version=OLDER).codes) == {"UNKNOWN_BODY_PARAMETER"}
    assert till.write(receipt, version=OLDER).status == 200
    assert till.units("SKU-1") == "11"


def test_the_change_comes_with_the_version_of_that_day(till: Till) -> None:
    assert till.write(transfer(till, "1"), version="2026-07-14").status == 200
    assert till.write(transfer(till, "1"), version=MOVES_SINCE).status == 400


def test_each_era_tells_the_same_move_in_its_own_words(till: Till) -> None:
    till.write(move(till, "2"))
    till.write(transfer(till, "3"), version=OLDER)

    newer, older = till.history("SKU-1"), till.history("SKU-1", OLDER)

    assert [change["type"] for change in newer] == ["PHYSICAL_COUNT", "ADJUSTMENT", "ADJUSTMENT"]
    assert [change["type"] for change in older] == ["PHYSICAL_COUNT"], "no filter shows transfers"
    path = "/v2/inventory/changes/batch-retrieve"
    asked = {"types": ["TRANSFER"]}
    assert till.call("POST", path, asked, version=OLDER).codes == ["INVALID_ENUM_VALUE"]


def test_an_adjustment_in_one_place_is_told_with_the_fields_of_its_era(till: Till) -> None:
    till.do("sale", location="Main", lines=[{"sku": "SKU-1", "units": 1}])

    newer = till.history("SKU-1")[-1]["adjustment"]
    older = till.history("SKU-1", OLDER)[-1]["adjustment"]

    place = till.place("Main")
    assert (newer["from_location_id"], newer["to_location_id"]) == (place, place)
    assert "location_id" not in newer
    assert older["location_id"] == place


def test_transfers_are_not_to_be_had_by_id_any_more(till: Till) -> None:
    id = till.write(transfer(till, "1"), version=OLDER).body["changes"][0]["transfer"]["id"]

    assert till.call("GET", f"/v2/inventory/transfers/{id}").codes == ["GONE"]
    assert till.call("GET", f"/v2/inventory/adjustments/{id}").status == 200


def test_only_stock_moves_between_places(till: Till) -> None:
    places: dict[str, Any] = {
        "from_location_id": till.place("Main"),
        "to_location_id": till.place("Second"),
    }

    waste = till.write(till.moved("SKU-1", "1", "IN_STOCK", "WASTE", **places))
    nowhere = till.write(till.moved("SKU-1", "1", "NONE", "IN_STOCK"))
    standing = till.write(
        till.moved("SKU-1", "1", "IN_STOCK", "IN_STOCK", to_location_id=till.place())
    )

    assert (waste.codes, nowhere.codes, standing.codes) == (
        ["INVALID_VALUE"],
        ["MISSING_REQUIRED_PARAMETER"],
        ["INVALID_VALUE"],
    )


@pytest.mark.parametrize("version", ["latest", "2026-7-15", "2026-07-15T00:00:00Z"])
def test_a_version_is_a_date(till: Till, version: str) -> None:
    answer = till.call("GET", "/v2/locations", version=version)

    assert answer.codes == ["INVALID_SQUARE_VERSION_FORMAT"]


def test_an_answer_says_its_version(till: Till) -> None:
    given = till.call("GET", "/v2/locations", version=OLDER)
    default = till.simulator.call("GET", "/v2/locations")

    assert given.headers["square-version"] == OLDER
    assert default.headers["square-version"] == till.simulator.default_version
