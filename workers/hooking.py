"""Addresses outside, put together from the wiring: the key of the house, the networks that may be called."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

from channels.addresses import networks
from workers.feed import hooks
from workers.feed.hook_words import SALT_BYTES
from workers.feed.hooks import Outside, Sent, Tried
from workers.keys import key_of
from workers.wiring import Wiring

_KEY = "hook.key"


def outside_of(house: Wiring) -> Outside:
    """What telling needs, as the settings say."""
    settings = house.settings
    key = key_of(settings.hook_key, settings.home, _KEY)
    return Outside(key, networks(settings.hook_networks), random.random)


def send(house: Wiring) -> Sent:
    """Tell what is due."""
    return hooks.send(house.engine, outside_of(house), now=house.now)


def add(house: Wiring, name: str, url: str, kinds: Sequence[str], *, by: str) -> str:
    """Keep an address; its secret, to be shown once. Raises as `hooks.add`."""
    salt = os.urandom(SALT_BYTES)
    return hooks.add(
        house.engine, outside_of(house), name, url, kinds, by=by, now=house.now(), random=salt
    )


def test(house: Wiring, name: str, *, by: str) -> Tried:
    """Tell an address something harmless at once. Raises hooks.NoHook."""
    return hooks.test(house.engine, outside_of(house), name, by=by, now=house.now)
