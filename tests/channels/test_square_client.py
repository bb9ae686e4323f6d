"""What only Square has: presence at a location, two eras of moves, one key for many types of notification."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from channels.base import (
    Binding,
    Confirmed,
    Level,
    Refused,
    Throttled,
    Unauthorised,
    Unavailable,
)
from channels.simulators.square.serving import SquareRunning
from channels.square import history
from channels.square.client import VERSION, Square
from tests.channels.square_rig import OLDER, SquareRig
from tests.channels.square_stub import a_binding, a_client, refused
from tests.channels.stub import Answer, Stub


@pytest.fixture
def till(vendor: Stub) -> Iterator[Square]:
    client = a_client(vendor)
    yield client
    client.close()


def a(square: SquareRig) -> Binding:
    return square.bindings()["SKU-A"]


def a_moment_ago(square: SquareRig) -> datetime:
    """In the vendor's whole milliseconds."""
    return square.now().replace(microsecond=0)


def object_of(square: SquareRig, binding: Binding) -> dict[str, Any]:
    """The catalogue object as the account holds it."""
    return square.catalogue(binding.item_id)


class TestStopAndGo:
    def test_a_zero_alone_does_not_stop_a_till(self, square: SquareRig) -> None:
        square.channel.push([Level(a(square), 0, 1)], key="k1")

        assert square.sellable("SKU-A")
        assert not square.online("SKU-A")

    def test_a_stop_stops_the_till_and_the_online_shop_at_this_location_only(
        self, square: SquareRig
    ) -> None:
        binding = a(square)

        undo = square.channel.stop_sale(binding)

        assert not square.sellable("SKU-A")
        assert not square.online("SKU-A")
        assert square.order("SKU-A", 1, place="Bergen")
        assert undo == {"variation_id": binding.item_id, "presence": "everywhere", "units": "10"}
        assert square.shown("SKU-A") == 0

    def test_resuming_leaves_the_catalogue_as_it_was(self, square: SquareRig) -> None:
        binding = a(square)
        before = object_of(square, binding)

        square.channel.resume_sale(binding, square.channel.stop_sale(binding))

        after = object_of(square, binding)
        moving = ("version", "updated_at", "absent_at_location_ids")
        assert {k: v for k, v in after.items() if k not in moving} == {
            k: v for k, v in before.items() if k not in moving
        }
        assert after.get("absent_at_location_ids", []) == []
        assert square.sellable("SKU-A")

    def test_a_variation_listed_at_its_locations_is_listed_again(self, square: SquareRig) -> None:
        binding = a(square)
        both = sorted(square.places.values())
        square.place(binding.item_id, everywhere=False, present=both)

        undo = square.channel.stop_sale(binding)

        assert undo["presence"] == "listed"
        assert not square.sellable("SKU-A")
        square.channel.resume_sale(binding, undo)
        shown = object_of(square, binding)
        assert sorted(shown["present_at_location_ids"]) == both
        assert square.sellable("SKU-A")

    def test_what_was_not_sold_there_before_is_not_sold_there_after(
        self, square: SquareRig
    ) -> None:
        binding = a(square)
        square.place(binding.item_id, absent=[binding.vendor_location_id])

        undo = square.channel.stop_sale(binding)
        square.channel.resume_sale(binding, undo)

        assert undo["presence"] == "absent"
        assert not square.sellable("SKU-A")

    def test_what_a_person_changed_meanwhile_is_left_as_it_is(self, square: SquareRig) -> None:
        binding = a(square)
        undo = square.channel.stop_sale(binding)
        square.place(binding.item_id, everywhere=False, present=[square.places["Bergen"]])

        square.channel.resume_sale(binding, undo)

        shown = object_of(square, binding)
        assert shown["present_at_location_ids"] == [square.places["Bergen"]]
        assert not square.sellable("SKU-A")

    def test_other_locations_out_of_which_it_was_taken_stay_so(self, square: SquareRig) -> None:
        binding = a(square)
        elsewhere = square.places["Bergen"]
        square.place(binding.item_id, absent=[elsewhere])

        square.channel.resume_sale(binding, square.channel.stop_sale(binding))

        assert object_of(square, binding)["absent_at_location_ids"] == [elsewhere]

    def test_a_second_halt_is_no_repeat_of_the_first(self, square: SquareRig) -> None:
        binding = a(square)
        for epoch in ("one", "two"):
            square.advance(5)
            square.channel.push([Level(binding, 10, 1)], key=epoch)
            undo = square.channel.stop_sale(binding)

            assert square.shown("SKU-A") == 0
            assert not square.sellable("SKU-A")
            square.channel.resume_sale(binding, undo)

    def test_a_level_below_zero_is_left_there_by_a_halt(self, square: SquareRig) -> None:
        binding = a(square)
        square.drift("SKU-A", -12)

        square.channel.stop_sale(binding)

        assert square.shown("SKU-A") == -2

    def test_a_variation_that_is_gone_cannot_be_halted(self, square: SquareRig) -> None:
        binding = a(square)
        square.do("delete_item", sku="SKU-A")

        for gone in (binding, square.unknown(binding)):
            with pytest.raises(Refused, match="not in the catalogue") as refusal:
                square.channel.stop_sale(gone)
            assert refusal.value.code == "NO_VARIANT"

    def test_somebody_who_edits_it_all_the_time_makes_the_halt_unavailable(
        self, vendor: Stub, till: Square
    ) -> None:
        binding = a_binding(1)
        seen: dict[str, object] = {"object": {"id": "V1", "version": 1, "type": "ITEM_VARIATION"}}
        conflict = refused(409, ("CONFLICT", "object.version"))
        thrice: list[Answer | dict[str, object]] = [seen, conflict] * 3
        # Once for its state, its count twice, then reading and writing thrice.
        vendor.says(seen, {"objects": []}, {}, {"objects": []}, {}, *thrice)

        with pytest.raises(Unavailable, match="changes faster"):
            till.stop_sale(binding)


class TestReading:
    def test_what_square_no_longer_counts_is_unknown(self, square: SquareRig) -> None:
        binding = a(square)
        square.do("track", sku="SKU-A", location="Oslo", tracked=False)

        (reading,) = square.channel.snapshot([binding])

        assert reading.units is None

    def test_a_variation_never_counted_there_is_unknown(self, square: SquareRig) -> None:
        square.do("item", variations=[{"sku": "SKU-N"}])
        binding = square.bindings()["SKU-N"]

        (reading,) = square.channel.snapshot([binding])

        assert (reading.units, reading.updated_at) == (None, None)

    def test_what_is_counted_by_measure_is_unknown(self, square: SquareRig) -> None:
        square.do("item", variations=[{"sku": "SKU-W", "stock": {"Oslo": "2.5"}}])

        (reading,) = square.channel.snapshot([square.bindings()["SKU-W"]])

        assert reading.units is None

    def test_a_level_below_zero_is_told(self, square: SquareRig) -> None:
        square.drift("SKU-A", -12)

        (reading,) = square.channel.snapshot([a(square)])

        assert reading.units == -2
        assert reading.updated_at is not None

    def test_each_location_has_its_own_level(self, square: SquareRig) -> None:
        both = {place: name.upper() for name, place in square.places.items()}
        bindings = list(square.channel.bindings(both))
        square.channel.push(
            [Level(each, 3, 1) for each in bindings if each.location == "OSLO"], key="k"
        )

        units = {
            (r.binding.sku, r.binding.location): r.units for r in square.channel.snapshot(bindings)
        }

        assert {units[sku, "OSLO"] for sku in ("SKU-A", "SKU-B", "SKU-C")} == {3}
        assert {units[sku, "BERGEN"] for sku in ("SKU-A", "SKU-B", "SKU-C")} == {20}

    def test_only_mapped_places_counted_and_named_variations_are_bound(
        self, square: SquareRig
    ) -> None:
        square.do("item", variations=[{"sku": "SKU-U", "tracked": False}])
        square.do("item", variations=[{"sku": ""}])
        square.do("item", variations=[{"sku": "SKU-O"}])
        square.do("track", sku="SKU-O", location="Oslo", tracked=False)
        square.place(a(square).item_id, absent=[square.places["Bergen"]])
        both = {place: name.upper() for name, place in square.places.items()}

        found = {(each.sku, each.location) for each in square.channel.bindings(both)}

        assert found == {("SKU-A", "OSLO"), ("SKU-O", "BERGEN")} | {
            (sku, place) for sku in ("SKU-B", "SKU-C") for place in ("OSLO", "BERGEN")
        }

    def test_a_thousand_levels_are_pushed_with_one_reading_and_ten_writes(
        self, square: SquareRig
    ) -> None:
        square.do(
            "items",
            items=[
                {"variations": [{"sku": f"MANY-{number}", "stock": {"Oslo": 1}}]}
                for number in range(997)
            ],
        )
        bindings = list(square.channel.bindings(square.locations))
        assert len(bindings) == 1000
        square.advance(5)

        outcomes = square.channel.push([Level(each, 2, 1) for each in bindings], key="all")

        assert {type(outcome) for outcome in outcomes} == {Confirmed}
        assert len(square.calls("BatchRetrieveInventoryCounts")) == 1
        assert [call["rows"] for call in square.calls("BatchChangeInventory")] == [100] * 10
        assert {reading.units for reading in square.channel.snapshot(bindings)} == {2}

    @pytest.mark.parametrize("state", ["expired", "revoked"])
    def test_a_token_that_ended_calls_a_person(self, square: SquareRig, state: str) -> None:
        binding = a(square)
        square.do("token", **{"is": state})

        with pytest.raises(Unauthorised, match="check the channel's token"):
            list(square.channel.snapshot([binding]))

    def test_a_limit_that_nobody_told_is_heeded_when_it_is_met(self, square: SquareRig) -> None:
        binding = a(square)
        square.do("limit", per_second=1, burst=1)
        list(square.channel.subscriptions())

        with pytest.raises(Throttled) as refusal:
            list(square.channel.snapshot([binding]))

        assert refusal.value.retry_after_s > 0


class TestTwoEras:
    @pytest.fixture(params=[OLDER, VERSION])
    def era(
        self, request: pytest.FixtureRequest, simulated_account: SquareRunning
    ) -> Iterator[SquareRig]:
        made = SquareRig(simulated_account, version=request.param)
        yield made
        made.close()

    def test_a_move_takes_units_from_one_place_to_another(self, era: SquareRig) -> None:
        era.advance(5)
        binding = a(era)

        made = era.channel.move(binding, era.places["Bergen"], 4, at=a_moment_ago(era), key="m1")

        assert (era.shown("SKU-A"), int(era.level("SKU-A", "Bergen")["quantity"])) == (6, 24)
        assert (made.kind, made.said, made.reference) == ("move", "4", "m1")
        assert made.from_place == (era.places["Oslo"], "IN_STOCK")
        assert made.to_place == (era.places["Bergen"], "IN_STOCK")

    def test_a_move_repeated_with_its_key_is_made_once(self, era: SquareRig) -> None:
        era.advance(5)
        binding = a(era)
        era.fault("reset_after_apply", count=1)
        at = a_moment_ago(era)
        with pytest.raises(Unavailable):
            era.channel.move(binding, era.places["Bergen"], 4, at=at, key="m1")

        made = era.channel.move(binding, era.places["Bergen"], 4, at=at, key="m1")

        assert (made.kind, made.occurred_at) == ("move", at)
        assert era.shown("SKU-A") == 6

    def test_the_history_is_read_in_the_words_of_its_era(self, era: SquareRig) -> None:
        binding, since = a(era), era.now()
        era.advance(5)
        era.order("SKU-A", 3)
        era.advance(5)
        era.channel.push([Level(binding, 5, 1)], key="k1")

        told = list(era.channel.changes([binding], since))

        oslo = era.places["Oslo"]
        assert [(c.kind, c.said, c.from_place, c.to_place, c.reference) for c in told] == [
            ("adjustment", "3", (oslo, "IN_STOCK"), (oslo, "SOLD"), ""),
            ("count", "5", (oslo, "IN_STOCK"), (oslo, "IN_STOCK"), "k1"),
        ]

    def test_a_move_is_told_as_an_adjustment_in_the_newer_era_only(self, era: SquareRig) -> None:
        binding, since = a(era), era.now()
        era.advance(5)
        era.channel.move(binding, era.places["Bergen"], 4, at=a_moment_ago(era), key="m1")

        told = [change.kind for change in era.channel.changes([binding], since)]

        assert told == (["move"] if history.moves_are_adjustments(era.version) else [])

    def test_nothing_is_asked_about_nothing(self, era: SquareRig) -> None:
        assert list(era.channel.changes([], era.now())) == []


class TestSubscriptions:
    URI = "https://relay.example.com/hooks/square"

    def test_what_is_missing_is_added_under_the_same_key(self, square: SquareRig) -> None:
        square.channel.subscribe(["order.created"], self.URI)

        made = square.channel.subscribe(["order.created", "refund.created"], self.URI)

        assert [each.topic for each in made] == ["refund.created"]
        assert len({each.subscription_id for each in square.channel.subscriptions()}) == 1

    def test_another_address_is_another_subscription(self, square: SquareRig) -> None:
        square.channel.subscribe(["order.created"], self.URI)

        square.channel.subscribe(["order.created"], self.URI + "/2")

        assert {each.uri for each in square.channel.subscriptions()} == {self.URI, self.URI + "/2"}

    def test_one_that_somebody_switched_off_is_switched_on_with_everything_it_sends(
        self, square: SquareRig
    ) -> None:
        (made,) = square.channel.subscribe(["order.created"], self.URI)
        square.switch_off(made.subscription_id)
        assert square.channel.subscriptions() == []

        again = square.channel.subscribe(["order.created"], self.URI)

        assert again == [made]
        assert square.channel.subscriptions() == [made]

    def test_they_belong_to_the_application_and_not_to_the_seller(
        self, square: SquareRig, simulated_account: SquareRunning
    ) -> None:
        ours = simulated_account.facts.token
        client = square.client("EAAA_a_sellers", application_token=ours)

        (made,) = client.subscribe(["order.created"], self.URI)

        assert client.subscriptions() == [made]
        with pytest.raises(Unauthorised):
            list(client.bindings(square.locations))
        client.close()

    def test_one_that_somebody_deleted_can_be_made_again(self, square: SquareRig) -> None:
        (first,) = square.channel.subscribe(["order.created"], self.URI)
        square.unsubscribe(first.subscription_id)
        square.advance(1)

        (second,) = square.channel.subscribe(["order.created"], self.URI)

        assert second.subscription_id != first.subscription_id


def test_too_many_rows_are_refused_before_anything_is_asked(vendor: Stub, till: Square) -> None:
    levels = [Level(replace(a_binding(1), sku=f"S-{n}"), 1, 1) for n in range(1001)]

    with pytest.raises(ValueError, match="1001 levels; one push carries 1000 at most"):
        till.push(levels, key="k1")

    assert vendor.heard == []
    assert till.answers("receipt", []) is None
    assert timedelta(seconds=till.settle_s) == timedelta(0)
