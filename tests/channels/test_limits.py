"""The token bucket of a vendor account: shared by processes, corrected by the vendor, and alone without Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from redis.connection import parse_url

from channels.base import Throttled
from channels.limits import Bucket
from channels.patient import Patient

NOWHERE = "redis://127.0.0.1:1/0"


def a_bucket(
    url: str, *, account: str = "shopify:shop", maximum: float = 100, rate: float = 50
) -> Bucket:
    client = redis.Redis.from_url(url, socket_connect_timeout=0.2, retry=None)
    return Bucket(client, account, maximum=maximum, restore_rate=rate)


def test_a_full_bucket_gives_its_tokens_and_then_says_how_long_to_wait(valkey: str) -> None:
    bucket = a_bucket(valkey)
    bucket.take(60)

    with pytest.raises(Throttled) as refusal:
        bucket.take(60)

    assert refusal.value.retry_after_s == pytest.approx(20 / 50, abs=0.1)


def test_tokens_come_back_at_the_restore_rate(valkey: str) -> None:
    bucket = a_bucket(valkey, rate=200)
    bucket.settle(bucket.take(100))

    time.sleep(0.25)

    bucket.take(40)
    assert bucket.state().available < 60


def test_a_full_bucket_regains_nothing_while_its_first_call_is_on_its_way(valkey: str) -> None:
    bucket = a_bucket(valkey, maximum=5, rate=20)
    slow = bucket.take(1)
    time.sleep(0.1)
    # The vendor has counted no call yet, so its bucket is full: after this one it holds four, and so does ours.
    bucket.settle(slow)

    assert bucket.state().available == pytest.approx(4, abs=0.5)


def test_a_slow_call_from_a_bucket_that_is_not_full_costs_no_time(valkey: str) -> None:
    bucket = a_bucket(valkey, maximum=100, rate=100)
    bucket.settle(bucket.take(90))
    slow = bucket.take(1)
    time.sleep(0.2)
    bucket.settle(slow)

    assert bucket.state().available >= 25


def test_two_accounts_do_not_share_a_bucket(valkey: str) -> None:
    a_bucket(valkey, account="shopify:one").take(100)

    a_bucket(valkey, account="shopify:two").take(100)

    assert a_bucket(valkey, account="shopify:one").state().available < 20


def test_a_cost_above_the_maximum_waits_for_a_full_bucket_only(valkey: str) -> None:
    bucket = a_bucket(valkey)

    bucket.take(5000)

    with pytest.raises(Throttled) as refusal:
        bucket.take(5000)
    assert refusal.value.retry_after_s <= 2.0


def test_the_vendors_numbers_replace_our_estimate(valkey: str) -> None:
    bucket = a_bucket(valkey, maximum=100, rate=50)
    ticket = bucket.take(50)

    bucket.correct(1990, 2000, 100, ticket=ticket)

    state = bucket.state()
    assert (state.maximum, state.restore_per_s, state.shared) == (2000, 100, True)
    assert 1990 <= state.available <= 2000
    assert state.calls_away == 0


def test_a_correction_counts_the_calls_still_on_their_way_as_spent(valkey: str) -> None:
    bucket = a_bucket(valkey, rate=0.001)
    ours = bucket.take(20)
    bucket.take(30)

    bucket.correct(80, 100, 0.001, ticket=ours)

    assert bucket.state().available == pytest.approx(50, abs=0.1)
    assert bucket.state().calls_away == 1


def test_a_correction_that_ran_twice_changes_nothing_more(valkey: str) -> None:
    bucket = a_bucket(valkey, rate=0.001)
    ticket = bucket.take(20)
    bucket.correct(80, 100, 0.001, ticket=ticket)
    before = bucket.state()

    bucket.correct(80, 100, 0.001, ticket=ticket)

    assert bucket.state().available == pytest.approx(before.available, abs=0.01)


def test_a_take_that_ran_twice_on_the_server_costs_once(valkey: str) -> None:
    class RunsTwice(redis.Redis):
        def execute_command(self, *arguments: Any, **options: Any) -> Any:
            run: Callable[..., object] = super().execute_command
            if arguments[0] == "EVALSHA":
                run(*arguments, **options)
            return run(*arguments, **options)

    bucket = Bucket(RunsTwice.from_url(valkey), "shopify:shop", maximum=100, restore_rate=0.001)

    bucket.take(60)

    assert bucket.state().available == pytest.approx(40, abs=0.1)


def test_a_closed_bucket_gives_nothing_until_the_vendors_time_is_over(valkey: str) -> None:
    bucket = a_bucket(valkey)

    bucket.close(0.3)

    with pytest.raises(Throttled) as refusal:
        bucket.take(1)
    assert 0.1 < refusal.value.retry_after_s <= 0.3
    time.sleep(0.35)
    bucket.take(1)


def test_a_bucket_whose_vendor_refused_is_empty_and_one_that_was_closed_is_not(valkey: str) -> None:
    refused, closed = (a_bucket(valkey, account=name, rate=0.001) for name in ("till:a", "till:b"))

    refused.refused(0.1)
    closed.close(0.1)

    assert [round(each.state().available) for each in (refused, closed)] == [0, 100]
    assert 0 < refused.state().closed_s <= 0.1


def test_a_refusal_empties_a_bucket_without_redis_too() -> None:
    moment = [0.0]
    bucket = Bucket(
        None, "a", maximum=10, restore_rate=1, alone_share=1, monotonic=lambda: moment[0]
    )

    bucket.refused(2)

    assert (bucket.state().available, bucket.state().closed_s) == (0, 2)
    moment[0] = 3.0
    assert (bucket.state().available, bucket.state().closed_s) == (3, 0)


def test_eight_threads_never_exceed_the_rate_together(valkey: str) -> None:
    maximum, rate, cost, seconds = 100.0, 400.0, 10.0, 1.5
    taken: list[float] = []
    started_at = time.monotonic()

    def push_as_fast_as_allowed() -> None:
        bucket = a_bucket(valkey, maximum=maximum, rate=rate)
        while time.monotonic() - started_at < seconds:
            try:
                bucket.settle(bucket.take(cost))
            except Throttled as refusal:
                time.sleep(min(refusal.retry_after_s, 0.05))
            else:
                taken.append(cost)

    threads = [threading.Thread(target=push_as_fast_as_allowed) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed_s = time.monotonic() - started_at

    assert sum(taken) <= maximum + rate * elapsed_s
    assert sum(taken) >= 0.6 * rate * seconds


def test_without_redis_a_process_limits_itself_to_its_share() -> None:
    moment = [0.0]
    client = redis.Redis.from_url(NOWHERE, socket_connect_timeout=0.2, retry=None)
    bucket = Bucket(
        client,
        "shopify:shop",
        maximum=100,
        restore_rate=50,
        alone_share=0.25,
        monotonic=lambda: moment[0],
    )
    bucket.take(25)

    with pytest.raises(Throttled) as refusal:
        bucket.take(25)

    assert refusal.value.retry_after_s == pytest.approx(25 / 12.5)
    assert bucket.state().shared is False
    moment[0] = 2.0
    bucket.take(25)


def test_without_redis_the_vendors_words_are_still_heard() -> None:
    moment = [0.0]
    bucket = Bucket(
        None,
        "shopify:shop",
        maximum=100,
        restore_rate=50,
        alone_share=0.5,
        monotonic=lambda: moment[0],
    )
    bucket.correct(10, 1000, 100)
    assert (bucket.state().available, bucket.state().maximum) == (10, 500)

    bucket.close(3)

    with pytest.raises(Throttled) as refusal:
        bucket.take(1)
    assert refusal.value.retry_after_s == 3


def test_redis_that_comes_back_is_used_again(valkey: str) -> None:
    moment = [0.0]
    gone = redis.Redis.from_url(NOWHERE, socket_connect_timeout=0.2, retry=None)
    bucket = Bucket(gone, "shopify:shop", maximum=100, restore_rate=50, monotonic=lambda: moment[0])
    bucket.take(1)
    assert bucket.state().shared is False
    address: Callable[[str], dict[str, object]] = parse_url
    gone.connection_pool.connection_kwargs.update(address(valkey))
    gone.connection_pool.reset()

    moment[0] = 6.0

    assert bucket.state().shared is True


def test_a_vendor_that_does_not_tell_what_is_left_gives_its_ticket_back_and_no_token(
    valkey: str,
) -> None:
    bucket = a_bucket(valkey, maximum=10, rate=0.001)
    ticket = bucket.take(4)

    bucket.settle(ticket)

    state = bucket.state()
    assert (round(state.available), state.calls_away, state.restore_per_s) == (6, 0, 0.001)


def test_a_vendor_may_tell_its_rate_alone(valkey: str) -> None:
    bucket = a_bucket(valkey, maximum=10, rate=0.001)

    bucket.settle(bucket.take(10), 100)
    time.sleep(0.06)

    bucket.take(4)
    assert bucket.state().restore_per_s == 100


def test_a_rate_is_told_to_a_bucket_without_redis_too() -> None:
    now = 0.0
    bucket = Bucket(None, "a", maximum=10, restore_rate=1, alone_share=0.5, monotonic=lambda: now)

    bucket.settle(bucket.take(5), 4)
    now = 1.0

    assert bucket.state().available == 2


def test_at_a_door_a_limit_is_waited_for() -> None:
    now, waited = 0.0, []

    def pause(seconds: float) -> None:
        nonlocal now
        waited.append(seconds)
        now += seconds

    bucket = Bucket(None, "a", maximum=1, restore_rate=0.5, alone_share=1, monotonic=lambda: now)
    patient = Patient(bucket, pause)

    for _ in range(3):
        patient.settle(patient.take(1))

    assert waited == [2.0, 2.0]


def test_nobody_waits_for_ever() -> None:
    bucket = Bucket(None, "a", maximum=1, restore_rate=0.001, alone_share=1, monotonic=lambda: 0.0)
    bucket.take(1)

    with pytest.raises(Throttled):
        Patient(bucket, lambda seconds: None, patience_s=300).take(1)


def test_what_is_not_there_for_all_calls_is_refused_before_the_first() -> None:
    at_s = 0.0
    bucket = Bucket(
        None, "till", maximum=20, restore_rate=10, alone_share=1, monotonic=lambda: at_s
    )
    bucket.take(19)

    bucket.afford(1)
    with pytest.raises(Throttled) as refusal:
        bucket.afford(2)
    with pytest.raises(Throttled) as full:
        bucket.afford(50)

    assert (refusal.value.retry_after_s, full.value.retry_after_s) == (0.1, 1.9)
    assert bucket.state().available == 1
