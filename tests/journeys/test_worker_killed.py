"""Workers die and hang in the middle of their work: nothing is lost, nothing happens twice."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.journeys.estate import Estate, an_estate, receipt, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.battery, pytest.mark.timeout(240)]

WORKERS = ("worker-threads", "worker-prefork")
_numbers = itertools.count()


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with an_estate("shop") as estate:
        yield estate


def deliver(estate: Estate, events: int, *, batch: int = 50) -> Counter[str]:
    """Post so many receipts of one unit, evenly over the SKUs; what each SKU gained."""
    facts = [receipt(estate.skus[n % len(estate.skus)], 1, next(_numbers)) for n in range(events)]
    for begin in range(0, events, batch):
        assert estate.post(facts[begin : begin + batch]) == 200
    return Counter(fact["sku"] for fact in facts)


def test_workers_killed_while_they_drain_lose_and_double_nothing(estate: Estate) -> None:
    before = Counter(estate.available())
    gained: Counter[str] = Counter()
    posting = threading.Thread(target=lambda: gained.update(deliver(estate, 3000)))

    posting.start()
    for killed, name in enumerate(itertools.cycle(WORKERS)):
        posting.join(0.3)
        if not posting.is_alive() and killed >= 4:
            break
        estate.stack.supervisor.wait_ready(name)
        estate.stack.supervisor.kill(name)
    estate.settles(60)

    assert estate.available() == before + gained
    assert sum(gained.values()) == 3000
    assert estate.book_is_whole()


def test_workers_killed_while_the_shop_is_slow_leave_it_at_its_targets(estate: Estate) -> None:
    shop = estate.shops["shop"]
    shop.do("fault", kind="latency", seconds=3, operation="inventorySetQuantities")
    try:
        deliver(estate, 200)
        wait_for(
            lambda: estate.one("SELECT count(*) FROM push_due WHERE leased_until IS NOT NULL") > 0,
            20,
            estate.trouble,
        )
        time.sleep(0.5)
        for name in WORKERS:
            estate.stack.supervisor.kill(name)
    finally:
        shop.do("clear_faults")
    # Two minutes pass for the rows the dead held; the shop may still be busy with their last call.
    estate.do("UPDATE push_due SET leased_until = now() WHERE leased_until IS NOT NULL")
    estate.do("UPDATE shown SET verify_at = now() WHERE verify_at IS NOT NULL")
    estate.settles(60)

    twice = estate.rows("""
        SELECT sku, number FROM push WHERE outcome = 'confirmed' GROUP BY sku, number HAVING count(*) > 1
    """)
    assert twice == []
    assert estate.book_is_whole()


@pytest.mark.parametrize("name", WORKERS)
def test_a_frozen_worker_holds_up_nothing_but_its_own_hands(estate: Estate, name: str) -> None:
    shop, sku = estate.shops["shop"], estate.skus[0]
    before = shop.shown()[sku]
    supervisor = estate.stack.supervisor
    supervisor.signal(name, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        deliver(estate, 20)
        wait_for(lambda: shop.shown()[sku] == before + 1, 20, estate.trouble)
        time.sleep(max(0.0, 8 - (time.monotonic() - begun)))
    finally:
        supervisor.signal(name, signal.SIGCONT)
    deliver(estate, 20)
    estate.settles(60)

    assert shop.shown()[sku] == before + 2
    assert estate.book_is_whole()
