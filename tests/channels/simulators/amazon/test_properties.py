"""What holds whatever happens: units are never made or lost, patches keep what they must, a reset is a fresh start."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from channels.simulators.amazon.account import Refused
from channels.simulators.amazon.attributes import patched
from tests.channels.simulators.amazon.seller import Seller

HERE = "ATVPDKIKX0DER"
UNITS = st.integers(0, 5)
CODES = st.sampled_from(["DEFAULT", "AMAZON_NA"])

STEPS = st.one_of(
    st.tuples(st.just("order"), st.integers(1, 6)),
    st.tuples(st.just("mcf"), st.integers(1, 6)),
    st.tuples(st.just("ship"), UNITS),
    st.tuples(st.just("cancel"), UNITS),
    st.tuples(st.just("cancel_mcf"), UNITS),
    st.tuples(st.just("wait"), st.sampled_from([60, 300, 1500])),
    st.tuples(st.sampled_from(["damaged", "researching", "transfer_out"]), st.integers(1, 3)),
)


def act(seller: Seller, step: str, number: int) -> None:
    orders = [one for one in seller.account.orders.values() if one.channel == "AMAZON"]
    outbounds = list(seller.account.outbounds.values())
    if step == "order":
        seller.do("order", lines=[{"sku": "FBA-1", "units": number}])
    elif step == "mcf":
        seller.do("mcf", lines=[{"sku": "FBA-1", "units": number}], policy="FillAllAvailable")
    elif step == "wait":
        seller.later(number)
    elif step in ("ship", "cancel") and orders:
        seller.do(f"{step}_order", order=orders[number % len(orders)].order_id)
    elif step == "cancel_mcf" and outbounds:
        one = outbounds[number % len(outbounds)]
        path = f"/fba/outbound/2020-07-01/fulfillmentOrders/{one.seller_id}/cancel"
        seller.call("PUT", path)
    elif step in ("damaged", "researching", "transfer_out"):
        seller.do("adjust", sku="FBA-1", units=number, kind=step)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_amazons_units_are_the_first_ones_less_what_was_shipped(
    steps: list[tuple[str, int]],
) -> None:
    seller = Seller(stocked=False)
    seller.do("listing", sku="FBA-1", fba={"fulfillable": 20})
    for step, number in steps:
        try:
            act(seller, step, number)
        except Refused:
            continue

    listing = seller.account.listing("FBA-1")
    shipped = sum(units for _, units in listing.shipped_units)
    open_units = sum(
        line.open
        for order in seller.account.orders.values()
        if order.channel == "AMAZON"
        for line in order.lines
    )
    held = sum(line.reserved for one in seller.account.outbounds.values() for line in one.lines)
    assert listing.fba.total == 20 - shipped
    assert listing.fba.reserved_orders == open_units + held
    booked = sum(row.units for row in seller.account.ledger if row.event != "WhseTransfers")
    assert booked == 20 - shipped
    seller.close()


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), UNITS), CODES, UNITS)
def test_merging_keeps_every_field_and_replacing_only_the_given(
    fields: dict[str, int], code: str, units: int
) -> None:
    before = {
        "fulfillment_availability": [
            {"marketplace_id": HERE, "fulfillment_channel_code": "DEFAULT", "quantity": 9, **fields}
        ]
    }
    value = {"fulfillment_channel_code": code, "quantity": units}

    def after(op: str) -> dict[str, Any]:
        patch = {"op": op, "path": "/attributes/fulfillment_availability", "value": [value]}
        entries = patched(before, [patch], HERE)["fulfillment_availability"]
        return {entry["fulfillment_channel_code"]: entry for entry in entries}

    same = code == "DEFAULT"
    assert after("merge")["DEFAULT"] == before["fulfillment_availability"][0] | (
        {"quantity": units} if same else {}
    )
    assert after("replace")[code] == {"marketplace_id": HERE, **value}
    assert set(after("merge")) == set(after("replace")) == {"DEFAULT", code}
    assert before["fulfillment_availability"][0]["quantity"] == 9, "the listing itself is untouched"


def test_a_reset_account_is_like_a_new_one() -> None:
    used, new = Seller(stocked=False), Seller(stocked=False)
    used.do("listing", sku="A", units=3)
    used.patch("A", 1)
    used.do("fault", kind="swallow")
    used.do("pace", apply_s=1)
    used.subscribe("ORDER_CHANGE")

    used.do("reset")

    for seller in (used, new):
        seller.do("listing", sku="B", units=3)
    assert used.do("state")["listings"] == new.do("state")["listings"]
    assert used.do("state")["subscriptions"] == []
    assert used.do("faults")["faults"] == []
    assert used.account.pace == new.account.pace
    used.later(60)
    assert used.item("A").status == 404
    for seller in (used, new):
        seller.close()


def test_the_same_seed_makes_the_same_ids() -> None:
    one, other = Seller(seed=4), Seller(seed=4)
    third = Seller(seed=5)

    asins = [seller.account.listing("FBA-1").asin for seller in (one, other, third)]

    assert asins[0] == asins[1] != asins[2]
    for seller in (one, other, third):
        seller.close()
