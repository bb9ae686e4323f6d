"""The merchant's AWS pipe: takes notifications off queue and event bus and posts each to one url, signed.

Amazon itself only writes to SQS and EventBridge. What stands between those and a webhook is the merchant's own small
Lambda or pipe; this is its contract:

- one POST per notification, body = the notification as Amazon wrote it (or the EventBridge event around it, `wrapped`);
- `X-Pipe-Signature: base64(HMAC-SHA256(secret, body))`, over the raw body;
- `X-Pipe-Source: sqs | eventBridge` and `X-Pipe-Message-Id`, hints that no signature covers;
- anything but a 2xx is delivered again every 30 seconds, ten times in all (then it is a dead letter); a message may
  come more than once and in any order.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from channels.simulators.courier import Patience

PATIENCE: Final = Patience((30,) * 9)
SIGNATURE: Final = "X-Pipe-Signature"
SOURCE: Final = "X-Pipe-Source"
MESSAGE_ID: Final = "X-Pipe-Message-Id"


@dataclass(slots=True)
class Pipe:
    """Where notifications are posted to; None keeps them unsent. `wrapped` leaves EventBridge's event around them."""

    url: str | None = None
    wrapped: bool = False


def sign(raw: bytes, secret: str) -> str:
    """base64(HMAC-SHA256(secret, raw body))."""
    return base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()


def headers(raw: bytes, secret: str, *, source: str, message_id: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": "aws-pipe",
        SIGNATURE: sign(raw, secret),
        SOURCE: source,
        MESSAGE_ID: message_id,
    }


def event(
    notification: Mapping[str, Any], kind: str, *, event_id: str, at: str, account_id: str
) -> dict[str, object]:
    """The EventBridge event that carries a notification in `detail`."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": kind,
        "source": f"aws.partner/sellingpartnerapi.amazon.com/{account_id}",
        "account": account_id,
        "time": at,
        "region": "us-east-1",
        "resources": [],
        "detail": notification,
    }
