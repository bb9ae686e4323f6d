"""The look at counts: small losses found over the real book, pools, tiers, pick-up held low until the recount is in."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allocation import pickup_store
from allocation.pickup import Number
from ledger import catalogue
from ledger.db import transaction
from reconcile import count_plan, count_store
from reconcile.counting.types import Tier
from tests.builders import a_fact, book
from tests.servers import Database
from tests.workers.count_rig import DAY, Store, a_store
from tests.workers.shelf import apply
from workers.flows import counts

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(database: Database) -> Store:
    return a_store(database)


class Leaking:
    """200 SKUs of 400 units, sold and counted once a month by real sheets, while 800 units vanish in 90 days.

    leaks     False: nothing vanishes
    """

    def __init__(self, store: Store, seed: int, *, leaks: bool = True) -> None:
        self.store, self.rng, self.leaks = store, random.Random(seed), leaks
        self.skus = [f"S{number:03}" for number in range(200)]
        self.shelf = dict.fromkeys(self.skus, 400)
        store.now = MONDAY - HOUR
        store.receive(400, *self.skus)
        self.verdicts: list[str | None] = []

    def day(self, number: int) -> list[str]:
        """Sell, lose, and count a thirtieth of the house; the alarms that are new."""
        self.store.now = MONDAY + number * DAY + 20 * HOUR
        sold = self.rng.sample(self.skus, 30)
        self.store.say(*(("ship", {"sku": sku, "units": 1, "channel": "till"}) for sku in sold))
        for sku in sold:
            self.shelf[sku] -= 1
        for sku in self.skus:
            if self.leaks and self.rng.random() < 4 / 90:
                self.shelf[sku] -= 1
        today = [sku for place, sku in enumerate(self.skus) if place % 30 == number % 30]
        slips = {sku: self.rng.choice((-1, 0, 0, 0, 0, 1)) for sku in today}
        done = self.store.submit(
            *((sku, "OSLO", self.shelf[sku] + slips[sku]) for sku in today),
            reason="unexplained",
        )
        self.verdicts += [line.verdict for line in done.lines]
        return [f"{alarm.rule} {alarm.what}" for alarm in done.raised]


@pytest.mark.parametrize("seed", [1, 2])
def test_ignored_counts_alarm_within_the_first_third(database: Database, seed: int) -> None:
    """Every count is within tolerance; by day 30 of 90 the location is told, and who lost most is counted again."""
    leaking = Leaking(a_store(database, *(f"S{number:03}" for number in range(200))), seed)

    told: dict[str, int] = {}
    for number in range(30):
        told |= dict.fromkeys(leaking.day(number), number)
        if "count.cusum location:OSLO" in told:
            break

    assert "count.cusum location:OSLO" in told
    assert set(leaking.verdicts) == {"within"}
    assert leaking.store.ordered()
    detail = leaking.store.alarms()["count.cusum location:OSLO"].detail
    assert detail["units"] < 0


def test_slips_alone_alarm_nobody(database: Database) -> None:
    leaking = Leaking(a_store(database, *(f"S{n:03}" for n in range(200))), 3, leaks=False)

    told = [alarm for number in range(21) for alarm in leaking.day(number)]

    assert told == []


def test_a_place_that_loses_a_little_at_each_count_is_told_and_counted_again(store: Store) -> None:
    store.now = MONDAY
    store.receive(400, "MUG-RED")
    found = []
    for number, missing in enumerate((2, 1, 3, 0, 2, 1, 2, 3, 1, 2, 2, 2, 2, 2), 1):
        store.now += 7 * DAY
        (book_says,) = store.rows(
            "SELECT units FROM balance WHERE sku = 'MUG-RED' AND state = 'available'"
        )
        done = store.submit(("MUG-RED", "OSLO", book_says[0] - missing))
        found += [(number, alarm.what) for alarm in done.raised]

    assert found[0] == (3, "place:MUG-RED@OSLO"), "sigma is the floor of one unit here"
    assert {what for _, what in found} >= {"location:OSLO", "reason:none"}


def test_an_answered_alarm_is_over_and_a_reversed_count_takes_it_away(store: Store) -> None:
    store.now = MONDAY
    store.receive(400, "MUG-RED")
    sheets = []
    for seen in (397, 394):
        store.now += 3 * HOUR
        sheets.append(store.submit(("MUG-RED", "OSLO", seen)).sheet)
    assert store.ordered() == [("count.cusum", "MUG-RED")]

    store.now += HOUR
    store.say(
        (
            "reversal",
            {"reverses_source": "count", "reverses_id": f"{sheets[0]}:2", "reason": "other shelf"},
        )
    )
    store.look()
    assert (store.ordered(), store.alarms()) == ([], {})

    (order,) = store.rows("SELECT withdrawn_at FROM count_order")
    assert order[0] == store.now


def test_a_count_by_any_door_is_looked_at(store: Store) -> None:
    store.now = MONDAY
    store.receive(28, "MUG-RED")
    assert not store.waits()

    store.now += HOUR
    store.say(("count", {"sku": "MUG-RED", "counted": 23}))

    assert store.waits()
    assert store.look() == ["count.variance place:MUG-RED@OSLO"]
    assert not store.waits()
    store.now += counts.LOOK_EVERY
    assert store.waits()
    assert store.look() == []


def test_many_counts_are_followed_in_parts(store: Store) -> None:
    store.now = MONDAY
    store.receive(100, "MUG-RED", "MUG-BLUE")
    store.now += HOUR
    for number in range(7):
        store.now += HOUR
        store.say(("count", {"sku": "MUG-RED", "counted": 100 - number}))
    with transaction(store.engine) as connection:
        seen, found = count_store.news(connection, counts._FIRST, 3)
        assert seen is not None
        more = count_store.news(connection, seen, 3)[1]

    assert (len(found), len(more)) == (3, 3)
    assert not set(found) & set(more)


def test_what_is_usual_at_a_location_is_learnt_from_its_counts(store: Store) -> None:
    store.now = MONDAY
    store.receive(10_000, "MUG-RED", "MUG-BLUE")
    rng = random.Random(5)
    for _ in range(40):
        store.now += HOUR
        (held,) = store.rows(
            "SELECT units FROM balance WHERE sku = 'MUG-RED' AND state = 'available'"
        )
        store.say(("count", {"sku": "MUG-RED", "counted": held[0] + rng.choice((-6, 6))}))
    store.look()
    store.now += HOUR
    store.say(("count", {"sku": "MUG-BLUE", "counted": 10_000}))
    store.look()

    ((sigma,),) = store.rows("SELECT sigma FROM count_variance WHERE sku = 'MUG-BLUE'")
    assert sigma == pytest.approx(6, abs=0.5)


# --- the plan ---------------------------------------------------------------------------------------------------------


def planned(store: Store, days: float = 0) -> dict[str, tuple[str, ...]]:
    due = counts.plan(store.engine, store.terms, now=store.now, until=store.now + days * DAY)
    return {line.known.sku: line.why for line in due}


def test_tiers_follow_what_a_place_turns_over_and_what_it_is_worth(store: Store) -> None:
    store.now = MONDAY
    store.receive(1000, "MUG-RED", "MUG-BLUE")
    for sku, units in (("MUG-RED", 50), ("MUG-BLUE", 10)):
        store.say(
            ("order", {"sku": sku, "order": sku, "line": "1", "channel": "web", "units": units})
        )

    def tiers() -> dict[str, Tier]:
        with transaction(store.engine) as connection:
            return {
                k.sku: k.tier for k in count_plan.places(connection, store.terms, store.now, "OSLO")
            }

    assert tiers() == {"MUG-RED": "A", "MUG-BLUE": "B"}
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO sku_worth (sku, cost, set_at, set_by)"
            " VALUES ('MUG-BLUE', 100, now(), 'ann'), ('MUG-RED', 1, now(), 'ann')"
        )
    assert tiers() == {"MUG-RED": "A", "MUG-BLUE": "A"}, "up at once, down after two weeks"
    store.now += 14 * DAY
    assert tiers() == {"MUG-RED": "C", "MUG-BLUE": "A"}
    assert store.rows("SELECT sku, tier FROM count_tier ORDER BY sku") == [
        ("MUG-BLUE", "A"), ("MUG-RED", "C")
    ]  # fmt: skip


def test_a_count_puts_the_next_one_off_and_a_reversed_one_does_not(store: Store) -> None:
    store.now = MONDAY
    store.receive(10, "MUG-RED")
    assert "MUG-RED" in planned(store, days=400)
    sheet = store.submit(("MUG-RED", "OSLO", 10)).sheet
    assert planned(store, days=364) == {}
    assert planned(store, days=365) == {"MUG-RED": ("tier C",)}

    store.now += HOUR
    store.say(
        (
            "reversal",
            {"reverses_source": "count", "reverses_id": f"{sheet}:2", "reason": "other shelf"},
        )
    )

    assert planned(store, days=400) == {"MUG-RED": ("never counted",)}


def test_what_others_hold_and_bundles_are_never_planned(store: Store) -> None:
    store.now = MONDAY
    store.receive(10, "MUG-RED", "MUG-BLUE", location="BERGEN")
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE location SET kind = 'mirror' WHERE location = 'BERGEN'")

    assert planned(store, days=400) == {}


# --- pick-up ----------------------------------------------------------------------------------------------------------

PICKED_UP = """\
[locations.OSLO]
kind = "store"
[locations.OSLO.pickup]
hours = 0
loss_per_day = 0.05
why = "a customer who comes in vain does not come again"
"""


@pytest.fixture
def shop(store: Store) -> Store:
    """28 mugs on the book since 30 days, counted then."""
    with store.engine.begin() as connection:
        apply(connection, PICKED_UP, MONDAY)
    store.now = datetime.now(UTC) - 30 * DAY
    store.receive(28, "MUG-RED")
    store.submit(("MUG-RED", "OSLO", 28))
    store.now = datetime.now(UTC) - HOUR
    return store


def promised(store: Store) -> Number:
    with transaction(store.engine) as connection:
        seen = pickup_store.look(connection, [("MUG-RED", "OSLO")])
        rules = pickup_store.rules_of(connection, seen.rules_version)
    return pickup_store.numbers(seen, [("MUG-RED", "OSLO")], rules, {})["MUG-RED", "OSLO"]


def test_an_escalated_place_stays_low_until_it_is_counted_again(shop: Store) -> None:
    before = promised(shop)
    shop.submit(("MUG-RED", "OSLO", 23, "theft"))
    doubted = promised(shop)
    shop.now += HOUR / 2
    shop.submit(("MUG-RED", "OSLO", 23))
    after = promised(shop)

    assert (before.units, before.parts[0].doubted) == (28 - 4, False)
    (part,) = doubted.parts
    assert part.doubted
    assert part.lost == pytest.approx(6, abs=0.1), "one more than was missing in 30 days"
    assert doubted.units == 23 - 11
    assert (after.units, after.parts[0].doubted) == (23, False)


def test_a_failed_pick_is_a_count_of_nothing_that_orders_a_recount(shop: Store) -> None:
    shop.say(("count", {"sku": "MUG-RED", "counted": 0, "reason_code": "failed_pick"}))
    shop.look()
    assert sorted(shop.ordered()) == [("count.variance", "MUG-RED"), ("failed_pick", "MUG-RED")]
    shop.now += HOUR / 2
    shop.receive(40, "MUG-RED")

    low = promised(shop)

    assert low.units < 10, "what came since is not relied on either"
    shop.now += HOUR / 4
    shop.submit(("MUG-RED", "OSLO", 40))
    assert (promised(shop).units, shop.orders()) == (40, [])


def test_counts_that_only_say_a_difference_are_no_samples(store: Store) -> None:
    book(store.engine, a_fact("count", id="imported", variance=-3, occurred_at=MONDAY), now=MONDAY)
    store.now = MONDAY
    store.look()

    assert store.rows("SELECT * FROM count_variance") == []


def test_what_others_hold_is_theirs_to_count(store: Store) -> None:
    """Amazon's first reading is booked as a count: it says nothing of our shelves."""
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE location SET kind = 'mirror' WHERE location = 'BERGEN'")
    store.now = MONDAY
    store.receive(10, "MUG-RED", location="BERGEN")
    store.now += HOUR
    store.say(("count", {"sku": "MUG-RED", "location": "BERGEN", "counted": 3}))

    assert store.look() == []
    assert store.rows("SELECT * FROM count_variance") == []


_STEP = st.tuples(st.sampled_from(("count", "count", "undo", "late")), st.integers(-30, 30))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEP, min_size=1, max_size=12), looks=st.sets(st.integers(0, 12)))
def test_looking_on_the_way_leaves_what_looking_once_at_the_end_finds(
    store: Store, database: Database, steps: list[tuple[str, int]], looks: set[int]
) -> None:
    """Counts, reversals and sales told late, in any order: orders and alarms are those of the book as it stands."""
    sku = f"MUG-{store.number}"
    with store.engine.begin() as connection:
        catalogue.add_skus(connection, {sku: ""})
    start = store.now = max(store.now, MONDAY) + HOUR
    store.receive(400, sku)
    counted: list[str] = []
    for place, (what, units) in enumerate(steps):
        store.now += HOUR
        if what == "count":
            counted.append(f"count:{store.number + 1}")
            store.say(("count", {"sku": sku, "counted": max(0, 400 + units)}))
        elif what == "undo" and counted:
            name = counted.pop(units % len(counted))
            store.say(
                (
                    "reversal",
                    {"reverses_source": "wms", "reverses_id": name, "reason": "wrong shelf"},
                )
            )
        elif what == "late":
            at = start + (store.now - start) * (abs(units) / 31)
            store.say(("ship", {"sku": sku, "units": 1, "channel": "till", "occurred_at": at}))
        if place in looks:
            store.look()
    store.look()
    stands = standing(store, sku)

    with database.superuser.begin() as connection:
        for table in ("count_variance", "count_order", "count_look", "alarm"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - names of ours
    store.look()

    assert standing(store, sku) == stands


def standing(store: Store, sku: str) -> tuple[object, ...]:
    """What a place came to: its counts, its open orders, its alarms."""
    counts_of = store.rows(
        "SELECT counted_at, counted, position, within, undone FROM count_variance WHERE sku = :sku ORDER BY 1",
        sku=sku,
    )
    orders = sorted(
        (o.rule, o.since, o.sound_at, o.missing) for o in store.orders() if o.sku == sku
    )
    return counts_of, orders, sorted(name for name in store.alarms() if sku in name)
