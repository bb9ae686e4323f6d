"""What Redis keeps of pick-up numbers: never an older one over a newer one, none for longer than it may be used."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections.abc import Mapping, Sequence

import pytest
import redis

from console.availability_cache import Cache, DatabaseClock, Entry, read_entry
from console.batches import Batches

KEY = ("MUG-RED", "STORE-1")
MOST_US = 30_000_000


def a_clock() -> DatabaseClock:
    """A database whose clock is that of this machine's start."""
    clock = DatabaseClock()
    before = time.monotonic()
    clock.told(here_us(), before)
    return clock


def here_us() -> int:
    return int(time.monotonic() * 1e6)


def an_entry(
    rules: int = 1, ledger: int = 1, *, later_us: int = 0, at_us: int | None = None
) -> Entry:
    at_us = here_us() if at_us is None else at_us
    return Entry(rules, ledger, at_us + later_us, b'{"n":%d}' % ledger)


def keep(url: str, *entries: Entry, most_us: int = MOST_US) -> Entry | None:
    """Written one after the other by a process of its own; what is read then."""

    async def work() -> Entry | None:
        cache = Cache(url, prefix="t", most_us=most_us, clock=a_clock())
        for entry in entries:
            await cache.keep({KEY: entry})
        found = await cache.read([KEY])
        await cache.close()
        return found[KEY]

    return asyncio.run(work())


def test_an_entry_comes_back_as_it_was(valkey: str) -> None:
    entry = an_entry(3, 9)

    assert keep(valkey, entry) == entry
    assert read_entry(entry.written()) == entry


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        ((1, 5, 0), (1, 6, 0), "second"),
        ((1, 6, 0), (1, 5, 9), "first"),
        ((1, 9, 0), (2, 9, 0), "second"),
        ((2, 9, 0), (1, 9, 9), "first"),
        ((2, 3, 0), (1, 9, 9), "first"),
        ((1, 5, 0), (1, 5, 1), "second"),
        ((1, 5, 1), (1, 5, 0), "first"),
        ((1, 9, 0), (1, 10, 0), "second"),
    ],
)
def test_who_computed_slowly_does_not_overwrite_who_computed_later(
    valkey: str, first: tuple[int, int, int], second: tuple[int, int, int], stays: str
) -> None:
    begun = here_us()
    entries = {
        name: an_entry(rules, ledger, at_us=begun, later_us=later)
        for name, (rules, ledger, later) in {"first": first, "second": second}.items()
    }

    assert keep(valkey, entries["first"], entries["second"]) == entries[stays]


def test_many_writers_at_once_leave_the_newest(valkey: str) -> None:
    begun = here_us()
    entries = [an_entry(ledger=ledger, at_us=begun) for ledger in range(1, 201)]
    random.Random(7).shuffle(entries)
    threads = [threading.Thread(target=keep, args=(valkey, *entries[part::8])) for part in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert keep(valkey) == an_entry(ledger=200, at_us=begun)


def test_an_entry_lives_in_redis_no_longer_than_it_may_be_used(valkey: str) -> None:
    keep(valkey, an_entry(later_us=-20_000_000))

    with redis.Redis.from_url(valkey) as client:
        (key,) = client.keys("t:pickup:*")
        assert 0 < client.pttl(key) <= 10_000


def test_an_entry_that_is_too_old_is_neither_kept_nor_used(valkey: str) -> None:
    old = an_entry(later_us=-MOST_US)

    assert keep(valkey, old) is None
    with redis.Redis.from_url(valkey) as client:
        assert client.keys("*") == []
        client.set("t:pickup:MUG-RED\0STORE-1", old.written())
    assert keep(valkey) is None


def test_a_moment_that_has_not_come_yet_is_not_believed(valkey: str) -> None:
    ahead = an_entry(later_us=60_000_000)
    with redis.Redis.from_url(valkey) as client:
        client.set("t:pickup:MUG-RED\0STORE-1", ahead.written())

    assert keep(valkey) is None


def test_a_redis_that_is_away_is_left_alone_and_nothing_is_raised() -> None:
    assert keep("redis://127.0.0.1:1/0", an_entry()) is None


# ---- the database's clock ----


def test_an_age_is_never_less_than_it_is() -> None:
    """The database was read somewhere between asking and hearing; it is taken to have been at once."""
    clock, before = DatabaseClock(), time.monotonic()
    read_us = int((before + 0.2) * 1e6)

    clock.told(read_us, before)

    age_us = clock.age_us(read_us)
    assert age_us is not None
    assert age_us >= 0
    assert clock.age_us(read_us + 40_000) == pytest.approx(
        max(0, here_us() - int(before * 1e6) - 40_000), abs=20_000
    )


def test_a_closer_look_at_the_clock_replaces_a_vague_one() -> None:
    clock, here = DatabaseClock(), time.monotonic()
    clock.told(int(here * 1e6), here - 5)
    clock.told(int(here * 1e6), here)
    clock.told(int(here * 1e6), here - 1)

    age_us = clock.age_us(int(here * 1e6))

    assert age_us is not None
    assert age_us < 500_000


def test_a_clock_that_was_never_told_tells_no_age() -> None:
    assert DatabaseClock().age_us(here_us()) is None


# ---- batches ----


def test_what_is_asked_for_meanwhile_goes_together_in_the_next_call() -> None:
    calls: list[list[int]] = []

    async def work() -> list[int]:
        gate = asyncio.Event()

        async def ask(keys: Sequence[int]) -> Mapping[int, int]:
            calls.append(list(keys))
            await gate.wait()
            return {key: key * key for key in keys}

        batches = Batches(ask, at_once=1, most=3)
        first = asyncio.create_task(batches.get(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = [asyncio.create_task(batches.get(key)) for key in (2, 3, 2, 4, 5, 1)]
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(first, *others)

    assert asyncio.run(work()) == [1, 4, 9, 4, 16, 25, 1]
    assert calls == [[1], [2, 3, 4], [5, 1]]


def test_every_question_is_answered_however_they_come() -> None:
    """A question that comes in the very step in which a call ends starts another."""

    async def work() -> int:
        async def ask(keys: Sequence[int]) -> Mapping[int, int]:
            for _ in range(dice.randrange(3)):
                await asyncio.sleep(0)
            return {key: key for key in keys}

        dice = random.Random(3)
        batches = Batches(ask, at_once=2, most=5)
        numbers = itertools.count()

        async def asker() -> None:
            for _ in range(300):
                number = next(numbers) % 7
                assert await batches.get(number) == number
                for _ in range(dice.randrange(3)):
                    await asyncio.sleep(0)

        async with asyncio.timeout(20):
            await asyncio.gather(*(asker() for _ in range(9)))
        return next(numbers)

    assert asyncio.run(work()) == 2700


def test_a_call_that_fails_fails_for_those_who_wait_for_it_only() -> None:
    async def work() -> list[int | BaseException]:
        async def ask(keys: Sequence[int]) -> Mapping[int, int]:
            if 1 in keys:
                raise OSError("gone")
            return {key: key for key in keys}

        batches = Batches(ask, at_once=1, most=1)
        return await asyncio.gather(*(batches.get(key) for key in (1, 2)), return_exceptions=True)

    failed, answered = asyncio.run(work())

    assert isinstance(failed, OSError)
    assert answered == 2


def test_who_gives_up_takes_the_answer_from_nobody_else() -> None:
    async def work() -> int:
        async def ask(keys: Sequence[int]) -> Mapping[int, int]:
            await asyncio.sleep(0.01)
            return {key: key for key in keys}

        batches = Batches(ask, at_once=1, most=1)
        impatient = asyncio.create_task(batches.get(1))
        patient = asyncio.create_task(batches.get(1))
        await asyncio.sleep(0)
        impatient.cancel()
        return await patient

    assert asyncio.run(work()) == 1


def test_an_estimate_allows_for_clocks_that_run_apart() -> None:
    """A database's clock that is slewed gains up to half a millisecond a second on the one that counts here."""
    clock, before = DatabaseClock(), time.monotonic()
    clock.told(at_us := here_us(), before)
    time.sleep(0.2)

    passed_us = (time.monotonic() - before) * 1e6
    age_us = clock.age_us(at_us)

    assert age_us is not None
    assert age_us >= passed_us - 50 + 0.2 * 500
