"""The theorem of quotas: sum shown <= available, whatever the order of sales, computations, pushes and failures.

The channels here compare and set, as Shopify does; a call that was not answered has landed or never will once it is
read back (our timeouts are longer than the vendor's).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.engine import Allotment, compute
from allocation.escrow import Bound, Hold, Taken, bounds, hold_rises
from allocation.types import LocationRule, Outlook, Pace, Rule, Rules, Show, Target
from tests.allocation.houses import CHANNELS, House, a_channel, houses

#: Paces of which any buffer is larger than the stock below: everything is scarce, always.
BUSY = (1.0, 3.0, 9.0)
MOST = 60


@dataclass
class Till:
    """One channel: what it shows truly, what we believe, and what waits or is on its way.

    queued    its target is in the push queue
    unheard   sales the book does not know: units, and whether the channel was read after the sale
    missing   units that a reading found sold already, of which the book has not heard yet
    """

    shows: int = 0
    seen: int | None = 0
    target: int = 0
    queued: bool = False
    call: tuple[int, int | None] | None = None
    landed: bool = False
    unheard: list[tuple[int, bool]] = field(default_factory=list)
    missing: int = 0

    def hold(self) -> Hold:
        shown = None if self.seen is None else max(self.seen, self.call[0] if self.call else 0)
        return Hold(shown, self.target if self.queued else 0, self.missing)


@dataclass
class Shelf:
    """The stock truly there, what the book knows of it, and the channels that sell it."""

    stock: int
    names: tuple[str, ...]
    tills: dict[str, Till] = field(default_factory=dict)
    paces: tuple[float, ...] = BUSY
    left: set[str] = field(default_factory=set)
    book: int = 0
    due: bool = True

    def __post_init__(self) -> None:
        self.book = self.stock
        self.tills = {name: Till() for name in self.names}

    @property
    def rules(self) -> Rules:
        channels = tuple(a_channel(n, Rule(excluded=n in self.left)) for n in self.names)
        return Rules({"WH": LocationRule("WH", "", "warehouse", 0)}, channels)

    def leave(self, name: str) -> None:
        """The rules exclude the SKU on a channel, or bring it back."""
        self.left ^= {name}
        self.calculate()

    def calculate(self) -> None:
        paces = {(n, "WH"): Pace(p) for n, p in zip(self.names, self.paces, strict=False)}
        places = [(name, "WH") for name in self.names]
        done = compute("SKU", {"WH": self.book}, self.rules, places, Outlook(paces=paces))
        holds = {(name, "WH"): till.hold() for name, till in self.tills.items()}
        for target in hold_rises(done.targets, bounds(done, self.rules), holds):
            till = self.tills[target.channel]
            till.target, till.queued = target.units, target.units != till.seen
        self.due = False

    def sell(self, name: str, units: int) -> None:
        till = self.tills[name]
        sold = min(units, till.shows)
        if sold:
            till.shows -= sold
            self.stock -= sold
            till.unheard.append((sold, False))

    def hear(self, name: str) -> None:
        till = self.tills[name]
        if till.unheard:
            sold, read_since = till.unheard.pop(0)
            self.book -= sold
            self.due = True
            if read_since:
                till.missing = max(0, till.missing - sold)
            elif till.seen is not None:
                till.seen = max(0, till.seen - sold)

    def send(self, name: str) -> None:
        till = self.tills[name]
        if not till.queued or till.call is not None or till.seen is None:
            return
        if till.target > till.seen and self.due:
            return  # an increase waits for the computation that its SKU is due for
        till.call, till.landed = (till.target, till.seen), False

    def land(self, name: str, *, answered: bool) -> None:
        till = self.tills[name]
        if till.call is None or till.landed:
            return  # a call lands once: what was not answered is read back, never repeated
        units, expected = till.call
        took = till.shows == expected
        till.landed = True
        if took:
            till.shows = units
        if answered and took:
            till.seen, till.call, till.queued = units, None, till.target != units
            till.unheard = [(sold, True) for sold, _ in till.unheard]
        elif answered:
            till.call = None
            self.read(name)

    def read(self, name: str) -> None:
        till = self.tills[name]
        # A call of unknown outcome may have landed, and what it showed may have sold.
        most = max(till.seen or 0, till.call[0] if till.call else 0)
        till.missing += max(0, most - till.shows)
        # What was a drop may be an increase against what is shown really: it is computed again first.
        self.due = self.due or till.target > till.shows
        till.seen, till.call = till.shows, None
        till.queued = till.target != till.seen
        till.unheard = [(sold, True) for sold, _ in till.unheard]

    def holds(self) -> bool:
        return sum(till.shows for till in self.tills.values()) <= self.stock


names = st.sampled_from(CHANNELS[:3])
moves = st.one_of(
    st.tuples(st.just("sell"), names, st.integers(1, 4)),
    st.tuples(st.sampled_from(("hear", "send", "land", "lose", "cut", "read")), names, st.just(0)),
    st.tuples(st.just("push"), names, st.just(0)),
    # Demand moves from channel to channel, and with it the quotas.
    st.tuples(st.just("calculate"), names, st.integers(0, 2)),
)


def play(shelf: Shelf, move: tuple[str, str, int]) -> None:
    what, name, units = move
    match what:
        case "sell":
            shelf.sell(name, units)
        case "hear":
            shelf.hear(name)
        case "send":
            shelf.send(name)
        case "land":
            shelf.land(name, answered=True)
        case "cut":
            shelf.land(name, answered=False)
        case "lose" | "read":
            shelf.read(name)
        case "push":
            shelf.send(name)
            shelf.land(name, answered=True)
        case _:
            shelf.paces = BUSY[units:] + BUSY[:units]
            shelf.calculate()


@given(st.integers(0, MOST), st.lists(moves, min_size=10, max_size=80))
def test_what_is_shown_in_quotas_is_never_more_than_what_is_there(
    stock: int, played: list[tuple[str, str, int]]
) -> None:
    shelf = Shelf(stock, CHANNELS[:3])

    for move in played:
        play(shelf, move)
        assert shelf.holds(), move


@given(
    st.integers(0, MOST),
    st.lists(
        st.one_of(moves, st.tuples(st.just("leave"), names, st.just(0))), min_size=10, max_size=80
    ),
)
def test_channels_that_leave_and_come_back_never_show_more_than_what_is_there(
    stock: int, played: list[tuple[str, str, int]]
) -> None:
    """Also when one is left alone, with nobody to share with."""
    shelf = Shelf(stock, CHANNELS[:3])

    for move in played:
        if move[0] == "leave":
            shelf.leave(move[1])
        else:
            play(shelf, move)
        assert shelf.holds(), move


@given(
    st.integers(1, MOST),
    st.lists(st.integers(0, MOST), min_size=3, max_size=3),
    st.lists(moves, min_size=10, max_size=80),
)
def test_once_the_drops_into_quotas_are_through_it_holds_for_ever(
    stock: int, shown: list[int], played: list[tuple[str, str, int]]
) -> None:
    """Channels that shared a deep pool show it several times over; quotas begin when they have let go."""
    shelf = Shelf(stock, CHANNELS[:3])
    for till, units in zip(shelf.tills.values(), shown, strict=True):
        till.shows = till.seen = till.target = units
    settled = False

    for move in played:
        play(shelf, move)
        holds = [till.hold() for till in shelf.tills.values()]
        claimed = sum(max(h.shown or 0, h.queued) + h.missing for h in holds)
        settled = settled or claimed <= shelf.book
        assert not settled or shelf.holds(), move


@given(
    st.integers(1, MOST),
    st.lists(st.integers(0, MOST), min_size=3, max_size=3),
    st.lists(moves, min_size=1, max_size=40),
)
def test_drops_into_quotas_leave_nothing_shown_that_was_sold_unheard(
    stock: int, shown: list[int], played: list[tuple[str, str, int]]
) -> None:
    """No order needs to be heard for it: what readings miss is enough."""
    shelf = Shelf(stock, CHANNELS[:3])
    for till, units in zip(shelf.tills.values(), shown, strict=True):
        till.shows = till.seen = till.target = units
    for move in played:
        play(shelf, move)
    for name, till in shelf.tills.items():
        if till.call is not None:
            shelf.read(name)

    for _ in range(3):
        shelf.calculate()
        for name in shelf.names:
            shelf.send(name)
            shelf.land(name, answered=True)

    assert sum(till.shows for till in shelf.tills.values()) <= max(0, shelf.stock)


@given(st.integers(1, MOST))
def test_left_alone_everything_is_shown(stock: int) -> None:
    """Held rises come through: after a few rounds no unit is kept back for want of a drop."""
    shelf = Shelf(stock, CHANNELS[:3])
    shelf.tills["web"].shows = shelf.tills["web"].seen = shelf.tills["web"].target = stock

    for _ in range(3):
        shelf.calculate()
        for name in shelf.names:
            shelf.send(name)
            shelf.land(name, answered=True)

    assert sum(till.shows for till in shelf.tills.values()) == stock


def web_and_fbm(stock: int, web: Rule, fbm: Rule) -> tuple[Allotment, Rules]:
    """Two channels that show the same location, listed in both."""
    channels = (a_channel("web", web), a_channel("fbm", fbm))
    rules = Rules({"WH": LocationRule("WH", "", "", 0)}, channels)
    return compute("SKU", {"WH": stock}, rules, [("web", "WH"), ("fbm", "WH")]), rules


@pytest.mark.parametrize(("shown", "raised"), [(8, 2), (3, 7), (0, 10)])
def test_a_channel_that_leaves_holds_the_others_until_it_is_seen_at_zero(
    shown: int, raised: int
) -> None:
    done, rules = web_and_fbm(10, Rule(), Rule(excluded=True))
    holds = {("web", "WH"): Hold(2), ("fbm", "WH"): Hold(shown)}

    held = hold_rises(done.targets, bounds(done, rules), holds)

    assert {t.channel: t.units for t in held} == {"web": raised, "fbm": 0}


def test_a_channel_that_leaves_lowers_nobody() -> None:
    """Channels that shared deep stock show it twice; when one leaves, the other stays as it is."""
    done, rules = web_and_fbm(100, Rule(), Rule(excluded=True))
    holds = {("web", "WH"): Hold(90), ("fbm", "WH"): Hold(90)}

    held = hold_rises(done.targets, bounds(done, rules), holds)

    assert {t.channel: (t.units, t.held) for t in held} == {"web": (90, 10), "fbm": (0, 0)}


def test_percents_that_moved_are_followed_only_as_the_other_lets_go() -> None:
    done, rules = web_and_fbm(10, Rule(percent=Decimal(80)), Rule(percent=Decimal(20)))
    holds = {("web", "WH"): Hold(2), ("fbm", "WH"): Hold(8)}

    held = hold_rises(done.targets, bounds(done, rules), holds)

    assert {t.channel: t.units for t in held} == {"web": 2, "fbm": 2}


def test_a_channel_the_rules_do_not_know_any_more_may_hold_units_of_any_location() -> None:
    _, rules = web_and_fbm(10, Rule(), Rule())
    gone = replace(rules, channels=rules.channels[:1])
    done = compute("SKU", {"WH": 10}, gone, [("web", "WH"), ("fbm", "ST")])

    (bound,) = bounds(done, gone)

    assert bound.places == {("web", "WH")}
    assert bound.leaving == {("fbm", "ST")}


def test_what_a_channel_holds_itself_holds_nobody() -> None:
    """Stock at a location that only its channel sells from, such as FBA."""
    _, rules = web_and_fbm(10, Rule(), Rule())
    places = [("web", "WH"), ("web", "FBA")]
    done = compute("SKU", {"WH": 10, "FBA": 99}, rules, places, told=[("web", "FBA")])

    assert bounds(done, rules, [("web", "FBA")]) == []


def test_a_bundle_that_still_shows_its_scarce_part_holds_it() -> None:
    targets = [Target("web", "SKU", "WH", 4), Target("fbm", "SKU", "WH", 6)]
    limit = Bound(frozenset({("web", "WH"), ("fbm", "WH")}), 10, locations=frozenset({"WH"}))
    holds = {("web", "WH"): Hold(4), ("fbm", "WH"): Hold(2)}

    def units(*taken: Taken) -> dict[str, int]:
        return {t.channel: t.units for t in hold_rises(targets, [limit], holds, taken)}

    assert units(Taken(frozenset({"WH"}), 3, 0)) == {"web": 4, "fbm": 3}
    assert units(Taken(frozenset({"ST"}), 3, 0)) == {"web": 4, "fbm": 6}


def test_a_rise_waits_for_the_drop_that_makes_room_for_it() -> None:
    targets = [Target("web", "SKU", "WH", 4), Target("fbm", "SKU", "WH", 6)]
    limit = Bound(frozenset({("web", "WH"), ("fbm", "WH")}), 10)

    held = hold_rises(targets, [limit], {("web", "WH"): Hold(9)})
    free = hold_rises(targets, [limit], {("web", "WH"): Hold(4)})

    assert [(t.channel, t.units, t.held) for t in held] == [("web", 4, 0), ("fbm", 1, 5)]
    assert [(t.channel, t.units, t.held) for t in free] == [("web", 4, 0), ("fbm", 6, 0)]


def two_shops_by_location(**stock: int) -> tuple[Allotment, list[Bound]]:
    """Two busy channels that show each of their locations by itself."""
    channels = tuple(
        a_channel(name, Rule(), ("WH", "ST"), show=Show.PER_LOCATION) for name in ("pos", "web")
    )
    rules = Rules({at: LocationRule(at, "", "", 0) for at in ("WH", "ST")}, channels)
    places = [(name, at) for name in ("pos", "web") for at in ("WH", "ST")]
    paces = dict.fromkeys(places, Pace(1.0))
    done = compute("SKU", stock, rules, places, Outlook(paces=paces))
    return done, bounds(done, rules)


def test_units_of_one_location_make_no_room_for_a_number_of_another() -> None:
    done, limits = two_shops_by_location(WH=10, ST=10)

    held = hold_rises(done.targets, limits, {("web", "WH"): Hold(10), ("web", "ST"): Hold(0)})

    units = {(t.channel, t.location): t.units for t in held}
    assert (units["pos", "WH"], units["pos", "ST"] + units["web", "ST"]) == (0, 10)


def test_a_scarce_location_keeps_its_bound_where_another_is_deep() -> None:
    _, limits = two_shops_by_location(WH=10, ST=100_000)

    assert [(sorted(limit.places), limit.units) for limit in limits] == [
        ([("pos", "WH"), ("web", "WH")], 10)
    ]


@given(houses())
def test_a_bound_holds_whatever_the_house(house: House) -> None:
    done = house.compute()
    for limit in bounds(done, house.rules):
        shown = sum(t.units for t in done.targets if (t.channel, t.location) in limit.places)
        assert shown <= limit.units


@given(houses())
def test_no_place_is_in_two_bounds(house: House) -> None:
    places = [place for limit in bounds(house.compute(), house.rules) for place in limit.places]

    assert len(places) == len(set(places))


@given(houses())
def test_with_nothing_held_the_targets_stay_as_they_are(house: House) -> None:
    done = house.compute()

    assert hold_rises(done.targets, bounds(done, house.rules), {}) == list(done.targets)
