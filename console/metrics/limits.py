"""What the vendors' limits still allow, as the buckets in Redis say; nothing is asked of a vendor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import redis
from sqlalchemy import Connection, text

from channels.amazon.operations import OPERATIONS
from channels.limits import Allowance, Bucket
from channels.shopify.lane import STANDARD
from channels.square.lane import ASSUMED
from console.metrics.types import Sample

#: channel -> (what is limited, its bucket)
Held: TypeAlias = dict[str, list[tuple[str, Bucket]]]

#: kind -> what is limited ("" for the whole account) -> what is allowed until the vendor says otherwise.
_LIMITS: Final[Mapping[str, Mapping[str, Allowance]]] = {
    "shopify": {"": STANDARD},
    "square": {"": ASSUMED},
    "amazon": {
        name: Allowance(operation.burst, operation.rate_per_s)
        for name, operation in OPERATIONS.items()
    },
}
_CHANNELS: Final = text("SELECT channel, kind, account FROM channel ORDER BY channel")


def buckets(connection: Connection, client: redis.Redis, prefix: str) -> Held:
    """The buckets of each channel, named as those of the workers are."""
    found: Held = {}
    for row in connection.execute(_CHANNELS):
        account = f"{row.kind}:{row.account or row.channel}"
        found[row.channel] = [
            (
                what or "account",
                Bucket(
                    client,
                    f"{account}:{what}" if what else account,
                    maximum=allowed.maximum,
                    restore_rate=allowed.restore_per_s,
                    prefix=prefix,
                ),
            )
            for what, allowed in _LIMITS.get(row.kind, {}).items()
        ]
    return found


@dataclass(frozen=True, slots=True)
class Free:
    """The tightest limit of a channel.

    free, full    calls or points, as the vendor counts
    others        limits of the same channel that are freer
    """

    channel: str
    limit: str
    free: int
    full: int
    closed_s: float
    others: int

    @property
    def share(self) -> float:
        """Free as a part of what is free at most."""
        return self.free / self.full if self.full else 0.0


def tightest(found: Held) -> list[Free] | None:
    """The limit of each channel that leaves least; None when Redis does not answer."""
    told = []
    for channel, held in found.items():
        each = []
        for limit, bucket in held:
            state = bucket.state()
            if not state.shared:
                return None
            free, full = max(0, int(state.available)), int(state.maximum)
            each.append(Free(channel, limit, free, full, state.closed_s, len(held) - 1))
        if each:
            told.append(min(each, key=lambda one: (-one.closed_s, one.share, one.limit)))
    return told


def headroom(found: Held) -> Iterator[Sample]:
    """How much of each limit is free; nothing as soon as Redis does not answer."""
    for channel, held in found.items():
        for limit, bucket in held:
            state = bucket.state()
            if not state.shared:
                return
            labels = (channel, limit)
            free = max(0.0, min(1.0, state.available / state.maximum)) if state.maximum else 0.0
            yield Sample("lockstep_rate_headroom_ratio", labels, free)
            yield Sample("lockstep_rate_tokens", labels, state.available)
            yield Sample("lockstep_rate_bucket_tokens", labels, state.maximum)
            yield Sample("lockstep_rate_closed_seconds", labels, state.closed_s)
