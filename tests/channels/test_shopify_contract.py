from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from channels.base import Level
from tests.channels.contract import ChannelContract
from tests.channels.shopify_rig import ShopifyRig


@pytest.fixture
def topics() -> Sequence[str]:
    return ("inventory_levels/update", "orders/create", "orders/updated", "refunds/create")


class TestShopify(ChannelContract):
    """Shopify keeps keys for a day and compares before it sets."""


class TestShopifyAlone:
    """What only Shopify has."""

    def oversell(self, rig: ShopifyRig, sku: str) -> None:
        """Somebody lets the variant sell below zero."""
        rig.channel.resume_sale(rig.bindings()[sku], {"policy": "CONTINUE"})

    def policy(self, rig: ShopifyRig, sku: str) -> str:
        return rig.channel.sale_state(rig.bindings()[sku])["policy"]

    def test_a_variant_that_oversells_is_stopped_and_oversells_again_after(
        self, rig: ShopifyRig
    ) -> None:
        self.oversell(rig, "SKU-A")
        binding = rig.bindings()["SKU-A"]

        undo = rig.channel.stop_sale(binding)

        assert not rig.sellable("SKU-A")
        assert (undo["policy"], undo["units"]) == ("CONTINUE", "10")
        rig.channel.resume_sale(binding, undo)
        assert self.policy(rig, "SKU-A") == "CONTINUE"
        assert rig.sellable("SKU-A")

    def test_a_policy_that_denied_before_denies_after(self, rig: ShopifyRig) -> None:
        binding = rig.bindings()["SKU-A"]

        rig.channel.resume_sale(binding, rig.channel.stop_sale(binding))

        assert self.policy(rig, "SKU-A") == "DENY"

    def test_what_a_person_changed_meanwhile_is_left_as_it_is(self, rig: ShopifyRig) -> None:
        self.oversell(rig, "SKU-A")
        binding = rig.bindings()["SKU-A"]
        undo = rig.channel.stop_sale(binding)
        self.oversell(rig, "SKU-A")

        rig.channel.resume_sale(binding, undo)

        assert self.policy(rig, "SKU-A") == "CONTINUE"

    def test_a_second_halt_within_the_day_is_no_repeat_of_the_first(self, rig: ShopifyRig) -> None:
        binding = rig.bindings()["SKU-A"]
        for epoch in ("one", "two"):
            rig.advance(5)
            rig.channel.push([Level(binding, 10, 1)], key=epoch)

            rig.channel.stop_sale(binding)

            assert rig.shown("SKU-A") == 0

    def test_a_level_below_zero_is_left_there_by_a_halt(self, rig: ShopifyRig) -> None:
        rig.drift("SKU-A", -12)

        rig.channel.stop_sale(rig.bindings()["SKU-A"])

        assert rig.shown("SKU-A") == -2
        assert not rig.sellable("SKU-A")

    def test_zero_can_be_made_to_mean_sold_out_and_back(self, rig: ShopifyRig) -> None:
        self.oversell(rig, "SKU-A")
        bindings = list(rig.bindings().values())
        rig.channel.push([Level(bindings[0], 0, 1)], key="k")
        assert rig.sellable("SKU-A")

        undo = rig.channel.deny_oversell(bindings)

        assert list(undo) == [bindings[0].variant_id]
        assert not rig.sellable("SKU-A")
        rig.channel.allow_oversell(bindings, undo)
        assert [self.policy(rig, sku) for sku in ("SKU-A", "SKU-B")] == ["CONTINUE", "DENY"]

    def test_only_mapped_locations_tracked_items_and_named_variants_are_bound(
        self, rig: ShopifyRig
    ) -> None:
        rig.do(
            "product",
            variants=[
                {"sku": "SKU-U", "stock": {"Oslo": 1}, "tracked": False},
                {"sku": "SKU-N", "stock": {"Bergen": 1}},
                {"sku": "SKU-O", "stock": {"Oslo": 1}},
            ],
        )

        both = {place: name.upper() for name, place in rig.places.items()}
        found = {(each.sku, each.location) for each in rig.channel.bindings(both)}

        assert found == {("SKU-O", "OSLO"), ("SKU-N", "BERGEN")} | {
            (sku, place) for sku in ("SKU-A", "SKU-B", "SKU-C") for place in ("OSLO", "BERGEN")
        }

    def test_a_level_is_read_by_its_place_when_its_id_is_not_known(self, rig: ShopifyRig) -> None:
        rig.drift("SKU-A", -3)
        bindings = [
            replace(binding, level_id="") for binding in rig.channel.bindings(rig.locations)
        ]

        readings = {each.binding.sku: each for each in rig.channel.snapshot(bindings)}

        assert [readings[sku].units for sku in ("SKU-A", "SKU-B")] == [7, 10]
        assert readings["SKU-A"].updated_at is not None

    def test_committed_units_are_told_apart_from_sellable_ones(self, rig: ShopifyRig) -> None:
        rig.order("SKU-A", 4)

        (reading,) = rig.channel.snapshot([rig.bindings()["SKU-A"]])

        assert (reading.units, reading.committed) == (6, 4)

    def test_two_hundred_and_fifty_rows_cost_one_call(self, rig: ShopifyRig) -> None:
        rig.do(
            "products",
            products=[
                {"variants": [{"sku": f"MANY-{number}", "stock": {"Oslo": 1}}]}
                for number in range(247)
            ],
        )
        bindings = list(rig.channel.bindings(rig.locations))
        assert len(bindings) == 250
        before = len(rig.do("events", kind="api")["events"])

        outcomes = rig.channel.push([Level(each, 2, 1) for each in bindings], key="all")

        assert len(outcomes) == 250
        assert len(rig.do("events", kind="api")["events"]) == before + 1
        assert {reading.units for reading in rig.channel.snapshot(bindings)} == {2}
