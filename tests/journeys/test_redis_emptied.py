"""PostgreSQL is the memory, Redis is a bell: it may be emptied at any moment, and nothing is lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import redis

from tests.journeys.estate import Estate, an_estate, receipt, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

EVENTS, BATCH = 5000, 50


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with an_estate("shop") as estate:
        yield estate


def test_redis_may_be_emptied_at_any_moment(estate: Estate) -> None:
    facts = [receipt(estate.skus[n % len(estate.skus)], 1 + n % 3, n) for n in range(EVENTS)]
    before = estate.states()["applied"]
    answers: Counter[int] = Counter()

    def post() -> None:
        for begin in range(0, EVENTS, BATCH):
            answers[estate.post(facts[begin : begin + BATCH])] += 1

    posting = threading.Thread(target=post)
    emptied = 0
    with redis.Redis.from_url(estate.stack.settings.redis_url) as client:
        posting.start()
        while posting.is_alive():
            client.flushall()
            emptied += 1
            posting.join(0.05)
        client.flushall()
    estate.settles()

    expected = Counter(dict.fromkeys(estate.skus, 500))
    for fact in facts:
        expected[fact["sku"]] += fact["units"]
    assert emptied >= 5
    assert answers == {200: EVENTS // BATCH}
    assert estate.states()["applied"] - before >= EVENTS
    assert set(estate.states()) == {"applied"}
    assert estate.available() == expected
    assert estate.book_is_whole()


def nothing_is_to_be_drained(estate: Estate) -> bool:
    """No drain waits in its queue, and no worker has any task in hand."""
    settings = estate.stack.settings
    with redis.Redis.from_url(settings.redis_url) as client:
        waiting = client.llen(f"lockstep:{settings.env}:ingest")
        return not waiting and not client.hlen(f"lockstep:{settings.env}:unacked")


def test_after_it_was_emptied_at_rest_the_next_sale_still_reaches_the_shop(estate: Estate) -> None:
    """No message waits and no key is left: the processes themselves must find their way back."""
    with redis.Redis.from_url(estate.stack.settings.redis_url) as client:
        client.flushall()
    sku = estate.skus[0]
    before = estate.shops["shop"].shown()[sku]

    assert estate.post([receipt(sku, 7, EVENTS)]) == 200

    wait_for(lambda: estate.shops["shop"].shown()[sku] == before + 7, 20, estate.trouble)


def test_a_redis_that_is_down_stops_no_sender(estate: Estate) -> None:
    # The shop tells of the number that it was last given; the drain that this rings would take from what we post.
    estate.settles()
    wait_for(lambda: nothing_is_to_be_drained(estate), 20, estate.trouble)
    estate.stack.supervisor.stop("valkey")
    sku = estate.skus[1]

    answers = {estate.post([receipt(sku, 1, EVENTS + n)]) for n in range(1, 21)}
    pending = estate.one("SELECT count(*) FROM inbox WHERE state = 'pending'")
    estate.stack.supervisor.start("valkey")
    estate.settles(60)

    assert answers == {200}
    assert pending == 20
    assert estate.book_is_whole()
