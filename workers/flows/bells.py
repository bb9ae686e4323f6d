"""Bells: "look now", at most one pending per name. Losing one costs seconds, never work: the sweep rings again.

A bell that was rung and not yet heard is a key in Redis with a short life. Whoever hears it takes the key away before
looking, so that whatever is written after that look rings anew.
"""

from __future__ import annotations

from collections.abc import Callable

import redis
from redis.exceptions import RedisError


class Bells:
    """The pending bells of one installation.

    client    Redis or Valkey; when it does not answer every ring goes out, which is harmless
    life_s    a message may be lost with its key left behind; after this long the next ring goes through again
    """

    def __init__(self, client: redis.Redis, *, prefix: str, life_s: float = 3.0) -> None:
        self._client = client
        self._prefix = prefix
        self._life_s = life_s

    def ring(self, name: str, send: Callable[[], object]) -> bool:
        """Send, unless the bell of this name is still pending; returns whether it was sent.

        raises    what `send` raises; the bell does not count as pending then
        """
        try:
            fresh = self._client.set(self._key(name), b"1", nx=True, px=_ms(self._life_s))
        except RedisError:
            fresh = True
        if not fresh:
            return False
        try:
            send()
        except Exception:
            self.heard(name)
            raise
        return True

    def hush(self, name: str, seconds: float) -> None:
        """Let nobody ring this bell for a while: whoever answers it cannot work before a person has acted."""
        try:
            self._client.set(self._key(name), b"1", px=_ms(seconds))
        except RedisError:
            # It rings again within seconds, and is hushed again.
            return

    def heard(self, name: str) -> None:
        """Called before looking: from here on the bell may be rung again."""
        try:
            self._client.delete(self._key(name))
        except RedisError:
            # The key ends by itself; until then the sweep rings.
            return

    def _key(self, name: str) -> str:
        return f"{self._prefix}:bell:{name}"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
