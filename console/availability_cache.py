"""Pick-up numbers in Redis, each with the versions and the moment it was computed from. Losing them costs time only.

Theory. An entry says what the book said at a moment of the database's clock. It is used while it is not older than
the most it may be: by that moment and by our estimate of the database's clock, so that a Redis that stood still or
forgot to expire it cannot make it younger. The estimate is never too low: the moment the database reports, less the
time before we asked.

Who computed slowly must not overwrite who computed later. Snapshots of one database are in one order, and in that
order neither the rules' version nor the balance's ever falls. So an entry gives way only to one that is not older
in both, then in its moment. A database that was restored to an earlier day is refused for as long as an entry
lives, and read meanwhile.

What this process computed it also remembers itself, for while Redis is away or has lost everything: when the database
is asked for all of it at once, answers are slow. What is remembered is used like an entry, up to the same age, and is
put back.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

#: (SKU, location); "" is all locations.
Key: TypeAlias = tuple[str, str]

#: Redis is left alone for so long after it failed to answer; the database answers meanwhile.
_AWAY_S: Final = 1.0
#: A call that takes longer has failed.
_CALL_S: Final = 0.25
#: An estimate of the database's clock is good for so long.
_CLOCK_S: Final = 10.0
#: Entries a process remembers; beyond it the oldest are forgotten.
_MOST_OWN: Final = 50_000
#: Moments may lie ahead of the estimate by no more than this; further ahead, a clock was set.
_AHEAD_US: Final = 50_000

_HEAD = re.compile(rb"(\d{1,19}) (\d{1,19}) (\d{1,19})\n")

# Numbers of Lua are exact to 2^53: versions, and microseconds until the year 2255.
_KEEP = """
local function head(value)
    if type(value) ~= 'string' then return nil end
    local rules, ledger, at = value:match('^(%d+) (%d+) (%d+)\\n')
    if not rules then return nil end
    return {tonumber(rules), tonumber(ledger), tonumber(at)}
end
for i, key in ipairs(KEYS) do
    local new, old = head(ARGV[2 * i - 1]), head(redis.pcall('GET', key))
    local older = false
    for place = 1, 3 do
        if old and new[place] ~= old[place] then
            older = new[place] < old[place]
            break
        end
    end
    if not older then redis.call('SET', key, ARGV[2 * i - 1], 'PX', ARGV[2 * i]) end
end
"""


def _client(url: str) -> redis.asyncio.Redis:
    """A client of one connection: one call at a time is all that is made, and asking a pool costs as much."""
    return redis.asyncio.Redis.from_url(
        url,
        single_connection_client=True,
        socket_timeout=_CALL_S,
        socket_connect_timeout=_CALL_S,
        retry=Retry(NoBackoff(), 0),
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A number as it was computed.

    rules, ledger    versions it was computed from
    at_us            when, by the database's clock, in microseconds since 1970
    body             the answer, without its age
    """

    rules: int
    ledger: int
    at_us: int
    body: bytes

    def written(self) -> bytes:
        """The form in Redis."""
        return b"%d %d %d\n%b" % (self.rules, self.ledger, self.at_us, self.body)


def _rank(entry: Entry) -> tuple[int, int, int]:
    return entry.rules, entry.ledger, entry.at_us


def read_entry(value: object) -> Entry | None:
    """An entry from its form in Redis; None for anything else."""
    head = _HEAD.match(value) if isinstance(value, bytes) else None
    if head is None or not isinstance(value, bytes):
        return None
    rules, ledger, at_us = (int(number) for number in head.groups())
    return Entry(rules, ledger, at_us, value[head.end() :])


#: The database's clock is set right bit by bit while ours of the elapsed time may not be: NTP slews 500 ppm at most.
_DRIFT_US_PER_S: Final = 500.0


class DatabaseClock:
    """The database's clock as seen from here, never earlier than it is. Safe to tell from any thread."""

    def __init__(self) -> None:
        self._best: tuple[float, int] = (float("-inf"), 0)

    def told(self, at_us: int, before: float) -> None:
        """The database said `at_us`, asked after `before` (monotonic seconds)."""
        heard, ahead_us = time.monotonic(), at_us - int(before * 1e6)
        best_at, best_us = self._best
        if ahead_us < best_us or heard - best_at > _CLOCK_S:
            self._best = (heard, ahead_us)

    def age_us(self, at_us: int) -> int | None:
        """The most that may have passed since a moment of the database; None when that cannot be told."""
        heard, ahead_us = self._best
        here = time.monotonic()
        if here - heard > _CLOCK_S:
            return None
        drift_us = math.ceil((here - heard) * _DRIFT_US_PER_S)
        age_us = int(here * 1e6) + ahead_us + drift_us - at_us
        return None if age_us < -_AHEAD_US else max(0, age_us)


class Cache:
    """The entries of one installation. Nothing it does raises: what it cannot read is missing."""

    def __init__(self, url: str, *, prefix: str, most_us: int, clock: DatabaseClock) -> None:
        """most_us: age up to which an entry is used"""
        self._reader, self._writer = _client(url), _client(url)
        self._keep = self._writer.register_script(_KEEP)
        self._prefix = f"{prefix}:pickup:"
        self._most_us = most_us
        self._clock = clock
        self._away_until = float("-inf")
        self._own: dict[Key, Entry] = {}

    def remembered(self, key: Key) -> Entry | None:
        """What this process last computed, while it may still be used."""
        entry = self._own.get(key)
        return entry if entry is not None and self._lives_us(entry) > 0 else None

    async def read(self, keys: Sequence[Key]) -> Mapping[Key, Entry | None]:
        """The entries that may still be used, in one call."""
        found: dict[Key, Entry | None] = dict.fromkeys(keys)
        if time.monotonic() < self._away_until:
            return found
        try:
            values = await self._reader.mget([self._name(key) for key in keys])
        except (RedisError, OSError):
            self._is_away()
            return found
        for key, value in zip(keys, values, strict=True):
            entry = read_entry(value)
            if entry is not None and self._lives_us(entry) > 0:
                found[key] = entry
        return found

    async def keep(self, entries: Mapping[Key, Entry]) -> None:
        """Remember entries, and write them, each unless a newer one is there."""
        self._remember(entries)
        lives = {
            key: (entry, lives_us)
            for key, entry in entries.items()
            if (lives_us := self._lives_us(entry)) > 0
        }
        if not lives or time.monotonic() < self._away_until:
            return
        given = [
            said
            for entry, lives_us in lives.values()
            for said in (entry.written(), max(1, lives_us // 1000))
        ]
        try:
            await self._keep(keys=[self._name(key) for key in lives], args=given)
        except (RedisError, OSError):
            self._is_away()

    async def close(self) -> None:
        """Give the connections back."""
        await self._reader.aclose()
        await self._writer.aclose()

    def _name(self, key: Key) -> str:
        # No SKU and no location holds a NUL.
        return f"{self._prefix}{key[0]}\0{key[1]}"

    def _remember(self, entries: Mapping[Key, Entry]) -> None:
        for key, entry in entries.items():
            before = self._own.pop(key, entry)
            self._own[key] = max(before, entry, key=_rank)
        while len(self._own) > _MOST_OWN:
            del self._own[next(iter(self._own))]

    def _lives_us(self, entry: Entry) -> int:
        age_us = self._clock.age_us(entry.at_us)
        return 0 if age_us is None else self._most_us - age_us

    def _is_away(self) -> None:
        self._away_until = time.monotonic() + _AWAY_S
