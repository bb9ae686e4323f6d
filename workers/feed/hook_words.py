"""Words and signatures of calls to addresses outside, after Standard Webhooks 1.0 (standardwebhooks.com).

webhook-id          the same for every try, so that a second one can be told
webhook-timestamp   seconds since 1970 of this try
webhook-signature   v1,<base64 of HMAC-SHA256(secret, "<id>.<timestamp>.<body>")>

The secret of an address is derived from its salt and the key of the house: it is shown once, and kept nowhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

#: Kind -> when it is told.
KINDS: Final[dict[str, str]] = {
    "halt.set": "a SKU is taken off sale on a channel, or many at once",
    "halt.lifted": "it is put back on sale",
    "reorder.needed": "a place has fallen to its reorder point",
    "stockout.forecast": "a place will run out before an order of today could be there",
}
#: Told to one address because somebody tries it.
TEST: Final = "test"
SECRET: Final = "whsec_"
SALT_BYTES: Final = 32
#: Seconds from a try to the next one, as the specification proposes them; then it is given up.
WAITS_S: Final = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
#: What is older is given up too, with the first try that fails: an address that was away for days is not overrun.
GIVEN_UP_S: Final = sum(WAITS_S)
#: An address that does not answer is left alone for so long at most, whatever waits for it.
LONGEST_PAUSE_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Message:
    """What is told.

    at         when it happened
    content    of its kind: docs/feed.md
    """

    id: UUID
    kind: str
    at: datetime
    content: Mapping[str, Any]


def secret_of(key: bytes, salt: bytes) -> bytes:
    """The 32 bytes that calls to the address with this salt are signed by."""
    return hmac.new(key, b"hook" + salt, hashlib.sha256).digest()


def shown(secret: bytes) -> str:
    """A secret as a receiver is given it."""
    return SECRET + base64.b64encode(secret).decode()


def proof_of(secret: bytes) -> bytes:
    """What is kept of a secret: of 256 random bits a plain SHA-256 tells nothing."""
    return hashlib.sha256(secret).digest()


def signature(secret: bytes, id_: str, seconds: int, body: bytes) -> str:
    """What proves that we sent this body under this id at this second."""
    signed = f"{id_}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def call(message: Message, secret: bytes, now: datetime) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a try."""
    document = {
        "type": message.kind,
        "timestamp": message.at.isoformat(),
        "data": dict(message.content),
    }
    body, id_, seconds = orjson.dumps(document), f"msg_{message.id.hex}", int(now.timestamp())
    return body, {
        "Content-Type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature(secret, id_, seconds, body),
    }


def wait_s(tries: int, chance: float) -> float | None:
    """Seconds until the next try after so many in vain, a fifth of it by chance; None: no more."""
    if tries > len(WAITS_S):
        return None
    return WAITS_S[tries - 1] * (0.9 + 0.2 * chance)


def pause_s(failing: int) -> float:
    """Seconds that an address is left alone that has not answered so many times in a row."""
    return float(min(LONGEST_PAUSE_S, 5.0 * 2 ** min(failing - 1, 10)))
