"""What may be promised: never more than is there, whatever is asked, and every line adds up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from channels.edi.promise import Drawn, Promise, Reserved, Terms, Wanted, promise
from channels.names import Part
from tests.channels.edi.shelf import CALMLY

SKUS = ("A", "B", "C")

parts = st.lists(
    st.builds(Part, st.sampled_from(SKUS), st.integers(1, 12)), min_size=0, max_size=3
).map(tuple)


@st.composite
def wanted(draw: st.DrawFn) -> list[Wanted]:
    count = draw(st.integers(1, 6))
    made = []
    for number in range(count):
        held = draw(st.integers(0, 30))
        takes = draw(parts)
        made.append(
            Wanted(
                line=str(number),
                store="",
                quantity=draw(st.integers(0, 60)),
                parts=takes,
                held=held if takes else 0,
                shipped=draw(st.integers(0, held)) if takes else 0,
            )
        )
    return made


stock = st.dictionaries(st.sampled_from(SKUS), st.integers(-20, 200))
terms = st.builds(Terms, partial=st.booleans(), backorder=st.booleans())


def newly_taken(promises: list[Promise]) -> Counter[str]:
    taken: Counter[str] = Counter()
    for each in promises:
        for part in each.wanted.parts:
            taken[part.sku] += (each.accepted - each.wanted.held) * part.units
    return taken


@CALMLY
@given(wanted(), stock, terms)
def test_never_more_is_promised_than_is_available(
    asked: list[Wanted], available: dict[str, int], agreed: Terms
) -> None:
    taken = newly_taken(promise(asked, available, agreed))

    assert all(units <= max(0, available.get(sku, 0)) for sku, units in taken.items())


@CALMLY
@given(wanted(), stock, terms)
def test_every_line_adds_up_and_keeps_its_terms(
    asked: list[Wanted], available: dict[str, int], agreed: Terms
) -> None:
    for each in promise(asked, available, agreed):
        want = each.wanted
        assert min(each.accepted, each.backordered, each.rejected) >= 0
        assert each.ordered == max(want.quantity, min(want.shipped, want.held))
        assert each.accepted >= min(want.held, want.quantity)
        assert each.accepted >= want.shipped
        assert agreed.backorder or each.backordered == 0
        if not agreed.partial and want.held == 0:
            assert each.accepted in (0, want.quantity)


@CALMLY
@given(wanted(), stock)
def test_nothing_that_could_be_promised_is_left(
    asked: list[Wanted], available: dict[str, int]
) -> None:
    promises = promise(asked, available, Terms())
    taken = newly_taken(promises)

    for each in promises:
        needs = Counter[str]()
        for part in each.wanted.parts:
            needs[part.sku] += part.units
        if each.backordered:
            left = {sku: max(0, available.get(sku, 0)) - taken[sku] for sku in needs}
            # What a later line let go counts as there for everybody, so no line waits beside stock it could have.
            assert any(left[sku] < units for sku, units in needs.items())


def test_lines_are_served_in_their_order_and_what_a_change_lets_go_is_there_for_the_others() -> (
    None
):
    mug = (Part("MUG"),)
    asked = [Wanted("1", "", 5, mug), Wanted("2", "", 1, mug, held=4), Wanted("3", "", 4, mug)]

    assert [each.accepted for each in promise(asked, {"MUG": 4}, Terms())] == [5, 1, 2]


@st.composite
def reserved_for(draw: st.DrawFn) -> tuple[list[Wanted], Reserved]:
    """Lines, some of which have units out of reservations, and what is still reserved."""
    lines = []
    for each in draw(wanted()):
        drawn = {}
        for part in each.parts:
            if part.sku not in drawn:
                out_of = draw(st.integers(0, each.held * part.units))
                drawn[part.sku] = Drawn(
                    out_of, draw(st.integers(0, each.held * part.units - out_of))
                )
        lines.append(replace(each, drawn=drawn))
    units = draw(st.dictionaries(st.sampled_from(SKUS), st.integers(0, 100)))
    return lines, Reserved(units, frozenset(draw(st.sets(st.sampled_from(SKUS)))))


@CALMLY
@given(reserved_for(), stock, terms)
def test_reserved_units_come_first_and_neither_pool_is_overdrawn(
    asked: tuple[list[Wanted], Reserved], available: dict[str, int], agreed: Terms
) -> None:
    lines, reserved = asked
    promises = promise(lines, available, agreed, reserved)

    taken = newly_taken(promises)
    out_of: Counter[str] = Counter()
    for each in promises:
        for sku, units in each.drawn.items():
            assert (
                0
                <= units
                <= each.accepted * sum(p.units for p in each.wanted.parts if p.sku == sku)
            )
            out_of[sku] += units - each.wanted.drawn[sku].open
    for sku, units in taken.items():
        assert out_of[sku] <= reserved.units.get(sku, 0)
        assert units - out_of[sku] <= max(0, available.get(sku, 0))
        if sku in reserved.only:
            assert units - out_of[sku] <= 0


def test_a_cap_gives_no_more_than_is_reserved_and_an_overflow_goes_on_with_what_is_free() -> None:
    line = Wanted("1", "", 300, (Part("MUG"),))

    capped = promise([line], {"MUG": 600}, Terms(), Reserved({"MUG": 250}, {"MUG"}))
    (refused,) = promise(
        [line], {"MUG": 600}, Terms(backorder=False), Reserved({"MUG": 250}, {"MUG"})
    )
    (over,) = promise([line], {"MUG": 600}, Terms(), Reserved({"MUG": 250}))

    assert [(each.accepted, each.backordered) for each in capped] == [(250, 50)]
    assert (refused.accepted, refused.rejected) == (250, 50)
    assert (over.accepted, over.drawn) == (300, {"MUG": 250})


def test_reserved_units_do_not_count_against_a_share() -> None:
    share = Part("share of MUG")
    lines = [Wanted("1", "", 30, (Part("MUG"),), share=share) for _ in range(3)]
    available = {"MUG": 100, "share of MUG": 20}

    promises = promise(lines, available, Terms(), Reserved({"MUG": 40}))

    assert [each.accepted for each in promises] == [30, 30, 0]
    assert [each.drawn["MUG"] for each in promises] == [30, 10, 0]


def test_what_a_line_lets_go_of_a_share_is_what_it_took_of_it() -> None:
    share = Part("share of MUG")
    less = Wanted("1", "", 10, (Part("MUG"),), held=30, share=share, drawn={"MUG": Drawn(25)})
    more = Wanted("2", "", 50, (Part("MUG"),), share=share)

    promises = promise([less, more], {"MUG": 0, "share of MUG": 0}, Terms(), Reserved())

    assert [each.accepted for each in promises] == [10, 20]
    assert [each.drawn["MUG"] for each in promises] == [10, 15]
