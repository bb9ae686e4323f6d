"""Once a night: everything a shop shows, in one export, judged like a window of reconciliation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from channels.base import Binding, Reading
from tests.channels.shopify_rig import ShopifyRig
from tests.servers import Database
from tests.workers.shopify_house import ShopHouse, a_shop_house
from workers.flows import jobs
from workers.flows.reconcile import RunReport
from workers.flows.sweep import jobs_to_do
from workers.flows.truth import LOOK_AGAIN_S


@pytest.fixture
def house(rig: ShopifyRig, database: Database) -> ShopHouse:
    return a_shop_house(rig, database)


@dataclass
class Looked:
    """The shop, and what was read of it item by item."""

    rig: ShopifyRig
    items: list[tuple[str, str]] = field(default_factory=list)
    settle_s: float = 0.0

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        self.items += [(binding.sku, binding.location) for binding in bindings]
        yield from self.rig.channel.snapshot(bindings)


def through(house: ShopHouse, looked: Looked | None = None) -> RunReport:
    """The whole night: begun, written, judged. It begins where its window, a day, ends in more than an hour."""
    if house.rig.now().hour == 23:
        house.rig.advance(3600)
    client = looked or house.rig.channel
    report = house.read_truth(client=client)
    assert report.state == "later"
    house.rig.advance(LOOK_AGAIN_S)
    return house.read_truth(client=client)


def drifts(house: ShopHouse) -> list[tuple[str, str, int, int]]:
    return [
        (sku, location, expected, actual)
        for sku, location, expected, actual in house.rows(
            "SELECT sku, location, expected, actual FROM drift ORDER BY sku, location"
        )
    ]


def test_a_shop_in_step_is_cleared_without_reading_it_item_by_item(house: ShopHouse) -> None:
    looked = Looked(house.rig)

    report = through(house, looked)

    assert (report.state, report.counts.expected, report.counts.read) == ("done", 6, 6)
    assert looked.items == []
    assert drifts(house) == []


def test_what_differs_is_read_again_and_judged_by_that(house: ShopHouse) -> None:
    house.rig.do("drift", sku="SKU-B", location="Bergen", units=5)
    looked = Looked(house.rig)

    report = through(house, looked)

    assert looked.items == [("SKU-B", "BERGEN")]
    assert drifts(house) == [("SKU-B", "BERGEN", 20, 25)]
    assert report.counts.drifted == 1
    assert report.ring_push


def test_what_was_put_right_while_the_export_was_written_is_no_drift(house: ShopHouse) -> None:
    house.rig.do("drift", sku="SKU-B", location="Bergen", units=5)
    house.read_truth()
    house.rig.advance(LOOK_AGAIN_S)
    house.rig.do("drift", sku="SKU-B", location="Bergen", units=-5)

    report = house.read_truth()

    assert (report.state, report.counts.drifted) == ("done", 0)


def test_an_export_that_a_night_left_behind_is_not_taken_for_the_next_ones(
    house: ShopHouse,
) -> None:
    house.read_truth()
    house.rig.advance(24 * 3600)
    house.rig.do("drift", sku="SKU-B", location="Bergen", units=5)

    report = through(house)

    assert (report.state, report.counts.drifted) == ("done", 1)
    assert drifts(house) == [("SKU-B", "BERGEN", 20, 25)]


def test_what_is_noted_as_read_is_as_old_as_the_export(house: ShopHouse) -> None:
    began = house.rig.now()

    through(house)

    assert house.rows("SELECT DISTINCT read_at FROM shown") == [(began,)]


def test_the_export_is_looked_at_again_by_the_sweep_until_it_is_written(house: ShopHouse) -> None:
    house.read_truth()
    waiting = [job for job, _, _ in jobs_to_do(house.database.engine, now=house.rig.now())]
    assert jobs.TRUTH not in waiting

    house.rig.advance(LOOK_AGAIN_S)

    waiting = [job for job, _, _ in jobs_to_do(house.database.engine, now=house.rig.now())]
    assert jobs.TRUTH in waiting


def test_a_night_is_read_once_and_nothing_of_it_stays(house: ShopHouse) -> None:
    through(house)

    assert house.read_truth().state == "skipped"
    assert house.rows("SELECT count(*) FROM snapshot") == [(0,)]
    assert house.rows("SELECT count(*) FROM bulk_read") == [(0,)]


def test_a_worker_that_died_while_taking_the_export_in_is_followed_by_another(
    house: ShopHouse,
) -> None:
    house.rig.do("drift", sku="SKU-B", location="Bergen", units=5)
    house.read_truth()
    house.rig.advance(LOOK_AGAIN_S)

    class Died(Exception):
        """The worker is gone."""

    class Dying:
        def __init__(self, rig: ShopifyRig) -> None:
            self._channel = rig.channel

        def read_all(self, operation_id: str) -> Iterator[object]:
            found = self._channel.read_all(operation_id)
            assert found is not None
            yield next(found)
            raise Died

    with pytest.raises(Died):
        house.read_truth(bulk=Dying(house.rig))
    assert house.read_truth().state == "skipped", "its lease still holds"
    house.rig.advance(jobs.LEASE_S)

    assert house.read_truth().state == "done"
    assert drifts(house) == [("SKU-B", "BERGEN", 20, 25)]


def test_of_an_export_that_failed_half_way_the_rest_is_read_item_by_item(
    house: ShopHouse,
) -> None:
    house.rig.do("fail_bulk", status="FAILED", error_code="TIMEOUT", partial=6)
    looked = Looked(house.rig)

    report = through(house, looked)

    assert (report.state, report.counts.read) == ("done", 6)
    assert 0 < len(looked.items) < 6


def test_an_export_that_came_to_nothing_is_begun_anew(house: ShopHouse) -> None:
    house.rig.do("fail_bulk", status="EXPIRED")

    report = through(house)

    assert (report.state, report.error[:7]) == ("later", "refused")
    house.rig.do("fail_bulk", status="")
    house.rig.advance(1800)
    assert through(house).state == "done"


def test_a_listing_that_the_shop_does_not_count_is_unknown_not_zero(house: ShopHouse) -> None:
    house.rig.do("delete_product", sku="SKU-C")

    report = through(house)

    assert (report.counts.expected, report.counts.read, report.counts.unknown) == (6, 4, 2)
    assert drifts(house) == []


class TestTheSweepOfWhatChanged:
    def sweep(self, house: ShopHouse, looked: Looked, above: int = 0) -> RunReport:
        house.rig.advance(900)
        return house.reconcile(client=looked, sweep_above=above)

    def test_the_first_window_reads_all_the_next_only_what_changed(self, house: ShopHouse) -> None:
        first, second = Looked(house.rig), Looked(house.rig)
        house.rig.advance(3 * 3600)
        self.sweep(house, first)
        house.rig.do("external_edit", sku="SKU-A", location="Oslo", available=12)

        report = self.sweep(house, second)

        assert len(first.items) == 6
        assert second.items == [("SKU-A", "OSLO")]
        assert (report.counts.read, report.counts.drifted) == (6, 1)
        assert drifts(house) == [("SKU-A", "OSLO", 10, 12)]

    def test_a_swallowed_write_is_found_because_the_shop_did_not_change(
        self, house: ShopHouse
    ) -> None:
        house.rig.advance(3 * 3600)
        self.sweep(house, Looked(house.rig))
        house.rig.fault("swallow", sku="SKU-B")
        house.fact(kind="write_off", id="w-1", sku="SKU-B", location="OSLO", units=4, reason="wet")
        house.show()
        house.rig.clear_faults()

        self.sweep(house, Looked(house.rig))

        assert drifts(house) == [("SKU-B", "OSLO", 6, 10)]

    def test_what_nobody_has_read_for_long_is_read(self, house: ShopHouse) -> None:
        house.rig.advance(3 * 3600)
        self.sweep(house, Looked(house.rig))
        house.rig.advance(3 * 3600)
        looked = Looked(house.rig)

        self.sweep(house, looked)

        assert len(looked.items) == 6

    def test_window_after_window_a_quiet_shop_is_not_read_again(self, house: ShopHouse) -> None:
        house.rig.advance(3 * 3600)
        self.sweep(house, Looked(house.rig))
        looked = Looked(house.rig)

        reports = [self.sweep(house, looked) for _ in range(12)]

        assert looked.items == []
        assert {report.counts.read for report in reports} == {6}

    def test_a_small_catalogue_is_read_whole(self, house: ShopHouse) -> None:
        house.rig.advance(3 * 3600)
        self.sweep(house, Looked(house.rig))
        looked = Looked(house.rig)

        self.sweep(house, looked, above=6)

        assert len(looked.items) == 6
