"""Addresses outside that are told of halts and orders: added, removed, tried. The secret is handed out once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from channels.outbound import Unsafe
from console.access.types import Refusal, Unknown
from ledger.db import transaction
from workers import hooking
from workers.feed import hook_store
from workers.feed.hook_store import NameTaken
from workers.feed.hooks import NoHook
from workers.wiring import Wiring


def add(house: Wiring, name: str, url: str, kinds: Sequence[str], *, by: str) -> dict[str, Any]:
    """Keep an address; `secret` is to be shown once. Raises Refusal."""
    try:
        secret = hooking.add(house, name, url, kinds, by=by)
    except (Unsafe, NameTaken) as error:
        raise Refusal(str(error)) from None
    return {"name": name, "url": url, "kinds": sorted(set(kinds)), "secret": secret}


def remove(engine: Engine, name: str, *, by: str, now: datetime) -> dict[str, Any]:
    """Tell an address nothing more. Raises Unknown."""
    with transaction(engine) as connection:
        if not hook_store.remove(connection, name, by=by, now=now):
            raise Unknown(f"there is no hook {name}: lockstep hook list")
    return {"name": name, "removed": True}


def test(house: Wiring, name: str, *, by: str) -> dict[str, Any]:
    """Tell an address something harmless at once; what came back. Raises Unknown."""
    try:
        tried = hooking.test(house, name, by=by)
    except NoHook as error:
        raise Unknown(str(error)) from None
    return {"name": name, "message": tried.message, "told": not tried.error, "error": tried.error}
