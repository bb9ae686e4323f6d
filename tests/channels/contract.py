"""What every lane promises, tried over real HTTP against its vendor's simulator.

A lane's test module subclasses `ChannelContract` and gives it two fixtures. `rig`: a fresh account at the vendor with
the SKUs `SKU-A`, `SKU-B` and `SKU-C`, 10 units each at the location OSLO, and the hands of everybody who is not us.
`topics`: some of the vendor's notifications, in the lane's spelling.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import pytest

from channels.base import (
    Binding,
    Channel,
    Confirmed,
    Level,
    Reading,
    Rejected,
    Stale,
    Throttled,
    Unauthorised,
    Unavailable,
)

SKUS = ("SKU-A", "SKU-B", "SKU-C")
AT_FIRST = 10


class Rig(Protocol):
    """A vendor's simulator and our client of it."""

    channel: Channel

    def bindings(self) -> dict[str, Binding]:
        """SKU -> binding at OSLO."""

    def unknown(self, binding: Binding) -> Binding:
        """The same binding with ids the vendor has never given."""

    def stranger(self) -> Channel:
        """A client whose credentials the vendor does not know."""

    def shown(self, sku: str) -> int:
        """What a buyer could buy at OSLO, read behind the API."""

    def sellable(self, sku: str) -> bool:
        """Whether the vendor takes an order for one unit; when it does, the unit is sold."""

    def changes(self, sku: str) -> int:
        """How often the number was changed."""

    def drift(self, sku: str, units: int) -> None:
        """Somebody changes the number by so many units; nobody is told."""

    def fault(self, kind: str, **how: object) -> None:
        """Bad luck; see `channels/simulators/faults.py`."""

    def clear_faults(self) -> None:
        """Good luck again."""

    def advance(self, seconds: float) -> None:
        """Let time pass at the vendor, and in our limiter."""

    def order(self, sku: str, units: int) -> str:
        """A buyer orders; returns the number the vendor gives the order."""

    def now(self) -> datetime:
        """The time at the vendor."""


class ChannelContract:
    """The suite. Where a vendor lacks a thing, its module says so by a class attribute and the reason."""

    has_compare_and_set = True
    remembers_keys = True
    has_limit = True
    names_bad_rows = True
    lists_items = True
    has_order_api = True
    has_subscriptions = True
    #: Seconds after which a write of which nothing was heard counts as lost; 0 where a read-back tells at once.
    lost_after_s = 0.0

    def level(
        self, rig: Rig, sku: str, units: int, number: int = 1, expected: int | None = None
    ) -> Level:
        return Level(rig.bindings()[sku], units, number, expected)

    def needs_order_api(self) -> None:
        if not self.has_order_api:
            pytest.skip("the vendor cannot be asked for orders; they come by themselves")

    def needs_subscriptions(self) -> None:
        if not self.has_subscriptions:
            pytest.skip("the vendor notifies nobody")

    # ---- push ----

    def test_what_is_pushed_is_shown_and_read_back(self, rig: Rig) -> None:
        levels = [self.level(rig, "SKU-A", 4), self.level(rig, "SKU-B", 0)]

        outcomes = rig.channel.push(levels, key="k1")

        assert outcomes == [Confirmed(level) for level in levels]
        assert (rig.shown("SKU-A"), rig.shown("SKU-B"), rig.shown("SKU-C")) == (4, 0, AT_FIRST)
        assert units_of(rig, ["SKU-A", "SKU-B"]) == [4, 0]

    def test_a_level_already_shown_is_confirmed(self, rig: Rig) -> None:
        level = self.level(rig, "SKU-A", AT_FIRST)

        assert rig.channel.push([level], key="k1") == [Confirmed(level)]

    def test_nothing_to_push_is_nothing_done(self, rig: Rig) -> None:
        assert rig.channel.push([], key="k1") == []

    def test_a_full_batch_goes_in_one_push(self, rig: Rig) -> None:
        level = self.level(rig, "SKU-A", 3)

        with pytest.raises(ValueError, match=str(rig.channel.push_rows)):
            rig.channel.push([level] * (rig.channel.push_rows + 1), key="k1")

    def test_a_push_whose_answer_is_lost_may_be_repeated_with_its_key(self, rig: Rig) -> None:
        level = self.level(rig, "SKU-A", 4)
        rig.fault("reset_after_apply", count=1)
        with pytest.raises(Unavailable):
            rig.channel.push([level], key="k1")

        outcomes = rig.channel.push([level], key="k1")

        assert outcomes == [Confirmed(level)]
        assert rig.shown("SKU-A") == 4
        assert rig.changes("SKU-A") == 1

    def test_a_push_whose_answer_breaks_off_may_be_repeated_with_its_key(self, rig: Rig) -> None:
        level = self.level(rig, "SKU-A", 4, expected=AT_FIRST if self.has_compare_and_set else None)
        rig.fault("truncate", count=1)
        with pytest.raises(Unavailable):
            rig.channel.push([level], key="k1")

        outcomes = rig.channel.push([level], key="k1")

        assert outcomes == [Confirmed(level)]
        assert rig.shown("SKU-A") == 4

    def test_the_latest_push_wins(self, rig: Rig) -> None:
        rig.channel.push([self.level(rig, "SKU-A", 5, number=1)], key="k1")

        rig.channel.push([self.level(rig, "SKU-A", 3, number=2)], key="k2")

        assert rig.shown("SKU-A") == 3

    def test_a_late_repeat_of_an_older_push_changes_nothing(self, rig: Rig) -> None:
        if not self.remembers_keys:
            pytest.skip(
                "the vendor does not remember a push; the caller's rising number guards against this"
            )
        older = self.level(rig, "SKU-A", 5, number=1)
        rig.channel.push([older], key="k1")
        rig.channel.push([self.level(rig, "SKU-A", 3, number=2)], key="k2")

        rig.channel.push([older], key="k1")

        assert rig.shown("SKU-A") == 3

    def test_a_throttled_push_has_not_happened_and_may_be_repeated_with_its_key(
        self, rig: Rig
    ) -> None:
        if not self.has_limit:
            pytest.skip("the vendor never makes us wait")
        level = self.level(rig, "SKU-A", 4)
        rig.fault("throttle", seconds=30)
        with pytest.raises(Throttled) as refusal:
            rig.channel.push([level], key="k1")
        assert refusal.value.retry_after_s > 0
        assert rig.shown("SKU-A") == AT_FIRST

        rig.clear_faults()
        rig.advance(refusal.value.retry_after_s)

        assert rig.channel.push([level], key="k1") == [Confirmed(level)]
        assert rig.shown("SKU-A") == 4

    def test_a_bad_row_never_keeps_the_others_from_being_shown(self, rig: Rig) -> None:
        lost = replace(self.level(rig, "SKU-B", 7), binding=rig.unknown(rig.bindings()["SKU-B"]))
        good = [self.level(rig, "SKU-A", 4), self.level(rig, "SKU-C", 6)]

        outcomes = rig.channel.push([good[0], lost, good[1]], key="k1")

        bad = Rejected if self.names_bad_rows else Confirmed
        assert [type(outcome) for outcome in outcomes] == [Confirmed, bad, Confirmed]
        if isinstance(outcomes[1], Rejected):
            assert outcomes[1].code
            assert outcomes[1].message
        assert (rig.shown("SKU-A"), rig.shown("SKU-C")) == (4, 6)

    def test_a_level_that_moved_behind_our_back_is_not_overwritten(self, rig: Rig) -> None:
        if not self.has_compare_and_set:
            pytest.skip("the vendor has no compare-and-set; reconciliation finds this")
        rig.drift("SKU-A", -2)
        stale = self.level(rig, "SKU-A", 5, expected=AT_FIRST)
        fresh = self.level(rig, "SKU-B", 5, expected=AT_FIRST)

        outcomes = rig.channel.push([stale, fresh], key="k1")

        assert outcomes == [Stale(stale), Confirmed(fresh)]
        assert (rig.shown("SKU-A"), rig.shown("SKU-B")) == (AT_FIRST - 2, 5)

    @pytest.mark.parametrize("fault", ["server_error", "failed_write", "latency"])
    def test_a_vendor_in_trouble_is_unavailable_and_the_same_key_heals_it(
        self, rig: Rig, fault: str
    ) -> None:
        level = self.level(rig, "SKU-A", 4)
        rig.fault(fault, count=1, status=502, seconds=1.5)
        with pytest.raises(Unavailable):
            rig.channel.push([level], key="k1")

        outcomes = self.insist(rig, level)

        assert outcomes == [Confirmed(level)]
        assert rig.shown("SKU-A") == 4

    def insist(self, rig: Rig, level: Level) -> Sequence[object]:
        """Push as the worker does: come back with the same key when the vendor is still busy with the first."""
        for _ in range(50):
            try:
                return rig.channel.push([level], key="k1")
            except Throttled as refusal:
                rig.advance(refusal.retry_after_s)
                time.sleep(0.1)
        raise AssertionError("still throttled after fifty tries")

    def test_strange_credentials_are_not_let_in(self, rig: Rig) -> None:
        with pytest.raises(Unauthorised):
            rig.stranger().push([self.level(rig, "SKU-A", 4)], key="k1")

        assert rig.shown("SKU-A") == AT_FIRST

    # ---- read back ----

    def test_a_write_that_was_swallowed_shows_in_the_read_back(self, rig: Rig) -> None:
        rig.fault("swallow", count=1)
        level = self.level(rig, "SKU-A", 4)

        outcomes = rig.channel.push([level], key="k1")
        if self.lost_after_s:
            rig.advance(self.lost_after_s)

        assert outcomes == [Confirmed(level)]
        assert units_of(rig, ["SKU-A"]) == [AT_FIRST]

    def test_what_the_vendor_does_not_know_is_unknown_and_never_zero(self, rig: Rig) -> None:
        known = rig.bindings()["SKU-A"]
        lost = rig.unknown(rig.bindings()["SKU-B"])

        readings = {reading.binding: reading for reading in rig.channel.snapshot([lost, known])}

        assert readings[lost].units is None
        assert readings[known].units == AT_FIRST

    def test_reading_nothing_is_nothing(self, rig: Rig) -> None:
        assert list(rig.channel.snapshot([])) == []

    # ---- stop and go ----

    def test_a_stopped_sku_takes_no_order_and_the_others_go_on(self, rig: Rig) -> None:
        rig.channel.stop_sale(rig.bindings()["SKU-A"])

        assert not rig.sellable("SKU-A")
        assert rig.sellable("SKU-B")

    def test_resuming_puts_back_exactly_what_was_changed(self, rig: Rig) -> None:
        binding = rig.bindings()["SKU-A"]
        undo = rig.channel.stop_sale(binding)
        rig.channel.resume_sale(binding, undo)

        rig.channel.push([self.level(rig, "SKU-A", 4)], key="k1")

        assert rig.shown("SKU-A") == 4
        assert rig.sellable("SKU-A")

    def test_what_a_stop_would_change_is_told_beforehand_and_nothing_is_changed(
        self, rig: Rig
    ) -> None:
        binding = rig.bindings()["SKU-A"]

        told = [rig.channel.sale_state(binding), rig.channel.sale_state(binding)]

        assert units_of(rig, ["SKU-A"]) == [AT_FIRST]
        assert told == [rig.channel.stop_sale(binding)] * 2

    def test_stopping_again_is_harmless(self, rig: Rig) -> None:
        binding = rig.bindings()["SKU-A"]
        rig.channel.stop_sale(binding)

        rig.channel.stop_sale(binding)

        assert not rig.sellable("SKU-A")

    # ---- what the vendor knows ----

    def test_an_order_is_found_with_one_name_for_each_of_its_states(self, rig: Rig) -> None:
        self.needs_order_api()
        mark = rig.now()
        rig.advance(2)
        number = rig.order("SKU-A", 2)

        first, again = list(rig.channel.orders_since(mark)), list(rig.channel.orders_since(mark))

        assert [order.order_id for order in first] == [number]
        assert first == again
        assert mark <= first[0].updated_at <= rig.now()
        assert list(rig.channel.orders_since(rig.now() + timedelta(seconds=2))) == []

    def test_orders_come_oldest_change_first(self, rig: Rig) -> None:
        self.needs_order_api()
        mark = rig.now()
        numbers = []
        for sku in ("SKU-A", "SKU-B", "SKU-C", "SKU-A", "SKU-B"):
            rig.advance(2)
            numbers.append(rig.order(sku, 1))

        assert [order.order_id for order in rig.channel.orders_since(mark)] == numbers

    def test_everything_sellable_is_found_as_bindings(self, rig: Rig) -> None:
        if not self.lists_items:
            pytest.skip("the vendor cannot be asked what it sells; a mapping file says it")
        bindings = rig.bindings()

        assert set(bindings) == set(SKUS)
        assert {binding.location for binding in bindings.values()} == {"OSLO"}
        assert {binding.channel for binding in bindings.values()} == {rig.channel.name}

    def test_subscriptions_are_made_once_and_seen(self, rig: Rig, topics: Sequence[str]) -> None:
        self.needs_subscriptions()
        uri = "https://relay.example.com/hooks"

        made = rig.channel.subscribe(topics, uri)
        again = rig.channel.subscribe(topics, uri)

        assert sorted(each.topic for each in made) == sorted(topics)
        assert again == []
        assert sorted(rig.channel.subscriptions(), key=str) == sorted(made, key=str)

    def test_a_missing_subscription_alone_is_made_again(
        self, rig: Rig, topics: Sequence[str]
    ) -> None:
        self.needs_subscriptions()
        uri = "https://relay.example.com/hooks"
        rig.channel.subscribe(topics[:-1], uri)

        made = rig.channel.subscribe(topics, uri)

        assert [each.topic for each in made] == list(topics[-1:])


def units_of(rig: Rig, skus: Sequence[str]) -> list[int | None]:
    """What the channel says it shows."""
    bindings = rig.bindings()
    readings: dict[Binding, Reading] = {
        reading.binding: reading
        for reading in rig.channel.snapshot([bindings[sku] for sku in skus])
    }
    return [readings[bindings[sku]].units for sku in skus]
