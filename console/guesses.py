"""Guessing a token is slow: an address that shows many that are wrong is not listened to for a while.

What counts are different wrong tokens, so that a program with an old one locks nobody out; and who came in lately
comes in still, so that a guesser behind the same proxy locks nobody out either. All doors count together in Redis: what
was wrong at one counts at the others, and a door hears of it by the first wrong token that it is shown itself. Without
Redis each door counts for itself.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from redis import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from redis import Redis
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from workers.wiring import Wiring

_K = TypeVar("_K")
_V = TypeVar("_V")

MOST: Final = 20
WINDOW_S: Final = 900.0
#: Addresses and good tokens that are remembered.
_REMEMBERED: Final = 10_000


class Shared:
    """What all doors of a house have seen of an address, in Redis.

    prefix    of the keys; they end with their window
    """

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    def wrong(self, address: str, token: bytes) -> tuple[int, float]:
        """Count a wrong token; how many different ones there are, and seconds until they are forgotten.

        raises    RedisError
        """
        key = f"{self._prefix}:guesses:{address}"
        with self._redis.pipeline() as asked:
            # Two bytes tell twenty tokens apart, and tell nobody what a token with a slip in it was meant to be.
            asked.sadd(key, token[:2])
            asked.expire(key, int(WINDOW_S), nx=True)
            asked.scard(key)
            asked.pttl(key)
            _, _, count, left_ms = asked.execute()
        return int(count), max(0.0, left_ms / 1000)


def shared_by(house: Wiring) -> Shared | None:
    """What the doors of a house share; None where there is no Redis."""
    if not house.settings.redis_url:
        return None
    return Shared(house.redis, f"lockstep:{house.settings.env}")


class Guesses:
    """Wraps the application of a door that takes `Authorization`.

    shared    what other doors have seen; None: this one counts for itself
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        shared: Shared | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._shared = shared
        self._clock = clock
        #: address -> when its window began, and hashes of what was wrong since
        self._wrong: dict[str, tuple[float, set[bytes]]] = {}
        self._good: dict[bytes, None] = {}
        #: address -> until when nobody is listened to, as all doors together say
        self._shut: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the door answer, unless it is asked by somebody who guesses."""
        shown = next((v for n, v in scope.get("headers", ()) if n == b"authorization"), None)
        if scope["type"] != "http" or shown is None:
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("unknown", 0))[0]
        token = hashlib.sha256(shown).digest()
        wait_s = self._wait_s(address)
        if wait_s and token not in self._good:
            await _refusal(wait_s)(scope, receive, send)
            return

        is_wrong = False

        async def watched(message: Message) -> None:
            nonlocal is_wrong
            if message["type"] == "http.response.start":
                is_wrong = message["status"] == 401
                self._seen(address, token, is_wrong=is_wrong)
            await send(message)

        await self._app(scope, receive, watched)
        if is_wrong and self._shared is not None:
            # After the answer, which waits for nobody.
            await run_in_threadpool(self._tell, self._shared, address, token)

    def _tell(self, shared: Shared, address: str, token: bytes) -> None:
        try:
            count, left_s = shared.wrong(address, token)
        except RedisError:
            return
        if count >= MOST:
            self._shut[address] = self._clock() + left_s
            _forget_oldest(self._shut)

    def _wait_s(self, address: str) -> int:
        """Seconds until somebody from there is listened to; 0: now."""
        now = self._clock()
        begun, wrong = self._wrong.get(address, (0.0, set()))
        own_s = begun + WINDOW_S - now if len(wrong) >= MOST else 0.0
        left_s = max(own_s, self._shut.get(address, now) - now)
        return int(left_s) + 1 if left_s > 0 else 0

    def _seen(self, address: str, token: bytes, *, is_wrong: bool) -> None:
        if not is_wrong:
            self._good.pop(token, None)
            self._good[token] = None
            _forget_oldest(self._good)
            return
        self._good.pop(token, None)
        now = self._clock()
        begun, wrong = self._wrong.pop(address, (now, set()))
        if begun + WINDOW_S <= now:
            begun, wrong = now, set()
        wrong.add(token)
        self._wrong[address] = (begun, wrong)
        _forget_oldest(self._wrong)


def _forget_oldest(kept: dict[_K, _V]) -> None:
    if len(kept) > _REMEMBERED:
        del kept[next(iter(kept))]


def _refusal(wait_s: int) -> JSONResponse:
    said = f"too many wrong tokens from this address: try again in {wait_s} s"
    return JSONResponse({"error": said}, 429, {"Retry-After": str(wait_s)})
