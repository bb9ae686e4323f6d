"""The vendors' own SDKs as judges of the simulators; they live in an environment of their own.

    make test-referees

Where an SDK is not installed (everywhere but in `.venv-referees`) nothing of this folder is collected.
One simulator a vendor serves the whole run: the SDKs keep tokens for as long as the process lives.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from channels.simulators.amazon.serving import AmazonRunning, start_amazon
from channels.simulators.clock import Clock
from channels.simulators.serve import Running, start
from channels.simulators.square.serving import SquareRunning, start_square
from tests.inside import stay_inside

SDKS = ("spapi", "sp_api", "square", "shopify_app")
collect_ignore_glob = [] if all(find_spec(name) for name in SDKS) else ["test_*.py"]

_numbers = itertools.count(1)


@pytest.fixture
def sku() -> str:
    """A SKU no other test uses."""
    return f"SKU-{next(_numbers)}"


@pytest.fixture(scope="session")
def amazon() -> Iterator[AmazonRunning]:
    """A seller's account; its clock is held, so that tests decide when a write is applied."""
    running = start_amazon(seed=1, clock=Clock.held())
    yield running
    running.stop()


@pytest.fixture(scope="session")
def square() -> Iterator[SquareRunning]:
    running = start_square(seed=1)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def shopify() -> Iterator[Running]:
    running = start("shopify", seed=1)
    yield running
    running.stop()


stay_inside()
