"""Guessing a token is slow: an address that shows many that are wrong is not listened to for a while.

What counts are different wrong tokens, so that a program with an old one locks nobody out; and who came in lately
comes in still, so that a guesser behind the same proxy locks nobody out either. Kept in the memory of the door's
process: what is guessed at are 256 random bits, or a word that the operator chose.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST: Final = 20
WINDOW_S: Final = 900.0
#: Addresses and good tokens that are remembered.
_REMEMBERED: Final = 10_000


class Guesses:
    """Wraps the application of a door that takes `Authorization`."""

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        #: address -> when its window began, and hashes of what was wrong since
        self._wrong: dict[str, tuple[float, set[bytes]]] = {}
        self._good: dict[bytes, None] = {}

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

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._seen(address, token, is_wrong=message["status"] == 401)
            await send(message)

        await self._app(scope, receive, watched)

    def _wait_s(self, address: str) -> int:
        """Seconds until somebody from there is listened to; 0: now."""
        begun, wrong = self._wrong.get(address, (0.0, set()))
        left = begun + WINDOW_S - self._clock()
        return int(left) + 1 if len(wrong) >= MOST and left > 0 else 0

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


def _forget_oldest(kept: dict[str, tuple[float, set[bytes]]] | dict[bytes, None]) -> None:
    if len(kept) > _REMEMBERED:
        del kept[next(iter(kept))]  # type: ignore[arg-type]  # its own first key, whichever of the two it is


def _refusal(wait_s: int) -> JSONResponse:
    said = f"too many wrong tokens from this address: try again in {wait_s} s"
    return JSONResponse({"error": said}, 429, {"Retry-After": str(wait_s)})
