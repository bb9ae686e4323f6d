"""An alert as a signed call to an address of the operator's own.

X-Lockstep-Signature: t=<seconds>,v1=<hex of HMAC-SHA256(secret, "<seconds>.<body>")>
X-Lockstep-Delivery: <incident>:<revision>    the same for every try, so that a second one can be told
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

import orjson

from workers.alerts.types import Post


def call(post: Post, secret: str, now: datetime) -> tuple[bytes, Mapping[str, str]]:
    """Body and headers; without a secret nothing is signed."""
    body = orjson.dumps(post.alert)
    headers = {
        "Content-Type": "application/json",
        "X-Lockstep-Delivery": f"{post.alert['id']}:{post.wanted}",
    }
    if secret:
        seconds = int(now.timestamp())
        headers["X-Lockstep-Signature"] = f"t={seconds},v1={signature(secret, seconds, body)}"
    return body, headers


def signature(secret: str, seconds: int, body: bytes) -> str:
    """What proves that we sent this body at this second."""
    return hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
