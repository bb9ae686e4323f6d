"""Writing to Amazon one by one, reading it back, and everything that 200 does not promise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.base import (
    Binding,
    Level,
    NotSent,
    Refused,
    Rejected,
    Throttled,
    Unauthorised,
)
from channels.simulators.amazon.serving import AmazonRunning
from tests.channels.amazon_rig import AmazonRig, an_account, bound, level, read, skus, words


@pytest.fixture(scope="module")
def account() -> Iterator[AmazonRunning]:
    with an_account() as running:
        yield running


@pytest.fixture
def rig(account: AmazonRunning) -> Iterator[AmazonRig]:
    made = AmazonRig(account, apply_s=5)
    yield made
    made.close()


# ---- one by one ----


def test_an_accepted_write_is_read_back_once_the_lane_says_it_has_settled(rig: AmazonRig) -> None:
    outcomes = rig.channel.push([level("SKU-A", 4)], key="k")

    at_once = read(rig, bound("SKU-A"))
    rig.advance(rig.channel.settle_s)

    assert words(outcomes) == ["Confirmed"]
    assert (at_once, read(rig, bound("SKU-A"))) == ([10], [4])


def test_a_push_leaves_handling_time_and_everything_else_of_the_offer(rig: AmazonRig) -> None:
    before = rig.listing("SKU-A")["availability"]

    rig.channel.push([level("SKU-A", 4)], key="k")
    rig.advance(5)
    rig.channel.stop_sale(bound("SKU-A"))
    rig.advance(5)

    assert before["lead_time_to_ship_max_days"] == 2
    assert rig.listing("SKU-A")["availability"] == before | {"quantity": 0}


def test_invalid_comes_with_200_and_is_rejected_in_amazons_words(rig: AmazonRig) -> None:
    rig.do("fault", kind="invalid", sku="SKU-A", count=1)

    outcomes = rig.channel.push([level("SKU-A", 4), level("SKU-B", 5)], key="k")

    assert words(outcomes) == ["Rejected", "Confirmed"]
    assert isinstance(outcomes[0], Rejected)
    assert outcomes[0].code == "8560"
    assert "blocked from editing" in outcomes[0].message


def test_a_write_for_a_sku_that_amazon_does_not_have_is_never_sent(rig: AmazonRig) -> None:
    outcomes = rig.channel.push([level("SKU-X", 4)], key="k")

    assert isinstance(outcomes[0], Rejected)
    assert (outcomes[0].code, rig.called("patchListingsItem")) == ("NOT_FOUND", [])


def test_units_below_zero_are_shown_as_zero(rig: AmazonRig) -> None:
    rig.channel.push([level("SKU-A", -3)], key="k")
    rig.advance(5)

    assert rig.shown("SKU-A") == 0


def test_a_write_that_comes_late_is_still_the_same_number(rig: AmazonRig) -> None:
    rig.do("fault", kind="late_apply", sku="SKU-A", seconds=60, count=1)
    rig.channel.push([level("SKU-A", 4)], key="k")
    rig.advance(rig.channel.settle_s)
    early = read(rig, bound("SKU-A"))

    rig.advance(60)

    assert (early, read(rig, bound("SKU-A"))) == ([10], [4])


def test_when_the_limit_runs_out_the_rest_is_not_sent_and_says_when(rig: AmazonRig) -> None:
    names = skus(40)
    rig.listed(dict.fromkeys(names, 1))

    outcomes = rig.channel.push([level(sku, 3) for sku in names], key="k")

    assert words(outcomes) == ["Confirmed"] * 5 + ["NotSent"] * 35
    assert {outcome.retry_after_s for outcome in outcomes if isinstance(outcome, NotSent)} == {1.0}
    assert len(rig.called("patchListingsItem")) == 5
    rig.advance(1)
    rest = rig.channel.push([level(sku, 3) for sku in names[5:]], key="k")
    assert words(rest)[:5] == ["Confirmed"] * 5


def test_a_storm_in_the_middle_keeps_what_was_written(rig: AmazonRig) -> None:
    rig.do("fault", kind="throttle", sku="SKU-B", operation="patchListingsItem", seconds=5)

    outcomes = rig.channel.push([level(s, 3) for s in ("SKU-A", "SKU-B", "SKU-C")], key="k")

    assert words(outcomes) == ["Confirmed", "NotSent", "NotSent"]


def test_a_storm_before_anything_was_written_is_the_calls(rig: AmazonRig) -> None:
    rig.do("fault", kind="throttle", operation="patchListingsItem", seconds=5)

    with pytest.raises(Throttled):
        rig.channel.push([level("SKU-A", 3)], key="k")
    with pytest.raises(Throttled):
        rig.channel.push([level("SKU-A", 3)], key="k")

    assert len(rig.called("patchListingsItem")) == 1


def test_a_connection_that_breaks_in_the_middle_keeps_what_was_written(rig: AmazonRig) -> None:
    rig.do("fault", kind="reset_after_apply", sku="SKU-B", count=1)

    outcomes = rig.channel.push([level(s, 3) for s in ("SKU-A", "SKU-B", "SKU-C")], key="k")

    assert words(outcomes) == ["Confirmed", "NotSent", "NotSent"]
    assert words(rig.channel.push([level("SKU-B", 3), level("SKU-C", 3)], key="k")) == [
        "Confirmed",
        "Confirmed",
    ]


def test_credentials_that_are_taken_away_in_the_middle_stop_the_channel(rig: AmazonRig) -> None:
    stranger = rig.client(seller_id="A2SOMEBODY")

    with pytest.raises(Unauthorised):
        stranger.push([level("SKU-A", 3)], key="k")


# ---- what Amazon ships ----


def in_network(rig: AmazonRig, sku: str, units: int) -> Binding:
    rig.do("listings", listings=[{"sku": sku, "fba": {"fulfillable": units}}])
    rig.do("advance", seconds=4 * 3600)
    return rig.bindings()[sku]


def test_units_in_amazons_network_are_never_pushed_whoever_asks(rig: AmazonRig) -> None:
    ours = in_network(rig, "SKU-F", 20)
    levels = [Level(ours, 3, 1), level("SKU-A", 4), level("SKU-F", 3)]

    outcomes = rig.channel.push(levels, key="k")

    assert (ours.vendor_location_id, ours.location) == ("FBA", "FBA-US")
    assert words(outcomes) == ["Rejected", "Confirmed", "Rejected"]
    codes = {outcome.code for outcome in outcomes if isinstance(outcome, Rejected)}
    assert codes == {"FBA_IS_READ_ONLY"}
    rig.advance(5)
    assert rig.listing("SKU-F")["units"] is None


def test_the_sale_of_units_in_amazons_network_cannot_be_stopped_here(rig: AmazonRig) -> None:
    ours = in_network(rig, "SKU-F", 20)

    for ask in (rig.channel.sale_state, rig.channel.stop_sale):
        with pytest.raises(Refused) as refusal:
            ask(ours)
        assert refusal.value.code == "FBA_IS_READ_ONLY"
    with pytest.raises(Refused):
        rig.channel.resume_sale(ours, {"units": "20"})


def test_both_kinds_of_stock_are_read_in_one_snapshot(rig: AmazonRig) -> None:
    ours = in_network(rig, "SKU-F", 20)

    readings = {r.binding.sku: r for r in rig.channel.snapshot([ours, bound("SKU-A")])}

    assert {sku: reading.units for sku, reading in readings.items()} == {"SKU-F": 20, "SKU-A": 10}
    assert readings["SKU-F"].updated_at is not None


# ---- what there is ----


def test_every_listing_is_bound_however_many_pages_there_are(rig: AmazonRig) -> None:
    names = skus(95)
    rig.listed(dict.fromkeys(names, 1))

    assert set(rig.bindings()) == {*names, "SKU-A", "SKU-B", "SKU-C"}


def test_a_listing_at_a_place_that_is_not_ours_is_left_out(rig: AmazonRig) -> None:
    in_network(rig, "SKU-F", 20)

    found = {binding.sku for binding in rig.channel.bindings({"FBA": "FBA-US"})}

    assert found == {"SKU-F"}
