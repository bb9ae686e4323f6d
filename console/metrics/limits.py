"""What the vendors' limits still allow, as the buckets in Redis say; nothing is asked of a vendor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
