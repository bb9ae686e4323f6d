"""Waiting for another thread to come to where a test wants it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.workers.shelf import House

_WAITS = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
"""


def until_somebody_waits(house: House) -> None:
    """Return as soon as a session of this database waits for a lock."""
    until(lambda: bool(house.rows(_WAITS)[0][0]))


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        time.sleep(0.01)
    pytest.fail("it did not come to it")
