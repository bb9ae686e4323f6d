"""Halts of many at once: set in batches, worked off at the vendor's rate, and let go of exactly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from channels.base import Confirmed, Level, Outcome, Refused, Throttled
from reconcile import halt_scopes as scopes
from reconcile import halt_store
from reconcile.halt_scopes import Scope
from reconcile.halts import RULE
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, rows
from tests.servers import Clock, Database
from tests.workers.shelf import a_house
from workers.flows.halt_scopes import lift_scope, set_scope, tend, would_halt
from workers.flows.halts import HaltsReport, halt, lift, work_halts

EVERYTHING = Scope()
SHOP = Scope(channel=CHANNEL)
OTHER = "amazon"
STATES = "SELECT channel, sku, state FROM halt WHERE state <> 'lifted' ORDER BY channel, sku"


class PushedChannel(MemoryChannel):
    """It takes zeros of many at once, too."""

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        self._call("push " + " ".join(f"{lv.binding.sku}={lv.units}" for lv in levels))
        for level in levels:
            self.shows[level.binding.sku, level.binding.location] = level.units
        return [Confirmed(level) for level in levels]


@pytest.fixture
def two_channels(database: Database, clock: Clock) -> Database:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 9, "TEA-3": 0}, clock=clock)
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 9}, clock=clock, channel=OTHER)
    return database


def _client(clock: Clock, channel: str = CHANNEL) -> PushedChannel:
    shows: dict[tuple[str, str], int | None] = {
        (sku, OSLO): units for sku, units in (("TEA-1", 30), ("TEA-2", 9), ("TEA-3", 0))
    }
    return PushedChannel(clock, shows, name=channel)


def _work(database: Database, client: MemoryChannel, clock: Clock) -> HaltsReport:
    return work_halts(database.engine, client, channel=client.name, now=lambda: clock.now)


def set_by_ann(database: Database, scope: Scope, clock: Clock, **more: object) -> tuple[int, bool]:
    return set_scope(
        database.engine,
        scope,
        reason="recall",
        by="ann",
        now=clock.now,
        **more,  # type: ignore[arg-type]  # only until_at
    )


def lift_by_bob(database: Database, scope: Scope, clock: Clock) -> int:
    return lift_scope(database.engine, scope, reason="mended", by="bob", now=clock.now)


@pytest.mark.parametrize(
    ("scope", "halted"),
    [
        (EVERYTHING, "amazon/TEA-1 amazon/TEA-2 shopify/TEA-1 shopify/TEA-2 shopify/TEA-3"),
        (SHOP, "shopify/TEA-1 shopify/TEA-2 shopify/TEA-3"),
        (Scope(sku="TEA-2"), "amazon/TEA-2 shopify/TEA-2"),
        (Scope(location=OSLO, channel=OTHER), "amazon/TEA-1 amazon/TEA-2"),
    ],
    ids=str,
)
def test_a_scope_halts_what_it_names_and_says_so_before(
    two_channels: Database, clock: Clock, scope: Scope, halted: str
) -> None:
    would = would_halt(two_channels.engine, scope)
    set_by_ann(two_channels, scope, clock)

    found = [f"{channel}/{sku}" for channel, sku, _ in rows(two_channels.engine, STATES)]
    assert found == halted.split()
    assert sum(skus for skus, _ in would.values()) == len(found)
    assert {already for _, already in would.values()} == {0}
    assert {already for _, already in would_halt(two_channels.engine, scope).values()} != {0}


def test_a_location_halts_what_is_shown_there_and_what_draws_on_its_units(
    database: Database, clock: Clock
) -> None:
    pooled = """\
[locations.WH]
[locations.STORE]
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
locations = ["WH", "STORE"]
show_at = "WH"
vendor_locations = { "gid://1" = "WH" }
"""
    house = a_house(database.engine, clock, "DRAWS", "EMPTY", rules=pooled)
    house.run(
        "INSERT INTO balance (sku, location, state, units, version)"
        " VALUES ('DRAWS', 'STORE', 'available', 4, 1), ('EMPTY', 'STORE', 'available', 0, 1)"
    )

    set_by_ann(database, Scope(location="STORE"), clock)

    assert rows(database.engine, STATES) == [("shop", "DRAWS", "setting")]
    set_by_ann(database, Scope(location="WH"), clock)
    assert len(rows(database.engine, STATES)) == 2


def test_what_is_named_wrongly_halts_nothing(two_channels: Database, clock: Clock) -> None:
    for scope in (Scope(channel="nowhere"), Scope(location="MOON"), Scope(sku="TEA-9")):
        with pytest.raises(halt_store.NothingToHalt, match="there is no"):
            would_halt(two_channels.engine, scope)


def test_many_are_shown_as_zero_in_one_call_then_stopped_and_read_back_in_one(
    two_channels: Database, clock: Clock
) -> None:
    client = _client(clock)
    set_by_ann(two_channels, SHOP, clock)

    report = _work(two_channels, client, clock)

    assert report.set == ("TEA-1", "TEA-2", "TEA-3")
    assert client.calls[:2] == ["snapshot 3", "push TEA-1=0 TEA-2=0"]
    assert client.calls[-1] == "snapshot 3"
    assert [call for call in client.calls if call.startswith("stop")] == [
        f"stop TEA-{n} OSLO" for n in (1, 2, 3)
    ]
    assert set(client.policy.values()) == {"DENY"}


def test_lifting_a_scope_undoes_exactly_what_it_halted(
    two_channels: Database, clock: Clock
) -> None:
    client = _client(clock)
    client.policy["TEA-2", OSLO] = "DENY"
    halt(two_channels.engine, channel=CHANNEL, sku="TEA-1", reason="r", by="cid", now=clock.now)
    _work(two_channels, client, clock)
    set_by_ann(two_channels, EVERYTHING, clock)
    _work(two_channels, client, clock)

    lift_by_bob(two_channels, EVERYTHING, clock)
    report = _work(two_channels, client, clock)

    assert report.lifted == ("TEA-2", "TEA-3")
    assert client.policy == {
        ("TEA-1", OSLO): "DENY",
        ("TEA-2", OSLO): "DENY",
        ("TEA-3", OSLO): "CONTINUE",
    }
    shop = [row for row in rows(two_channels.engine, STATES) if row[0] == CHANNEL]
    assert shop == [(CHANNEL, "TEA-1", "set")]
    assert rows(two_channels.engine, "SELECT set_by FROM halt WHERE sku = 'TEA-1' AND own") == [
        ("cid",)
    ]


def test_a_sku_lifted_by_itself_stays_halted_while_a_scope_holds_it(
    two_channels: Database, clock: Clock
) -> None:
    halt(two_channels.engine, channel=CHANNEL, sku="TEA-1", reason="r", by="cid", now=clock.now)
    set_by_ann(two_channels, SHOP, clock)

    number, began = lift(
        two_channels.engine, channel=CHANNEL, sku="TEA-1", reason="ok", by="cid", now=clock.now
    )

    with two_channels.engine.connect() as connection:
        assert (began, scopes.holding(connection, number)) == (False, [SHOP])
    assert (CHANNEL, "TEA-1", "setting") in rows(two_channels.engine, STATES)
    lift_by_bob(two_channels, SHOP, clock)
    assert {state for _, _, state in rows(two_channels.engine, STATES)} == {"lifting"}


def test_two_scopes_hold_until_both_are_lifted(two_channels: Database, clock: Clock) -> None:
    set_by_ann(two_channels, SHOP, clock)
    set_by_ann(two_channels, Scope(sku="TEA-1"), clock)

    lift_by_bob(two_channels, SHOP, clock)

    assert rows(two_channels.engine, STATES) == [
        (OTHER, "TEA-1", "setting"),
        (CHANNEL, "TEA-1", "setting"),
        (CHANNEL, "TEA-2", "lifting"),
        (CHANNEL, "TEA-3", "lifting"),
    ]


def test_the_rule_does_not_lift_what_a_scope_halted(two_channels: Database, clock: Clock) -> None:
    with two_channels.engine.begin() as connection:
        halt_store.set_halt(connection, CHANNEL, "TEA-1", "too much", RULE, clock.now)
    set_by_ann(two_channels, SHOP, clock)
    _work(two_channels, _client(clock), clock)

    with two_channels.engine.begin() as connection:
        mine = halt_store.standing_halts(connection, CHANNEL, clock.now)
        began = halt_store.lift_halt(connection, CHANNEL, "TEA-1", RULE, "calm", clock.now)

    assert [standing.sku for standing in mine] == ["TEA-1"]
    assert began[1] is False
    assert (CHANNEL, "TEA-1", "set") in rows(two_channels.engine, STATES)


def test_a_scope_set_twice_is_set_once(two_channels: Database, clock: Clock) -> None:
    first, again = set_by_ann(two_channels, SHOP, clock), set_by_ann(two_channels, SHOP, clock)

    assert (first[1], again) == (True, (first[0], False))
    assert rows(two_channels.engine, "SELECT count(*) FROM halt_hold") == [(3,)]


def test_what_is_not_halted_cannot_be_lifted(two_channels: Database, clock: Clock) -> None:
    set_by_ann(two_channels, SHOP, clock)

    with pytest.raises(halt_store.NothingToLift, match="everything is not halted"):
        lift_by_bob(two_channels, EVERYTHING, clock)


def test_a_halt_that_is_being_lifted_stands_again_under_a_scope_with_its_undo(
    two_channels: Database, clock: Clock
) -> None:
    client = _client(clock)
    halt(two_channels.engine, channel=CHANNEL, sku="TEA-1", reason="r", by="cid", now=clock.now)
    _work(two_channels, client, clock)
    lift(two_channels.engine, channel=CHANNEL, sku="TEA-1", reason="ok", by="cid", now=clock.now)

    set_by_ann(two_channels, Scope(channel=CHANNEL, sku="TEA-1"), clock)
    _work(two_channels, client, clock)

    assert rows(two_channels.engine, "SELECT state, own, undo FROM halt") == [
        ("set", False, {OSLO: {"policy": "CONTINUE"}})
    ]


def test_what_is_wanted_for_itself_goes_before_what_a_scope_wants(
    two_channels: Database, clock: Clock
) -> None:
    client = _client(clock)
    set_by_ann(two_channels, SHOP, clock)
    clock.advance(1)
    halt(two_channels.engine, channel=CHANNEL, sku="TEA-3", reason="r", by="cid", now=clock.now)

    _work(two_channels, client, clock)

    assert client.calls[0] == "sale state TEA-3 OSLO"


def test_a_channel_that_throttles_puts_the_rest_off_at_no_cost(
    two_channels: Database, clock: Clock
) -> None:
    client = _client(clock)
    set_by_ann(two_channels, SHOP, clock)
    client.faults = [Throttled("429", retry_after_s=17)]

    report = _work(two_channels, client, clock)

    assert len(report.later) == 3
    later = clock.now + timedelta(seconds=17)
    assert rows(two_channels.engine, "SELECT DISTINCT run_at, attempts FROM halt") == [(later, 0)]
    clock.advance(17)
    assert len(_work(two_channels, client, clock).set) == 3


def test_zeros_that_are_refused_leave_each_stop_to_itself(
    two_channels: Database, clock: Clock
) -> None:
    client = _client(clock)
    set_by_ann(two_channels, SHOP, clock)
    client.faults = [Refused("not so many", code="TOO_MANY")]

    assert len(_work(two_channels, client, clock).set) == 3


def test_one_refused_sku_of_a_batch_does_not_hold_up_the_others(
    two_channels: Database, clock: Clock
) -> None:
    client = RefusingChannel(clock, _client(clock).shows)
    set_by_ann(two_channels, SHOP, clock)

    report = _work(two_channels, client, clock)

    assert report.set == ("TEA-1", "TEA-3")
    assert report.later == (("TEA-2", "Refused: gone"),)


class RefusingChannel(PushedChannel):
    """One of its variants is gone."""

    def _call(self, what: str) -> None:
        super()._call(what)
        if what == "stop TEA-2 OSLO":
            raise Refused("gone", code="NOT_FOUND")


def test_a_scope_for_a_time_is_lifted_by_itself(two_channels: Database, clock: Clock) -> None:
    set_by_ann(two_channels, SHOP, clock, until_at=clock.now + timedelta(hours=4))
    halt(
        two_channels.engine,
        channel=OTHER,
        sku="TEA-1",
        reason="r",
        by="cid",
        now=clock.now,
        until_at=clock.now + timedelta(hours=1),
    )

    clock.advance(3599)
    tend(two_channels.engine, now=clock.now)
    assert {state for _, _, state in rows(two_channels.engine, STATES)} == {"setting"}
    clock.advance(1)
    tend(two_channels.engine, now=clock.now)
    assert (OTHER, "TEA-1", "lifting") in rows(two_channels.engine, STATES)
    clock.advance(3 * 3600)
    tend(two_channels.engine, now=clock.now)
    assert {state for _, _, state in rows(two_channels.engine, STATES)} == {"lifting"}


def test_what_is_listed_later_is_halted_with_its_scope(
    two_channels: Database, clock: Clock
) -> None:
    set_by_ann(two_channels, SHOP, clock)
    furnish(two_channels.engine, {"TEA-9": 5}, clock=clock)

    tend(two_channels.engine, now=clock.advance(60))
    assert len(rows(two_channels.engine, STATES)) == 3
    tend(two_channels.engine, now=clock.advance(300))

    assert (CHANNEL, "TEA-9", "setting") in rows(two_channels.engine, STATES)
