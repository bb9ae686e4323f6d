"""One token bucket per vendor account, shared by every process through Redis and corrected by what the vendor says.

Theory. The bucket holds up to `maximum` tokens and regains `restore_rate` a second; a call takes its
estimated cost before it is sent. After the call the vendor tells what is really left. That number does
not know of calls still on their way, so each take leaves a ticket; a correction gives its own ticket back
and counts the other tickets as already spent.

A vendor that tells nothing counts a call when it comes in, not when it is sent. If its bucket is full until then, it
regains nothing meanwhile, and neither may ours: with calls on their way it holds at most the rest. So ours never has
more than the vendor's, however long the way is.

A script that runs twice (the answer of the first run got lost) finds its ticket and takes nothing more; a
correction is an absolute number, so that running it twice changes nothing. The clock is the server's TIME:
workers need not agree.

Without Redis a bucket of this process alone, with a fraction of the rate, keeps pushes going; nothing is
raised for it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast

import redis
from redis.exceptions import RedisError

from channels.base import Throttled

#: A ticket outlives the longest call (connect and read timeout), then it is forgotten.
_TICKET_S = 60.0
#: An unused bucket is full again long before; its key may go.
_FORGET_S = 3600
#: After a failure Redis is left alone this long, so that no push pays the connection timeout twice.
_REDIS_PAUSE_S = 5.0
#: More tokens than any bucket holds.
_UNTOLD = 1e15
#: Who waits for a limit looks again after this long at the earliest.
SHORTEST_WAIT_S = 0.05

_NOW = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local function on_their_way()
  local away = 0
  local tickets = redis.call('HGETALL', KEYS[2])
  for i = 1, #tickets, 2 do
    local cost, deadline = string.match(tickets[i + 1], '([^:]+):([^:]+)')
    if tonumber(deadline) < now then redis.call('HDEL', KEYS[2], tickets[i]) else away = away + tonumber(cost) end
  end
  return away
end
"""

_READ = (
    _NOW
    + """
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'maximum', 'rate', 'closed_until')
local maximum = tonumber(held[3]) or tonumber(ARGV[1])
local rate = tonumber(held[4]) or tonumber(ARGV[2])
local tokens = tonumber(held[1]) or maximum
local at = tonumber(held[2]) or now
local closed_until = tonumber(held[5]) or 0
tokens = math.min(maximum - on_their_way(), tokens + math.max(0, now - at) * rate)
"""
)

_WRITE = """
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now),
           'maximum', tostring(maximum), 'rate', tostring(rate), 'closed_until', string.format('%.6f', closed_until))
redis.call('EXPIRE', KEYS[1], ARGV[3])
"""

_TAKE = (
    _READ
    + """
local cost, ticket = math.min(tonumber(ARGV[4]), maximum), ARGV[5]
if redis.call('HEXISTS', KEYS[2], ticket) == 1 then return '0' end
local wait = math.max(0, closed_until - now)
if tokens < cost then
  if rate > 0 then wait = math.max(wait, (cost - tokens) / rate) else wait = math.max(wait, 1) end
end
if wait > 0 then return string.format('%.6f', wait) end
tokens = tokens - cost
redis.call('HSET', KEYS[2], ticket, cost .. ':' .. string.format('%.6f', now + tonumber(ARGV[6])))
redis.call('EXPIRE', KEYS[2], ARGV[3])
"""
    + _WRITE
    + "return '0'"
)

_CORRECT = (
    _READ
    + """
redis.call('HDEL', KEYS[2], ARGV[7])
maximum, rate = tonumber(ARGV[5]), tonumber(ARGV[6])
tokens = math.min(maximum, tonumber(ARGV[4]) - on_their_way())
"""
    + _WRITE
    + "return '0'"
)

# The vendor told no number of tokens: the ticket goes back, and what was taken stays taken.
_SETTLE = (
    _READ
    + """
redis.call('HDEL', KEYS[2], ARGV[4])
if tonumber(ARGV[5]) > 0 then rate = tonumber(ARGV[5]) end
"""
    + _WRITE
    + "return '0'"
)

# Of the vendor's tokens nothing is left, and no more is of ours (ARGV[5] 0), or it did not say (a large number).
_CLOSE = (
    _READ
    + """
closed_until = math.max(closed_until, now + tonumber(ARGV[4]))
tokens = math.min(tokens, tonumber(ARGV[5]))
"""
    + _WRITE
    + "return '0'"
)

_STATE = (
    _READ
    + """
return {string.format('%.6f', tokens), string.format('%.6f', maximum), string.format('%.6f', rate),
        string.format('%.6f', math.max(0, closed_until - now)), tostring(redis.call('HLEN', KEYS[2]))}
"""
)


@dataclass(frozen=True, slots=True)
class BucketState:
    """What a bucket holds now.

    available         tokens (vendor's points or calls); below 0 when more is on its way than the vendor has left
    restore_per_s     tokens regained a second
    closed_s          seconds for which the vendor asked for silence
    calls_away        calls taken whose answer has not been booked yet
    shared            False while Redis is away and this process limits itself alone
    """

    account: str
    available: float
    maximum: float
    restore_per_s: float
    closed_s: float
    calls_away: int
    shared: bool


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a vendor allows until it says otherwise: tokens when full, tokens regained a second."""

    maximum: float
    restore_per_s: float


def afford(state: BucketState, cost: float, keep: float = 0.0) -> None:
    """Raise Throttled unless a bucket holds so many tokens, or is full, and so many to `keep` beside them."""
    wanted = min(state.maximum, min(cost, state.maximum) + keep)
    wait_s = state.closed_s
    if state.available < wanted:
        rate = state.restore_per_s
        wait_s = max(wait_s, (wanted - state.available) / rate if rate > 0 else 1.0)
    if wait_s > 0:
        others = ", and pushes go first" if keep else ""
        raise Throttled(
            f"{state.account}: {state.available:g} of {state.maximum:g} tokens are left{others};"
            f" come back in {wait_s:.2f} s",
            retry_after_s=max(SHORTEST_WAIT_S, wait_s),
        )


class Limiter(Protocol):
    """What a client needs of its account's limit."""

    def take(self, cost: float) -> str:
        """Take tokens before a call; returns a ticket for `correct`. Raises Throttled(retry_after_s) when empty."""

    def afford(self, cost: float) -> None:
        """Be sure of tokens for calls of which the first are worth nothing without the last; takes none.

        raises    Throttled with the time until all are there: who took what there is would throw it away each time
        """

    def correct(
        self, available: float, maximum: float, restore_rate: float, *, ticket: str = ""
    ) -> None:
        """Book what the vendor says it has left after the call of `ticket`."""

    def settle(self, ticket: str, restore_rate: float = 0.0) -> None:
        """The call of `ticket` came back from a vendor that tells at most its rate (0: not even that)."""

    def close(self, retry_after_s: float) -> None:
        """The vendor asked for silence: nobody takes for so many seconds."""

    def refused(self, retry_after_s: float) -> None:
        """The vendor counted too many calls: as `close`, and nothing is left in the bucket, whatever we believed."""

    def state(self) -> BucketState:
        """The bucket now, for a dashboard."""


#: (what is limited, "" for the whole account; what is allowed of it) -> its bucket, the same for the same name.
Limits: TypeAlias = Callable[[str, Allowance], Limiter]


class Bucket:
    """The shared bucket of one vendor account.

    client          Redis or Valkey; None limits this process alone
    account         names the bucket, such as "shopify:my-shop"
    maximum         tokens when full;  restore_rate  tokens a second; both until the vendor says otherwise
    alone_share     fraction of rate and maximum that one process allows itself without Redis, about 1 / processes
    """

    def __init__(
        self,
        client: redis.Redis | None,
        account: str,
        *,
        maximum: float,
        restore_rate: float,
        prefix: str = "lockstep",
        alone_share: float = 0.25,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._account = account
        self._defaults = (maximum, restore_rate)
        self._keys = [f"{prefix}:limit:{{{account}}}", f"{prefix}:limit:{{{account}}}:away"]
        self._monotonic = monotonic
        self._redis_again_at = 0.0
        self._alone = _Alone(maximum * alone_share, restore_rate * alone_share, monotonic)
        self._alone_share = alone_share
        scripts = {
            "take": _TAKE,
            "correct": _CORRECT,
            "settle": _SETTLE,
            "close": _CLOSE,
            "state": _STATE,
        }
        self._scripts = (
            {}
            if client is None
            else {name: client.register_script(source) for name, source in scripts.items()}
        )

    def take(self, cost: float) -> str:
        """Take tokens; a cost above the bucket's maximum waits for a full bucket rather than for ever."""
        ticket = uuid.uuid4().hex
        answer = self._run("take", cost, ticket, _TICKET_S)
        wait_s = self._alone.take(cost) if answer is None else float(cast(bytes, answer))
        if wait_s > 0:
            raise Throttled(
                f"{self._account}: its bucket lacks {cost:g} tokens; come back in {wait_s:.2f} s",
                retry_after_s=wait_s,
            )
        return ticket

    def afford(self, cost: float) -> None:
        """See `Limiter`; a cost above the bucket's maximum waits for a full bucket."""
        afford(self.state(), cost)

    def correct(
        self, available: float, maximum: float, restore_rate: float, *, ticket: str = ""
    ) -> None:
        """Book the vendor's own numbers; never raises."""
        self._alone.correct(
            available, maximum * self._alone_share, restore_rate * self._alone_share
        )
        self._run("correct", available, maximum, restore_rate, ticket)

    def settle(self, ticket: str, restore_rate: float = 0.0) -> None:
        """Give the ticket back where the vendor does not tell what is left; never raises."""
        self._alone.settle(restore_rate * self._alone_share)
        self._run("settle", ticket, restore_rate)

    def close(self, retry_after_s: float) -> None:
        """Keep everybody out for so many seconds; never raises."""
        self._alone.close(retry_after_s, _UNTOLD)
        self._run("close", retry_after_s, _UNTOLD)

    def refused(self, retry_after_s: float) -> None:
        """Keep everybody out for so many seconds and believe that the bucket is empty; never raises."""
        self._alone.close(retry_after_s, 0.0)
        self._run("close", retry_after_s, 0.0)

    def state(self) -> BucketState:
        """The bucket now; the one of this process while Redis is away."""
        answer = self._run("state")
        if answer is None:
            return self._alone.state(self._account)
        available, maximum, rate, closed_s, away = (
            float(value) for value in cast(list[bytes], answer)
        )
        return BucketState(
            self._account, available, maximum, rate, closed_s, int(away), shared=True
        )

    def _run(self, script: str, *arguments: float | str) -> object | None:
        if self._client is None or self._monotonic() < self._redis_again_at:
            return None
        try:
            return cast(
                object,
                self._scripts[script](
                    keys=self._keys, args=[*self._defaults, _FORGET_S, *arguments]
                ),
            )
        except RedisError:
            self._redis_again_at = self._monotonic() + _REDIS_PAUSE_S
            return None


class _Alone:
    """The bucket of one process."""

    def __init__(self, maximum: float, rate: float, monotonic: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._maximum, self._rate, self._monotonic = maximum, rate, monotonic
        self._tokens, self._at, self._closed_until = maximum, monotonic(), 0.0

    def take(self, cost: float) -> float:
        with self._lock:
            now = self._refill()
            cost = min(cost, self._maximum)
            wait_s = max(0.0, self._closed_until - now)
            if self._tokens < cost:
                wait_s = max(wait_s, (cost - self._tokens) / self._rate if self._rate else 1.0)
            if wait_s == 0:
                self._tokens -= cost
            return wait_s

    def correct(self, available: float, maximum: float, rate: float) -> None:
        with self._lock:
            self._refill()
            self._maximum, self._rate = maximum, rate
            self._tokens = min(self._tokens, available, maximum)

    def settle(self, rate: float) -> None:
        with self._lock:
            self._refill()
            self._rate = rate or self._rate

    def close(self, retry_after_s: float, left: float) -> None:
        with self._lock:
            now = self._refill()
            self._closed_until = max(self._closed_until, now + retry_after_s)
            self._tokens = min(self._tokens, left)

    def state(self, account: str) -> BucketState:
        with self._lock:
            now = self._refill()
            closed_s = max(0.0, self._closed_until - now)
            return BucketState(
                account, self._tokens, self._maximum, self._rate, closed_s, 0, shared=False
            )

    def _refill(self) -> float:
        now = self._monotonic()
        self._tokens = min(self._maximum, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return now
