"""The go-live test of a channel: first contact changes nothing, writes stay off until it passed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from allocation import backlog
from channels.base import Binding, Level, Outcome, Throttled
from channels.packs import Packed
from ledger.db import transaction
from tests.servers import Clock, Database
from tests.workers.shelf import House, Shelf, a_house
from workers.flows import certificate as certificates
from workers.flows import certify, jobs, reconcile, reconcile_terms
from workers.flows.certificate import Certificate, Difference
from workers.flows.certify import Bench
from workers.flows.push import push

KEY = b"the key of this house"


class Zeroing(Shelf):
    """A vendor whose stopped listings show 0."""

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        before = super().stop_sale(binding)
        self.numbers[binding.sku] = 0
        return before


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    """A channel that shows 7 of everything, and should show something else."""
    house = a_house(database.engine, clock, "A", "B", "C")
    house.shelf = Zeroing(clock, dict.fromkeys("ABC", 7))
    with house.engine.begin() as connection:
        backlog.allow_writes(connection, "shop", allowed=False)
    house.set(A=10, B=0, C=7)
    return house


def bench(house: House, client: Shelf | None = None, events: int = 12) -> Bench:
    def waiting(seconds: float) -> None:
        house.clock.advance(seconds)

    names = (f"certify-{number}" for number in itertools.count(1))
    return Bench(
        engine=house.engine,
        client=client or house.shelf,
        channel="shop",
        now=lambda: house.clock.now,
        wait=waiting,
        new_key=lambda: next(names),
        events=events,
        wait_s=5.0,
    )


def certified(house: House, client: Shelf | None = None) -> Certificate:
    """Read, approve what was read, write, and keep."""
    on = bench(house, client)
    written = certify.write(on, certify.read_only(on), by="ann")
    with transaction(house.engine) as connection:
        certificates.keep(connection, written, KEY)
    return written


def outcomes(certificate: Certificate) -> dict[str, bool]:
    return {each.name: each.passed for each in certificate.tried}


def may_write(house: House) -> bool:
    return bool(house.rows("SELECT writes FROM channel")[0][0])


def test_first_contact_changes_nothing_and_shows_what_the_first_numbers_would_change(
    house: House,
) -> None:
    read = certify.read_only(bench(house))

    assert read.differences == (Difference("A", "WH", 7, 10), Difference("B", "WH", 7, 0))
    assert not read.passed
    assert all(outcomes(read).values())
    assert (house.shelf.calls, house.shelf.numbers) == ([], {"A": 7, "B": 7, "C": 7})
    assert (may_write(house), house.shelf.log) == (False, [])


def test_the_first_numbers_after_a_certificate_compare_with_what_was_read(house: House) -> None:
    certified(house)
    house.shelf.calls.clear()

    push(house.lane)

    assert all(expected is not None for call in house.shelf.calls for _, expected in call.values())


def test_a_sale_during_the_certificate_is_shown_after_it(house: House) -> None:
    """The channel is in step; what the test writes over its own sale must not stay there."""
    certified(house)
    push(house.lane)
    house.clock.advance(60)
    assert house.queue() == {}
    read = certify.read_only(on := bench(house))
    sold: list[bool] = []

    def sells(levels: Sequence[Level]) -> None:
        if not sold:
            sold.append(True)
            house.shelf.numbers["A"] -= 3
            house.run(
                "UPDATE shown SET units = units - 3, read_units = read_units - 3 WHERE sku = 'A'"
            )
            house.set(A=7)

    house.shelf.during = sells
    written = certify.write(on, read, by="ann")
    with transaction(house.engine) as connection:
        certificates.keep(connection, written, KEY)
    assert written.passed
    assert house.shelf.numbers["A"] == 10

    house.clock.advance(1)
    push(house.lane)

    assert house.shelf.numbers["A"] == 7
    assert house.queue() == {}


def test_another_state_of_the_channel_has_another_name(house: House) -> None:
    before = certify.read_only(bench(house)).digest

    house.shelf.numbers["A"] = 8

    assert certify.read_only(bench(house)).digest != before


def test_a_good_channel_passes_and_may_write(house: House) -> None:
    written = certified(house)

    assert written.passed, written.tried
    assert written.events >= 12
    assert may_write(house)
    assert {sku: house.shelf.numbers[sku] for sku in "ABC"} == {"A": 10, "B": 0, "C": 7}
    assert house.shelf.off_sale == {}


def test_nothing_written_is_ever_above_what_should_be_shown(house: House) -> None:
    certified(house)

    sent = [(sku, units) for call in house.shelf.calls for sku, (units, _) in call.items()]
    most = {"A": 10, "B": 0, "C": 7}
    assert all(units <= most.get(sku, 0) for sku, units in sent)


def test_a_channel_that_forgets_what_it_confirmed_does_not_pass(house: House) -> None:
    house.shelf.swallow.add("A")

    written = certified(house)

    assert not written.passed
    assert written.failed == 1
    assert not may_write(house)
    (wrong,) = [each for each in written.tried if "repeats included" in each.name]
    assert "A at WH shows 7 instead of 9" in wrong.detail


def test_a_channel_that_cannot_be_read_is_not_written_to(house: House) -> None:
    house.run("DELETE FROM binding")

    read = certify.read_only(bench(house))

    assert outcomes(read)["listings are bound"] is False
    assert "lockstep channel map" in read.tried[-1].detail


@dataclass
class Busy(Zeroing):
    """A vendor that lets nobody in for the first calls."""

    refusals: int = 3
    waits: list[float] = field(default_factory=list)

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        if self.refusals:
            self.refusals -= 1
            raise Throttled("come back", retry_after_s=4)
        return super().push(levels, key=key)


def test_a_vendor_that_asks_for_patience_gets_it(house: House) -> None:
    busy = Busy(house.clock, dict(house.shelf.numbers))

    assert certified(house, busy).passed


def test_a_listing_that_a_halt_leaves_changed_does_not_pass(house: House) -> None:
    class Forgetful(Zeroing):
        def resume_sale(self, binding: object, undo: object) -> None:
            """Says yes and leaves it off sale."""

    forgetful = Forgetful(house.clock, dict(house.shelf.numbers))

    written = certified(house, forgetful)

    assert outcomes(written)["a halt is undone exactly"] is False
    assert not may_write(house)


def test_the_newest_certificate_decides(house: House) -> None:
    certified(house)
    house.shelf.swallow.update("ABC")

    certified(house)

    assert not may_write(house)
    with transaction(house.engine) as connection:
        found = certificates.newest(connection, "shop")
    assert found is not None
    assert found[0]["passed"] is False


def test_a_certificate_is_genuine_only_as_it_was_signed(house: House) -> None:
    certified(house)
    with transaction(house.engine) as connection:
        found = certificates.newest(connection, "shop")
    assert found is not None
    report, signature = found

    assert certificates.is_genuine(report, signature, KEY)
    assert not certificates.is_genuine(report | {"failed": 1}, signature, KEY)
    assert not certificates.is_genuine(report, signature, b"another key")


def test_what_was_certified_stands_in_the_trail(house: House) -> None:
    certified(house)

    trail = house.rows("SELECT actor, action, object FROM audit")
    assert ("ann", "channel.certified", "channel:shop") in trail


def test_what_differs_before_the_certificate_is_no_drift_but_orders_are_read(house: House) -> None:
    reconcile.open_windows(house.engine, now=house.clock.now, window_s=900)
    jobs.open_windows(house.engine, now=house.clock.now, window_s=900, truth_hour=3)

    opened = {job for (job,) in house.rows("SELECT job FROM run")}

    assert (reconcile_terms.JOB in opened, jobs.ORDERS in opened) == (False, True)
    certified(house)
    windows = reconcile.open_windows(house.engine, now=house.clock.now, window_s=900)
    assert [channel for channel, _ in windows.opened] == ["shop"]


def test_a_pack_listing_is_tried_in_whole_packs(house: House) -> None:
    house.run("UPDATE binding SET pack = 5 WHERE sku = 'A'")
    house.shelf.numbers["A"] = 1
    on = replace(bench(house), client=Packed(house.shelf))

    written = certify.write(on, certify.read_only(on), by="ann")

    assert written.passed, written.tried
    assert {
        units for call in house.shelf.calls for sku, (units, _) in call.items() if sku == "A"
    } == {1, 2}


def test_whoever_waits_is_told_how_far_it_is(house: House) -> None:
    told: list[int] = []
    on = replace(bench(house), progress=told.append)

    certify.write(on, certify.read_only(on), by="ann")

    assert told[0] == 3
    assert told == sorted(set(told))
