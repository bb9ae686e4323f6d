"""Bells: one pending per name, and none that is needed is missing for longer than its life."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import redis

from workers.flows.bells import Bells

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def client(valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey) as client:
        yield client


@pytest.fixture
def bells(client: redis.Redis) -> Bells:
    return Bells(client, prefix="lockstep:test", life_s=0.2)


def test_a_bell_rings_once_until_it_is_heard(bells: Bells) -> None:
    rung: list[str] = []

    for _ in range(5):
        bells.ring("drain", lambda: rung.append("drain"))
    bells.heard("drain")
    again = bells.ring("drain", lambda: rung.append("drain"))

    assert rung == ["drain", "drain"]
    assert again


def test_bells_of_two_names_do_not_hold_each_other_up(bells: Bells) -> None:
    assert [bells.ring(name, lambda: None) for name in ("push:a", "push:b")] == [True, True]


def test_bells_of_two_installations_are_apart(client: redis.Redis) -> None:
    for prefix in ("lockstep:one", "lockstep:two"):
        assert Bells(client, prefix=prefix).ring("drain", lambda: None)


def test_a_bell_that_was_lost_rings_again_after_its_life(bells: Bells) -> None:
    bells.ring("drain", lambda: None)
    time.sleep(0.25)

    assert bells.ring("drain", lambda: None)


def test_an_emptied_redis_makes_every_bell_ring_again(bells: Bells, client: redis.Redis) -> None:
    bells.ring("drain", lambda: None)
    client.flushdb()

    assert bells.ring("drain", lambda: None)


def test_a_bell_that_could_not_be_sent_is_not_pending(bells: Bells) -> None:
    def broken() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        bells.ring("drain", broken)

    assert bells.ring("drain", lambda: None)


def test_of_many_ringers_one_sends(bells: Bells) -> None:
    sent: list[int] = []
    start = threading.Barrier(8)

    def ring() -> None:
        start.wait()
        bells.ring("drain", lambda: sent.append(1))

    threads = [threading.Thread(target=ring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sent == [1]


def test_without_redis_every_bell_goes_out() -> None:
    rung: list[int] = []
    with redis.Redis.from_url(NOWHERE, socket_connect_timeout=0.2) as nowhere:
        bells = Bells(nowhere, prefix="lockstep:test")
        for _ in range(2):
            assert bells.ring("drain", lambda: rung.append(1))
        bells.heard("drain")
        bells.hush("drain", 60)

    assert rung == [1, 1]


def test_a_hushed_bell_is_silent_for_its_time(bells: Bells) -> None:
    bells.hush("push:shop", 0.4)

    assert not bells.ring("push:shop", lambda: None)
    time.sleep(0.45)
    assert bells.ring("push:shop", lambda: None)


def test_no_bell_stays_in_redis_for_ever(bells: Bells, client: redis.Redis) -> None:
    bells.ring("drain", lambda: None)
    bells.hush("push:shop", 60)

    assert all(client.pttl(key) > 0 for key in client.scan_iter())
