"""The way not taken: one Celery task per event, each with its own transaction, on two prefork children.

Run as `python -m console.bench.one_task COUNT`; prints events a second from the first message to the last commit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import cache

from celery import Celery
from kombu import Exchange, Queue
from sqlalchemy import Engine, text

from channels.registry import LANES
from ledger import inbox
from ledger.context import Catalogue
from ledger.db import connect, transaction
from ledger.inbox import FACT_TOPIC, Delivery
from workers.flows.ingest import House, drain
from workers.settings import settings
from workers.wiring import now

app = Celery("bench", broker=settings().redis_url)
app.conf.update(
    broker_transport_options={"global_keyprefix": f"lockstep:{settings().env}:"},
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    task_default_queue="bench",
    task_queues=[Queue("bench", Exchange("bench"), routing_key="bench")],
    broker_connection_retry_on_startup=True,
)


@cache
def _house() -> House:
    return House(connect(settings().database_url, pool=2), LANES, Catalogue(), os.urandom, rows=1)


@app.task(name="bench.one")
def one(*, number: int) -> None:
    """Keep one event and apply one event."""
    body = (
        f'{{"kind":"order","source":"bench","id":"o{number}","occurred_at":"{now().isoformat()}","channel":"shopify",'
        f'"order":"{number}","line":"1","sku":"SKU-{number % 2000:04}","location":"WH-MAIN","units":1}}'
    )
    house = _house()
    with transaction(house.engine) as connection:
        inbox.keep(
            connection, [Delivery("bench", f"o{number}", FACT_TOPIC, body.encode())], now=now()
        )
    drain(house, now=now(), batches=1)


def main(count: int) -> float:
    """Events a second."""
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "console.bench.one_task",
        "worker",
        "-c",
        "2",
        "-Q",
        "bench",
    ]
    quiet = ["--without-gossip", "--without-mingle", "--loglevel=WARNING"]
    worker = subprocess.Popen(
        [*command, *quiet], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    engine = connect(settings().database_url)
    try:
        one.delay(number=0)
        _wait(engine, 1)
        begun = time.perf_counter()
        for number in range(1, count + 1):
            one.delay(number=number)
        _wait(engine, count + 1)
        return count / (time.perf_counter() - begun)
    finally:
        worker.terminate()
        worker.wait(30)


def _wait(engine: Engine, events: int) -> None:
    until = time.monotonic() + 200
    while time.monotonic() < until:
        with transaction(engine) as connection:
            if connection.execute(text("SELECT count(*) FROM event")).scalar_one() >= events:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{events} events did not arrive")


if __name__ == "__main__":
    sys.stdout.write(f"{main(int(sys.argv[1]))}\n")
