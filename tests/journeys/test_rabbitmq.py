"""RabbitMQ in the place of Redis as Celery's broker: the same house, the same laws. Limits and bells stay in Redis."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import kombu
import pytest
import redis

from tests.journeys.estate import Estate, an_estate, receipt, wait_for
from tests.rabbitmq import Rabbit, command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.battery,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        command() is None,
        reason="there is no rabbitmq-server here (Debian: apt-get install rabbitmq-server)",
    ),
]

WORKERS = ("worker-threads", "worker-prefork")
BATCH = 20
_numbers = itertools.count()


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    rabbit = Rabbit(tmp_path_factory.mktemp("broker"))
    rabbit.start()
    yield rabbit
    rabbit.close()


@pytest.fixture(scope="module")
def estate(rabbit: Rabbit) -> Iterator[Estate]:
    with an_estate("shop", broker_url=rabbit.url) as estate:
        yield estate


def queues(rabbit: Rabbit, names: list[str]) -> dict[str, tuple[int, int]]:
    """(messages that wait, consumers) of these queues; a queue that is not of the kind we declare is refused."""
    found = {}
    with kombu.Connection(rabbit.url) as connection, connection.channel() as channel:
        for name in names:
            told = kombu.Queue(name, queue_arguments={"x-queue-type": "quorum"}, durable=True)
            declared: Any = told(channel).queue_declare(passive=False)
            found[name] = (declared.message_count, declared.consumer_count)
    return found


def deliver(estate: Estate, events: int, meanwhile: Callable[[int], None]) -> Counter[str]:
    """Post receipts of one unit and let a customer buy after each batch; what each SKU gained.

    meanwhile    called after each batch with its number
    """
    gained: Counter[str] = Counter()
    for number in range(events // BATCH):
        skus = [estate.skus[n % len(estate.skus)] for n in range(BATCH)]
        assert estate.post([receipt(sku, 2, next(_numbers)) for sku in skus]) == 200
        gained.update(skus + skus)
        sold = skus[number % BATCH]
        estate.shops["shop"].order(sold, 1)
        gained[sold] -= 1
        meanwhile(number)
    return gained


def test_messages_travel_by_rabbitmq_and_by_nothing_else(estate: Estate, rabbit: Rabbit) -> None:
    names = ["ingest", "allocate", "reconcile", "control", "alert", "push.shop"]
    gained = deliver(estate, 40, lambda _: None)
    before = Counter(dict.fromkeys(estate.skus, 500))
    estate.settles(60)

    assert estate.available() == before + gained
    assert all(consumers == len(WORKERS) for _, consumers in queues(rabbit, names).values())
    with redis.Redis.from_url(estate.stack.settings.redis_url, decode_responses=True) as client:
        kept = {str(key).split(":")[2] for key in client.scan_iter("lockstep:*")}
    assert kept <= {"bell", "limit", "tokens", "tickets"}


def test_a_worker_that_is_killed_over_rabbitmq_loses_and_doubles_nothing(estate: Estate) -> None:
    before = Counter(estate.available())
    victims = itertools.cycle(WORKERS)

    def kill(number: int) -> None:
        if number % 5 == 2:
            name = next(victims)
            estate.stack.supervisor.wait_ready(name)
            estate.stack.supervisor.kill(name)

    gained = deliver(estate, 400, kill)
    estate.settles(90)

    assert estate.available() == before + gained
    assert estate.book_is_whole()


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_rabbitmq_that_is_away_stops_no_sender_and_nobody_notices_afterwards(
    estate: Estate, rabbit: Rabbit, how: str
) -> None:
    before = Counter(estate.available())
    back = threading.Thread(target=rabbit.start)

    def disturb(number: int) -> None:
        if number == 2:
            rabbit.stop() if how == "stopped" else rabbit.kill()
        if number == 7:
            back.start()

    gained = deliver(estate, 200, disturb)
    back.join()
    estate.settles(120)

    assert estate.available() == before + gained
    assert estate.book_is_whole()
    sku = estate.skus[0]
    shown = estate.shops["shop"].shown()[sku]
    assert estate.post([receipt(sku, 3, next(_numbers))]) == 200
    wait_for(lambda: estate.shops["shop"].shown()[sku] == shown + 3, 30, estate.trouble)
