"""A reader leaves the vendor's limit to the pushes: it takes only what a push would not miss."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import redis

from channels.base import Throttled
from channels.limits import Bucket, Limiter
from channels.sparing import Sparing


@dataclass
class Account:
    """A bucket of a hundred tokens that regains ten a second, on a clock the test holds."""

    maximum: float = 100
    rate: float = 10
    at_s: float = 0.0
    bucket: Limiter = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = Bucket(
            None,
            "shopify:shop",
            maximum=self.maximum,
            restore_rate=self.rate,
            alone_share=1,
            monotonic=lambda: self.at_s,
        )

    def left(self) -> float:
        return self.bucket.state().available


def test_a_reader_stops_where_half_of_the_bucket_is_left_and_a_push_goes_on() -> None:
    account = Account()
    reader = Sparing(account.bucket)
    for _ in range(5):
        reader.take(10)

    with pytest.raises(Throttled):
        reader.take(10)

    assert account.left() == 50
    account.bucket.take(50)
    assert account.left() == 0


def test_a_refused_reader_has_taken_nothing_and_is_told_when_it_may_come() -> None:
    account = Account()
    reader = Sparing(account.bucket)
    account.bucket.take(70)

    with pytest.raises(Throttled, match="pushes go first") as refusal:
        reader.take(10)

    # Thirty are there, ten are wanted and fifty must stay: thirty more, at ten a second.
    assert refusal.value.retry_after_s == pytest.approx(3)
    assert account.left() == 30
    account.at_s += refusal.value.retry_after_s
    reader.take(10)
    assert account.left() == pytest.approx(50)


def test_pushes_that_come_meanwhile_keep_the_reader_out_longer() -> None:
    account = Account()
    reader = Sparing(account.bucket)
    account.bucket.take(70)
    for _ in range(20):
        account.at_s += 1
        account.bucket.take(10)
        with pytest.raises(Throttled):
            reader.take(10)

    assert account.left() == 30


def test_a_full_bucket_lets_in_a_call_that_is_larger_than_what_readers_may_take() -> None:
    account = Account()
    reader = Sparing(account.bucket)

    reader.take(80)

    assert account.left() == 20


def test_a_call_that_costs_more_than_the_bucket_holds_waits_for_a_full_one_and_no_longer() -> None:
    account = Account()
    reader = Sparing(account.bucket)
    account.bucket.take(1)

    with pytest.raises(Throttled) as refusal:
        reader.take(250)

    assert refusal.value.retry_after_s == pytest.approx(0.1)
    account.at_s += 0.1
    reader.take(250)


@pytest.mark.parametrize(("keep", "reads"), [(0.0, 10), (0.2, 8), (0.5, 5), (1.0, 1)])
def test_the_share_that_is_kept_says_how_many_reads_a_full_bucket_gives(
    keep: float, reads: int
) -> None:
    reader = Sparing(Account().bucket, keep=keep)
    for _ in range(reads):
        reader.take(10)

    with pytest.raises(Throttled):
        reader.take(10)


def test_a_bucket_of_one_call_is_read_when_it_is_full() -> None:
    # Amazon allows one call at a time for some operations: half of a call cannot be left.
    account = Account(maximum=1, rate=1 / 60)
    reader = Sparing(account.bucket)
    reader.take(1)

    with pytest.raises(Throttled) as refusal:
        reader.take(1)

    assert refusal.value.retry_after_s == pytest.approx(60)
    account.at_s += 60
    reader.take(1)


def test_a_bucket_that_regains_nothing_is_asked_again_after_a_second() -> None:
    reader = Sparing(Account(rate=0).bucket)
    reader.take(50)

    with pytest.raises(Throttled) as refusal:
        reader.take(10)

    assert refusal.value.retry_after_s == 1


def test_a_vendors_silence_holds_for_readers_too_and_what_it_says_is_booked() -> None:
    account = Account()
    reader = Sparing(account.bucket)
    reader.close(30)
    with pytest.raises(Throttled) as refusal:
        reader.take(10)
    assert refusal.value.retry_after_s == pytest.approx(30)

    account.at_s += 30
    ticket = reader.take(10)
    reader.correct(20, 100, 10, ticket=ticket)

    assert (account.left(), reader.state().available) == (20, 20)
    with pytest.raises(Throttled):
        reader.take(10)
    account.bucket.take(20)


def test_a_limit_that_is_almost_there_is_not_asked_for_as_fast_as_the_wire_carries() -> None:
    account = Account(rate=1_000_000)
    reader = Sparing(account.bucket)
    account.bucket.take(51)

    with pytest.raises(Throttled) as refusal:
        reader.take(10)

    assert refusal.value.retry_after_s == 0.05


def test_readers_and_pushes_of_several_processes_share_one_bucket(valkey: str) -> None:
    def process() -> Bucket:
        client = redis.Redis.from_url(valkey, socket_connect_timeout=0.2)
        # It regains next to nothing while the test runs.
        return Bucket(client, "shopify:shop", maximum=100, restore_rate=0.001)

    pushes, reader = process(), Sparing(process())
    pushes.settle(pushes.take(45))
    reader.settle(reader.take(5))

    with pytest.raises(Throttled):
        reader.take(5)

    pushes.take(45)


def test_who_must_afford_several_calls_is_told_when_all_of_them_are_there() -> None:
    account = Account()
    reader = Sparing(account.bucket)
    account.bucket.take(45)

    reader.afford(5)
    with pytest.raises(Throttled) as refusal:
        reader.afford(10)

    assert refusal.value.retry_after_s == pytest.approx(0.5)
    assert account.left() == 55, "nothing was taken"
