"""How a SKU stands at Amazon, out of what its account told for months: age, sell-through, stranded, sizes, factors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from allocation.planning import size_store
from allocation.planning.send_in import Terms
from allocation.planning.size_store import Size
from channels.amazon import network_store, sizes, stranded
from channels.amazon.network_store import Capacity
from channels.base import Unreadable
from ledger import catalogue
from ledger.db import transaction
from tests.channels.amazon_rig import CHANNEL
from tests.fba.house import FBA, OSLO, SHOP, FbaHouse
from workers.flows import fba_health
from workers.flows.fba_health import Health, Line

DAY_S = 86_400


def look(fba: FbaHouse) -> Health:
    return fba_health.health(lambda: transaction(fba.engine), CHANNEL, fba.now)


def line(fba: FbaHouse, sku: str = "A-1") -> Line:
    (found,) = [each for each in look(fba).lines if each.stock.seller_sku == sku]
    return found


def received(fba: FbaHouse, sku: str, units: int) -> None:
    """An inbound shipment arrives, and the mirror reads of it."""
    for step in ("planned", "shipped", "arrived", "received"):
        fba.rig.do("inbound", sku=sku, units=units, step=step)
    fba.reported()


def sold(fba: FbaHouse, sku: str, units: int, *, pack: int = 1) -> None:
    """An order of the shop is taken off the network's stock, at Amazon and in the book."""
    order = f"{sku}-{fba.now:%Y%m%d%H%M%S}"
    fba.shop_order(order, sku, units * pack)
    said = {"channel": SHOP, "order": order, "line": "1", "sku": sku, "location": FBA}
    fba.post("ship", **said, units=units * pack)
    fba.rig.do("drift", sku=sku, part="fulfillable", units=-units)
    fba.go()


def test_age_is_by_fifo_over_all_that_amazon_received(fba: FbaHouse) -> None:
    """AZ-4, as an account lives it: 100, then 50 after 111 days, then 80 after 111 more, 120 sold."""
    fba.at_amazon("A-1", fulfillable=100)
    fba.go()
    first = fba.now.date()
    fba.reported()
    fba.pass_time(111 * DAY_S)
    second = fba.now.date()
    received(fba, "A-1", 50)
    fba.pass_time(111 * DAY_S)
    third = fba.now.date()
    received(fba, "A-1", 80)
    sold(fba, "A-1", 120)

    found = line(fba)

    assert found.stock.on_hand == 110
    assert [(each.came_on, each.units) for each in found.standing.layers] == [
        (second, 30),
        (third, 80),
    ]
    assert sum(aged.units for aged in found.standing.aged) == found.stock.on_hand
    assert found.standing.aged_units == 0
    assert found.stock.shipped_90 == 120
    assert (third - first).days >= 222


def test_what_lay_before_the_book_was_opened_gets_its_age_from_old_receipts(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=40)
    came_on = fba.now.date()
    fba.pass_time(200 * DAY_S)
    fba.go()
    fba.go()
    unknown = line(fba)
    # A span of ninety days a go, and the ledger itself once an hour.
    for _ in range(12):
        fba.go()

    known = line(fba)

    assert (unknown.standing.oldest_days, unknown.standing.aged_units) == (None, 0)
    assert [(each.came_on, each.units) for each in known.standing.layers] == [(came_on, 40)]
    assert known.standing.aged_units == 40
    assert fba.held("A-1") == (40, 0, 0)
    since = look(fba).known_since
    assert since is not None
    assert timedelta(days=540) <= fba.now - since <= timedelta(days=560)


def test_sell_through_is_over_the_days_that_the_book_follows(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=200)
    fba.go()
    fba.pass_time(40 * DAY_S)
    sold(fba, "A-1", 60)
    young = line(fba)
    fba.pass_time(55 * DAY_S)
    fba.go()

    old = line(fba)

    # 140 now and 200 thirty days ago; then 140, 140 thirty, 200 sixty, 200 ninety days ago.
    assert young.stock.snapshots == (140, 200)
    assert young.standing.sell_through == pytest.approx(60 / 170)
    assert old.stock.snapshots == (140, 140, 200, 200)
    assert old.standing.sell_through == pytest.approx(60 / 170)
    assert old.paced_by == "pace of 28 days"


def test_a_pack_of_amazons_is_counted_in_units_of_ours(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", pack=6, fulfillable=10, inbound_shipped=2)
    fba.go()
    fba.reported()

    found = line(fba)

    assert (found.stock.on_hand, found.stock.inbound) == (60, 12)
    assert [layer.units for layer in found.standing.layers] == [60]


def test_stranded_is_what_the_newest_report_names_and_unknown_before_it_came(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=30)
    fba.at_amazon("A-2", fulfillable=20)
    fba.go()
    before = line(fba)
    fba.rig.do("strand", sku="A-1", reason="Listing closed")
    fba.go()
    fba.go()

    stuck, fine = line(fba, "A-1"), line(fba, "A-2")
    fba.rig.do("strand", sku="A-1", reason=None)
    fba.pass_time(DAY_S)
    for _ in range(4):
        fba.go()
    freed = line(fba)

    assert before.standing.held.stranded is None
    assert (stuck.standing.held.stranded, fine.standing.held.stranded) == (30, 0)
    assert stuck.stranded is not None
    assert stuck.stranded["reason"] == "Listing closed"
    assert freed.standing.held.stranded == 0


def test_amazons_measure_counts_until_the_house_says_a_size(fba: FbaHouse) -> None:
    facts = {"sku": "A-1", "fba": {"fulfillable": 10}, "inches": [24, 12, 6], "pounds": 1.25}
    fba.rig.do("listing", **facts)
    fba.bind("A-1")
    for _ in range(5):
        fba.go()
    measured = line(fba)
    with transaction(fba.engine) as connection:
        size = Size("A-1", Decimal("0.9"), "apparel", 4, Decimal(4))
        size_store.set_sizes(connection, [size], by="ann", now=fba.now)

    said = line(fba)

    assert measured.size is not None
    assert (measured.size.cubic_feet, measured.size.storage_type) == (Decimal(1), "oversize")
    assert measured.size.pounds == Decimal("1.25")
    assert said.size == replace(size, pounds=Decimal("1.25"))


def test_a_sku_that_is_not_in_sync_is_held_back_and_stands_in_no_sum(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=30)
    fba.at_amazon("A-2", fulfillable=20)
    fba.go()
    fba.go()
    fba.rig.do("drift", sku="A-1", part="fulfillable", units=-4)
    for _ in range(5):
        fba.go()

    found = look(fba)

    assert [each.stock.seller_sku for each in found.lines] == ["A-2"]
    assert [each.stock.seller_sku for each in found.held_back] == ["A-1"]
    assert "is off by -4" in found.held_back[0].held_back[0]
    assert found.factors.on_hand == 20


def test_what_is_bound_to_nothing_of_ours_is_named(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=30)
    fba.at_amazon("X-9", bound=False, fulfillable=7)
    fba.go()

    assert look(fba).unbound == {"X-9": 7}


def test_the_look_is_kept_once_a_day_and_forgets_what_is_bound_no_more(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=30)
    fba.at_amazon("A-2", fulfillable=20)
    first, second, third = fba.go(), fba.go(), fba.go()
    kept = fba.rows("SELECT seller_sku, on_hand, excess_units FROM fba_standing ORDER BY 1")
    with transaction(fba.engine) as connection:
        connection.exec_driver_sql("DELETE FROM binding WHERE sku = 'A-2'")
    fba.pass_time(DAY_S)
    fourth = fba.go()

    assert [each.standings for each in (first, second, third, fourth)] == [0, 2, 0, 1]
    assert kept == [("A-1", 30, 30), ("A-2", 20, 20)]
    assert fba.rows("SELECT seller_sku FROM fba_standing") == [("A-1",)]
    days = fba.rows("SELECT on_hand, excess_ratio, skus FROM fba_factor ORDER BY day")
    assert days == [(50, 1.0, 2), (30, 1.0, 1)]


def test_part_of_the_time_in_stock_is_by_the_readings(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=10)
    fba.go()
    fba.pass_time(15 * DAY_S)
    sold(fba, "A-1", 10)
    fba.pass_time(15 * DAY_S)
    fba.go()

    found = line(fba)

    assert found.stock.in_stock == pytest.approx(0.5, abs=0.01)
    assert look(fba).factors.in_stock_ratio == pytest.approx(0.5, abs=0.01)


def test_a_proposal_leaves_homes_their_own_and_keeps_to_the_limit_of_its_day(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=200)
    fba.go()
    fba.reported()
    fba.pass_time(28 * DAY_S)
    sold(fba, "A-1", 140)
    fba.post("opening", sku="A-1", location=OSLO, units=500, reason="count", id="opening:oslo")
    with transaction(fba.engine) as connection:
        size = Size("A-1", Decimal(1), "standard", 10, Decimal(10))
        size_store.set_sizes(connection, [size], by="ann", now=fba.now)
        later = (fba.now + timedelta(days=10)).date()
        for since, feet in ((fba.now.date(), 1000), (later, 160)):
            limit = Capacity("standard", since, Decimal(feet), None)
            network_store.set_capacity(connection, CHANNEL, limit, by="ann", now=fba.now)

    now = fba_health.propose(lambda: transaction(fba.engine), CHANNEL, Terms(lead_days=2), fba.now)
    then = fba_health.propose(
        lambda: transaction(fba.engine), CHANNEL, Terms(lead_days=14), fba.now
    )

    (line_now,), (line_then,) = now.proposal.shipments[OSLO], then.proposal.shipments[OSLO]
    assert line_now.units > line_then.units == 100
    assert then.rooms["standard"].used_cubic_feet == Decimal(60)
    assert then.proposal.short[0].why == "no room: 160.00 cubic feet are the limit"


def test_what_is_stranded_or_to_be_taken_out_is_not_sent_more_of(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=30)
    fba.at_amazon("A-2", fulfillable=30)
    fba.pass_time(200 * DAY_S)
    fba.go()
    fba.rig.do("strand", sku="A-1", reason="Listing closed")
    for _ in range(8):
        fba.go()
    for sku in ("A-1", "A-2"):
        sold(fba, sku, 10)
        home = {"sku": sku, "location": OSLO, "units": 500, "reason": "count"}
        fba.post("opening", **home, id=f"opening:{sku}")

    found = fba_health.propose(lambda: transaction(fba.engine), CHANNEL, Terms(), fba.now)

    assert found.proposal.shipments == {}
    assert {each.seller_sku: each.why for each in found.proposal.short} == {
        "A-1": "30 are stranded: Listing closed",
        "A-2": "20 are to be taken out first",
    }


def test_an_order_that_amazon_ships_for_a_shop_leaves_the_network_once(fba: FbaHouse) -> None:
    """AZ-5: 40 there, one sold by the shop and shipped by Amazon: 39, not 38."""
    fba.at_amazon("A-1", fulfillable=40)
    fba.go()
    fba.shop_order("1001", "A-1", 1)
    fba.rig.do("mcf", id="1001", lines=[{"sku": "A-1", "units": 1}])
    fba.go()
    fba.pass_time(3600)
    fba.go()

    assert fba.truth("A-1")["fulfillable"] == 39
    assert line(fba).stock.available == 39


# -- the reports -----------------------------------------------------------------------------------------------------


def test_the_stranded_report_is_read_by_its_columns() -> None:
    content = (
        b"primary-action\tdate-stranded\tDate-to-take-auto-removal\tstranded-reason\tsku\tfulfillable-qty\r\n"
        b"Relist\t2026-11-01T00:00:00+00:00\t2026-12-01T00:00:00+00:00\tListing closed\tA-1\t3\r\n"
        b"Relist\t\t\tListing closed\tA-1\t4\r\nRelist\t\t\tx\t\t4\r\nRelist\t\t\tx\tA-2\tmany\r\n"
    )

    (row,) = stranded.read(content)

    assert (row.seller_sku, row.fulfillable, row.reason, row.action) == (
        "A-1",
        7,
        "Listing closed",
        "Relist",
    )
    with pytest.raises(Unreadable):
        stranded.read(b"sku\tfnsku\r\n")


@pytest.mark.parametrize(
    ("unit", "sides", "feet"),
    [
        ("inches", ("12", "12", "12"), "1.000000"),
        ("centimeters", ("30.48", "30.48", "30.48"), "1.000000"),
        ("Inches", ("9.5", "6.2", "4.1"), "0.139751"),
        ("inches", ("0.01", "0.01", "0.01"), "0.000001"),
    ],
)
def test_sides_become_cubic_feet(unit: str, sides: tuple[str, ...], feet: str) -> None:
    rows = "\t".join(["A-1", *sides, unit, "UsLargeBulky"])
    head = "sku\tlongest-side\tmedian-side\tshortest-side\tunit-of-dimension\tproduct-size-tier"

    (found,) = sizes.read(f"{head}\r\n{rows}\r\n".encode())

    assert (found.cubic_feet, found.size_band) == (Decimal(feet), "UsLargeBulky")


@pytest.mark.parametrize(
    ("weight", "unit", "pounds"),
    [
        ("1.25", "pounds", "1.250000"),
        ("8", "ounces", "0.500000"),
        ("453.59237", "Grams", "1.000000"),
        ("2", "kilograms", "4.409245"),
        ("0.0000001", "grams", "0.000001"),
        ("--", "pounds", None),
        ("0", "pounds", None),
        ("3", "stone", None),
    ],
)
def test_what_amazon_weighed_becomes_pounds_and_a_unit_unheard_of_says_nothing(
    weight: str, unit: str, pounds: str | None
) -> None:
    head = "sku\tlongest-side\tmedian-side\tshortest-side\tunit-of-dimension\titem-package-weight\tunit-of-weight"

    (found,) = sizes.read(f"{head}\r\nA-1\t12\t12\t12\tinches\t{weight}\t{unit}\r\n".encode())

    assert found.pounds == (None if pounds is None else Decimal(pounds))


@pytest.mark.parametrize("sides", [("--", "--", "--"), ("1", "0", "1"), ("1", "2", "-3")])
def test_what_was_not_measured_has_no_size(sides: tuple[str, ...]) -> None:
    rows = "\t".join(["A-1", *sides, "inches"])
    head = "sku\tlongest-side\tmedian-side\tshortest-side\tunit-of-dimension"

    assert sizes.read(f"{head}\r\n{rows}\r\n".encode()) == []


@pytest.mark.parametrize(
    ("band", "kind"),
    [
        ("UsLargeStandardSize", "standard"),
        ("UsLargeBulky", "oversize"),
        ("UsSmallOversize", "oversize"),
        ("UsExtraLarge0To50Lb", "extra-large"),
        ("", "standard"),
    ],
)
def test_a_size_band_says_which_limit_it_falls_under(band: str, kind: str) -> None:
    assert sizes.storage_type(band) == kind


def test_the_limit_in_force_is_the_newest_of_its_type(fba: FbaHouse) -> None:
    at = datetime(2026, 7, 1, tzinfo=UTC)
    with transaction(fba.engine) as connection:
        catalogue.add_skus(connection, {"A-1": ""})
        for since, feet, minute in ((1, 10, 0), (1, 12, 1), (15, 20, 2)):
            limit = Capacity("standard", date(2026, 7, since), Decimal(feet), None)
            later = at + timedelta(minutes=minute)
            network_store.set_capacity(connection, CHANNEL, limit, by="ann", now=later)
        found = {
            day: network_store.capacity_on(connection, CHANNEL, date(2026, 7, day)).get("standard")
            for day in (1, 14, 15)
        }
        none = network_store.capacity_on(connection, CHANNEL, date(2026, 6, 30))

    assert [each.cubic_feet if each else None for each in found.values()] == [12, 12, 20]
    assert none == {}
