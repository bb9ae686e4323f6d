"""A kept target explained: its terms add up to it, in any house, each with its id and its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.by_tier import ByTier
from allocation.document import read
from allocation.engine import Allotment, compute
from allocation.explaining import Account, Entry, Explained, Kept, Listing, Moved, explain
from allocation.planning.tiers import Tier
from allocation.target_history import Basis, terms_of
from allocation.types import (
    ChannelRule,
    Exposure,
    LocationRule,
    Outlook,
    Pace,
    Protection,
    Quota,
    Rule,
    Rules,
    Safety,
    Show,
    Target,
    Which,
)
from tests.allocation.houses import House, a_channel, houses

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
QUIET = Exposure(on=False)
LISTED = Listing(kind="shopify", bound=True)


def a_kept(target: Target, basis: Basis | None) -> Kept:
    """The target as its history has it: once through JSON."""
    terms: dict[str, Any] = orjson.loads(orjson.dumps(terms_of(target, basis)))
    return Kept(
        1, target.channel, target.sku, target.location, 4, target.units, 3, NOON, terms
    )  # fmt: skip


def a_basis(stock: Mapping[str, int], allotment: Allotment) -> Basis:
    return Basis({("SKU", at): (n, 7) for at, n in stock.items()}, {}, allotment.divisions)


def house_explained(house: House) -> list[tuple[Target, Explained]]:
    computed = house.compute()
    basis = a_basis(house.stock, computed)
    return [(t, explain(a_kept(t, basis), house.rules, LISTED)) for t in computed.targets]


def explained(
    *channels: ChannelRule,
    stock: Mapping[str, int],
    safety: int = 0,
    exposure: Exposure = QUIET,
    outlook: Outlook | None = None,
    safeties: tuple[Safety, ...] = (),
    protections: tuple[Protection, ...] = (),
) -> Explained:
    """The first channel's number at its first location."""
    rules = Rules(
        locations={at: LocationRule(at, "", "warehouse", safety) for at in stock},
        channels=channels,
        safeties=safeties,
        protections=protections,
        exposure=exposure,
    )
    places = [(c.name, at) for c in channels for at in c.locations]
    computed = compute("SKU", stock, rules, places, outlook or Outlook())
    first = channels[0]
    target = next(
        t
        for t in computed.targets
        if (t.channel, t.location) == (first.name, first.show_at or first.locations[0])
    )
    return explain(a_kept(target, a_basis(stock, computed)), rules, LISTED)


def said(found: Explained) -> dict[str, tuple[int, int, str]]:
    return {term.name: (term.units, term.sum, term.why) for term in found.terms}


@given(houses())
def test_in_any_house_the_terms_sum_to_the_target(house: House) -> None:
    for target, found in house_explained(house):
        assert sum(term.units for term in found.terms) == target.units
        assert found.terms[-1].sum == target.units
        assert found.faults == ()


@given(houses(), st.integers(2, 12), st.integers(0, 5))
def test_packs_and_holds_are_terms_like_others(house: House, pack: int, held: int) -> None:
    computed = house.compute()
    for target in computed.targets:
        rest = target.units % pack
        kept_back = min(held, target.units - rest)
        units = target.units - rest - kept_back
        less = replace(target, units=units, unpacked=rest, held=kept_back)

        found = explain(a_kept(less, a_basis(house.stock, computed)), house.rules, LISTED)

        assert sum(term.units for term in found.terms) == units
        assert found.faults == ()


@given(houses(), st.sampled_from(("available", "others", "buffered", "share", "pool", "units")))
def test_a_term_that_is_wrong_is_never_smoothed_over(house: House, name: str) -> None:
    computed = house.compute()
    target = computed.targets[0]
    kept = a_kept(target, a_basis(house.stock, computed))
    if name == "units":
        wrong = replace(kept, units=kept.units + 1)
    else:
        wrong = replace(kept, terms={**kept.terms, name: kept.terms.get(name, 0) + 1})

    assert explain(wrong, house.rules, LISTED).faults


@given(houses())
def test_every_term_has_an_id_and_a_reason(house: House) -> None:
    for _, found in house_explained(house):
        assert all(term.why for term in found.terms)
        assert all(term.id for term in found.terms)


def test_a_percent_reads_well() -> None:
    found = explained(
        a_channel("web", Rule(percent=Decimal(60), buffer=2, cap=9, why=("web sells most",))),
        a_channel("pos", Rule(percent=Decimal(40))),
        stock={"WH": 25},
        safety=5,
    )

    assert said(found) == {
        "available": (25, 25, "WH 25"),
        "safety": (-5, 20, "WH: 5 stay back"),
        "others": (-8, 12, "the others' part: web takes 60% of its pool (web sells most)"),
        "buffered": (-2, 10, "buffer 2 (web sells most)"),
        "capped": (-1, 9, "cap 9 (web sells most)"),
    }
    assert (found.pool, found.share, found.takes) == (20, 12, "60% of its pool (web sells most)")
    assert [term.id for term in found.terms] == ["SKU/WH/7", *["rules 3"] * 4]


def test_a_weight_reads_well() -> None:
    found = explained(
        a_channel("web", Rule(weight=3)), a_channel("pos", Rule(weight=1)), stock={"WH": 8}
    )

    assert found.takes == "a share of its pool by weight 3"
    assert said(found)["others"][:2] == (-2, 6)


def test_a_shared_pool_tells_what_is_at_risk() -> None:
    paces = {("pos", "WH"): Pace(0.01), ("web", "WH"): Pace(0.01)}
    found = explained(
        a_channel("web", Rule()),
        a_channel("pos", Rule()),
        stock={"WH": 100},
        exposure=Exposure(),
        outlook=Outlook(paces=paces),
    )

    units, left, why = said(found)["exposed"]
    assert found.takes == "all of its pool, which pos may sell as well"
    assert left == 100 + units < 100
    assert why == (
        f"WH is shared with pos: lines expected 0.6 in lag; {-units} stay back; risk 1%,"
        " pace or lag assumed"
    )
    assert found.terms[-1].id == "zone WH"


def test_quotas_read_well() -> None:
    paces = {("pos", "WH"): Pace(0.01), ("web", "WH"): Pace(0.01)}
    found = explained(
        a_channel("web", Rule()),
        a_channel("pos", Rule()),
        stock={"WH": 4},
        exposure=Exposure(),
        outlook=Outlook(paces=paces),
    )

    assert found.takes == "a quota of its own, shared with nobody"
    units, left, why = said(found)["others"]
    assert (units, left) == (-2, 2)
    assert why.startswith("quotas of pos: 4 at WH are scarce (at most ")


@pytest.mark.parametrize(
    ("tier", "units", "why"),
    [
        (Tier.A, -8, "buffer 8 of tier A (fast ones)"),
        (Tier.C, -1, "buffer 1 of tier C (fast ones)"),
        (
            None,
            -8,
            "buffer 8, the largest of its tiers: how fast it sells is not known yet (fast ones)",
        ),
    ],
)
def test_a_buffer_by_tier_tells_the_tier_it_went_by(
    tier: Tier | None, units: int, why: str
) -> None:
    found = explained(
        a_channel("web", Rule(buffer_by_tier=ByTier(8, 3, 1), why=("fast ones",))),
        stock={"WH": 20},
        outlook=Outlook(tier=tier),
    )

    assert said(found)["buffered"] == (units, 20 + units, why)


def test_safety_protection_floor_and_cut_off_give_their_reasons() -> None:
    found = explained(
        a_channel("web", Rule(floor=1, buffer=30, cut_off=90, why=("few",))),
        a_channel("vip", Rule()),
        stock={"WH": 90},
        safeties=(Safety(Which(sku="*"), "WH", units=4, why="shelf copies"),),
        protections=(Protection(Which(sku="SKU"), "vip", ("web",), units=60, why="they pay"),),
    )

    assert said(found) == {
        "available": (90, 90, "WH 90"),
        "safety": (-4, 86, "WH: 4 stay back (shelf copies)"),
        "protected": (-60, 26, "left for vip: 60 (they pay)"),
        "buffered": (-26, 0, "buffer 30 (few)"),
        "floored": (1, 1, "floor 1 (few)"),
        "cut": (-1, 0, "cut-off 90, and the pool has 86 (few)"),
    }


def test_a_quota_of_a_window_tells_what_was_sold() -> None:
    quota = Quota(15, datetime(2026, 3, 1, tzinfo=UTC))
    found = explained(
        a_channel("web", Rule(quota=quota)), stock={"WH": 40}, outlook=Outlook(sold={"web": 12})
    )

    assert said(found)["spent"] == (-37, 3, "quota of 15 since 2026-03-01: 12 sold")


def test_more_promised_than_there_is_leaves_nothing_to_show() -> None:
    found = explained(a_channel("web", Rule()), stock={"WH": -3})

    assert said(found) == {
        "available": (-3, -3, "WH -3"),
        "owed": (3, 0, "more was promised than is there; a pool is never below 0"),
    }


def test_what_is_excluded_says_why() -> None:
    found = explained(a_channel("web", Rule(excluded=True, why=("no licence",))), stock={"WH": 3})

    assert found.remark == "excluded, so it shows 0 (no licence)"
    assert said(found)["others"] == (-3, 0, "excluded (no licence)")


def test_the_reason_of_a_field_is_that_of_the_override_that_states_it() -> None:
    rules = read("""
[locations.WH]
[channels.web]
kind = "shopify"
base_url = "https://web.example"
locations = ["WH"]
vendor_locations = { "1" = "WH" }
buffer = 1
cap = 50
why = "usual"
[[overrides]]
sku = "SKU"
channel = "web"
buffer = 6
why = "returns often"
""").rules()
    computed = compute("SKU", {"WH": 90}, rules, [("web", "WH")])
    kept = a_kept(computed.targets[0], a_basis({"WH": 90}, computed))

    found = said(explain(kept, rules, LISTED))

    assert found["buffered"][2] == "buffer 6 (returns often)"
    assert found["capped"][2] == "cap 50 (usual)"


def test_a_pool_of_places_names_each_balance() -> None:
    found = explained(a_channel("web", Rule(), ("WH", "ST")), stock={"WH": 5, "ST": 2, "KI": 9})

    assert (found.terms[0].units, found.terms[0].why) == (7, "WH 5, ST 2")
    assert found.terms[0].id == "SKU/WH/7 SKU/ST/7"


@pytest.mark.parametrize(
    ("channel", "location", "remark"),
    [
        ("web", "ST", "no rule serves this place, so it shows 0"),
        ("gone", "WH", "the rules did not know the channel, so it shows 0"),
        ("web", "WH", "the SKU was not listed there any more, so it shows 0"),
    ],
)
def test_a_number_without_a_rule_is_0_and_says_why(
    channel: str, location: str, remark: str
) -> None:
    rules = Rules({"WH": LocationRule("WH", "", "warehouse", 0)}, (a_channel("web", Rule()),))
    basis = Basis({("SKU", "WH"): (5, 1)}, {}, ())

    found = explain(a_kept(Target(channel, "SKU", location, 0), basis), rules, Listing())

    assert (found.remark, found.faults) == (remark, ())
    assert [(t.name, t.units, t.why) for t in found.terms] == [
        ("available", 0, "nothing is counted here")
    ]


def a_bundle(available: int) -> Explained:
    rules = Rules(
        {at: LocationRule(at, "", "warehouse", 0) for at in ("WH", "ST")},
        (a_channel("web", Rule(), ("WH", "ST")),),
    )
    balances = {("MUG", "WH"): (9, 3), ("BOX", "WH"): (7, 2), ("MUG", "ST"): (4, 1)}
    basis = Basis(balances, {"MUG": 2, "BOX": 1}, ())
    target = Target(
        "web", "SET", "WH", available,
        available=available, pool=available, share=available, rule=Rule(),
    )  # fmt: skip
    return explain(a_kept(target, basis), rules, LISTED)


def test_a_bundle_is_what_its_parts_make() -> None:
    found = a_bundle(4)

    assert found.faults == ()
    assert found.terms[0].why == (
        "2 x MUG + 1 x BOX: WH makes 4 (MUG 9, BOX 7), ST makes 0 (MUG 4, BOX 0)"
    )
    assert found.terms[0].id == "BOX/WH/2 MUG/WH/3 BOX/ST/0 MUG/ST/1"


def test_a_bundle_of_scarce_parts_says_that_nothing_is_made() -> None:
    found = a_bundle(0)

    assert found.faults == ()
    assert "no bundle is made" in found.terms[0].why
    assert a_bundle(5).faults == ("the balances come to 4, but 5 are said to be available",)


@pytest.mark.parametrize("rule", [None, Rule(excluded=True)])
def test_what_the_channel_holds_itself_is_its_own_count(rule: Rule | None) -> None:
    rules = Rules(
        {"WH": LocationRule("WH", "", "warehouse", 9), "FBA": LocationRule("FBA", "", "mirror", 0)},
        (a_channel("amazon", Rule(), ("WH", "FBA")),),
    )
    basis = Basis({("SKU", "FBA"): (6, 2), ("SKU", "WH"): (50, 8)}, {}, ())
    target = Target("amazon", "SKU", "FBA", 6, available=6, pool=6, share=6, rule=rule)
    told = Listing("amazon", bound=True, told=True)

    found = explain(a_kept(target, basis), rules, told)

    assert found.remark == "the channel holds this stock itself and tells us how much there is"
    assert [(t.units, t.id, t.why) for t in found.terms] == [
        (6, "SKU/FBA/2", "held by Amazon: FBA 6")
    ]
    assert found.faults == ()


def test_a_channel_that_shows_each_place_draws_on_it_alone() -> None:
    channel = a_channel("pos", Rule(), ("WH", "ST"), show=Show.PER_LOCATION)

    assert explained(channel, stock={"WH": 5, "ST": 2}).terms[0].why == "WH 5"


def an_entry(version: int, after: int) -> Entry:
    return Entry("e", "receipt", "wms", "1", NOON, NOON, 5, after, version, "", "")


def test_a_ledger_that_does_not_come_to_what_was_read_is_a_fault() -> None:
    good = Account("A", "WH", 5, 1, (Moved("receipt", 5, 1),), (an_entry(1, 5),))

    assert good.fault == ""
    assert "sum to 5" in replace(good, units=6).fault
    assert "leaves 4" in replace(good, newest=(an_entry(1, 4),)).fault
    assert "at version 2" in replace(good, newest=(an_entry(2, 5),)).fault
