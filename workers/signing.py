"""Signed messages: what a worker does is what somebody with the key asked for, whoever else can write to the broker.

The signature is over the task's name, its id, and its arguments, so that a signed message cannot be made another
task's. One that is sent again is the same errand again, and does no harm (workers/README.md). Celery's own `auth`
serializer signs the arguments only: the name of the task stands in a header beside them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, Final

#: Header of the message.
HEADER: Final = "signature"


def keys_of(said: str) -> tuple[str, ...]:
    """The keys of the setting, separated by commas: the first signs, each of them is believed."""
    return tuple(key for key in (part.strip() for part in said.split(",")) if key)


def signature(key: str, name: str, task_id: str, args: Any, kwargs: Any) -> str:
    """What proves that we asked for this.

    name, task_id    of the task;  args, kwargs   as they go into the message
    """
    said = json.dumps(
        [name, task_id, list(args or ()), dict(kwargs or {})], sort_keys=True, default=str
    )
    return hmac.new(key.encode(), said.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def is_ours(
    keys: Sequence[str], given: Any, name: str, task_id: str, args: Any, kwargs: Any
) -> bool:
    """Whether one of the keys signed this; without a key everything is."""
    if not keys:
        return True
    shown = given.encode("utf-8", "replace") if isinstance(given, str) else b""
    ours = False
    for key in keys:
        # No early return, so that time tells nothing.
        ours |= hmac.compare_digest(signature(key, name, task_id, args, kwargs).encode(), shown)
    return ours
