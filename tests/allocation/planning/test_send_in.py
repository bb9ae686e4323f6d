"""What to send into Amazon's network: enough, not more than there is room for, and evenly where there is too little."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from allocation.planning.ageing import EXCESS_DAYS
from allocation.planning.send_in import Room, Sent, Short, Terms, Wanting, propose, wanted_units

TERMS = Terms(target_days=45, lead_days=14)


def wanting(
    sku: str = "A-1",
    *,
    per_day: float = 4.0,
    position: int = 100,
    carton: int = 12,
    feet: str | None = "2",
    homes: Mapping[str, int] | None = None,
    kind: str = "standard",
) -> Wanting:
    return Wanting(
        sku,
        sku,
        per_day,
        position,
        kind,
        carton,
        None if feet is None else Decimal(feet),
        {"OSLO": 1000} if homes is None else homes,
    )


def units_of(proposal_lines: Mapping[str, list[Sent]]) -> dict[str, int]:
    return {line.sku: line.units for lines in proposal_lines.values() for line in lines}


def test_a_sku_gets_whole_cartons_until_it_has_what_is_wanted() -> None:
    # 4 a day over 14 + 45 days are 236; 136 are missing: 12 cartons of 12.
    found = propose([wanting()], {}, TERMS)

    assert wanted_units(wanting(), TERMS) == 136
    (line,) = found.shipments["OSLO"]
    assert (line.units, line.cartons, line.cubic_feet) == (144, 12, Decimal(24))
    assert line.why == "100 last 25 days; 14 of transit and 45 days are wanted"
    assert found.short == []


def test_what_has_enough_or_does_not_sell_is_not_sent() -> None:
    found = propose([wanting(position=236), wanting("A-2", per_day=0.0, position=0)], {}, TERMS)

    assert (found.shipments, found.short) == ({}, [])


def test_where_room_is_short_every_sku_lasts_as_long_as_the_others() -> None:
    two = [wanting(position=0), wanting("A-2", per_day=2.0, position=40)]
    rooms = {"standard": Room(cubic_feet=Decimal(20), used_cubic_feet=Decimal(2))}

    found = propose(two, rooms, TERMS)

    # 9 cartons fit: with 8 of them A-1 lasts 24 days, with one A-2 lasts 26.
    assert units_of(found.shipments) == {"A-1": 96, "A-2": 12}
    assert {each.sku: each.why for each in found.short} == {
        "A-1": "no room: 20 cubic feet are the limit",
        "A-2": "no room: 20 cubic feet are the limit",
    }
    assert rooms["standard"].taken_cubic_feet == Decimal(18)


def test_a_limit_in_units_needs_no_size_and_one_in_cubic_feet_does() -> None:
    sizeless = wanting(feet=None)

    by_units = propose([sizeless], {"standard": Room(units=100, used_units=60)}, TERMS)
    by_feet = propose([sizeless], {"standard": Room(cubic_feet=Decimal(1000))}, TERMS)

    assert units_of(by_units.shipments) == {"A-1": 36}
    assert by_feet.shipments == {}
    assert by_feet.short == [
        Short("A-1", "A-1", 136, "no size: say it with `lockstep amazon size set`")
    ]


def test_a_carton_that_would_be_excess_stays_at_home() -> None:
    found = propose([wanting(per_day=0.2, position=4, carton=24)], {}, TERMS)

    assert found.shipments == {}
    assert found.short == [Short("A-1", "A-1", 8, "a carton of 24 is more than 90 days of supply")]


def test_each_place_that_has_it_makes_a_shipment_of_its_own() -> None:
    found = propose([wanting(homes={"OSLO": 30, "BERGEN": 70})], {}, TERMS)

    assert {place: lines[0].cartons for place, lines in found.shipments.items()} == {
        "BERGEN": 5,
        "OSLO": 2,
    }
    assert found.short == [Short("A-1", "A-1", 136 - 84, "no more at home")]


def test_what_nobody_has_is_told() -> None:
    found = propose([wanting(homes={})], {}, TERMS)

    assert found.short == [Short("A-1", "A-1", 136, "none at home")]


many = st.lists(
    st.builds(
        lambda per_day, position, carton, home, kind: wanting(
            per_day=per_day,
            position=position,
            carton=carton,
            homes={"OSLO": home} if home else {},
            kind=kind,
        ),
        st.floats(0, 30),
        st.integers(0, 500),
        st.integers(1, 40),
        st.integers(0, 600),
        st.sampled_from(["standard", "oversize"]),
    ),
    max_size=6,
).map(
    lambda found: [
        Wanting(
            f"S-{n}",
            f"S-{n}",
            w.per_day,
            w.position,
            w.storage_type,
            w.carton_units,
            Decimal(1),
            w.homes,
        )
        for n, w in enumerate(found)
    ]
)


@given(many, st.integers(0, 60))
def test_a_proposal_never_breaks_a_limit_nor_takes_what_is_not_there(
    skus: list[Wanting], limit: int
) -> None:
    rooms = {"standard": Room(cubic_feet=Decimal(limit))}

    found = propose(skus, rooms, TERMS)

    by_sku = {one.sku: one for one in skus}
    lines = [line for shipment in found.shipments.values() for line in shipment]
    standard = [line for line in lines if by_sku[line.sku].storage_type == "standard"]
    assert sum(line.cubic_feet or 0 for line in standard) <= limit
    short = {each.sku: each.units for each in found.short}
    for line in lines:
        one = by_sku[line.sku]
        assert line.units == line.cartons * one.carton_units <= one.homes["OSLO"]
        most = one.per_day * (TERMS.lead_days + EXCESS_DAYS)
        assert one.position + line.units <= most + 1
    for one in skus:
        sent = sum(line.units for line in lines if line.sku == one.sku)
        assert sent + short.get(one.sku, 0) >= wanted_units(one, TERMS)


def test_more_room_never_sends_less() -> None:
    two = [wanting(position=0), wanting("A-2", per_day=2.0, position=10)]

    sent = [
        sum(
            units_of(
                propose(two, {"standard": Room(cubic_feet=Decimal(room))}, TERMS).shipments
            ).values()
        )
        for room in range(0, 70, 5)
    ]

    assert sent == sorted(sent)
    assert sent[0] == 0
    assert sent[-1] == 240 + 108
