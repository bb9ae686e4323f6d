"""Bells: "look now", at most one pending per name. Losing one costs seconds, never work: the sweep rings again.

A bell that was rung and not yet heard is a key in Redis with a short life. Whoever hears it takes the key away before
looking, so that whatever is written after that look rings anew.
"""

from __future__ import annotations

from collections.abc import Callable

import redis
from redis.exceptions import RedisError

#: A message may be lost with its key left behind; after this long the next ring goes through again.
_LIFE_MS = 3000


class Bells:
    """The pending bells of one installation.

    client    Redis or Valkey; when it does not answer every ring goes out, which is harmless
    """

    def __init__(self, client: redis.Redis, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def ring(self, name: str, send: Callable[[], object]) -> bool:
        """Send, unless the bell of this name is still pending; returns whether it was sent."""
        try:
            fresh = self._client.set(self._key(name), b"1", nx=True, px=_LIFE_MS)
        except RedisError:
            fresh = True
        if not fresh:
            return False
        send()
        return True

    def heard(self, name: str) -> None:
        """Called before looking: from here on the bell may be rung again."""
        try:
            self._client.delete(self._key(name))
        except RedisError:
            # The key ends by itself; until then the sweep rings.
            return

    def _key(self, name: str) -> str:
        return f"{self._prefix}:bell:{name}"
