"""A vendor that says what the test tells it to, and a Shopify client of ours that hears it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.limits import Bucket
from channels.shopify.client import Shopify
from channels.simulators.square.serving import SquareRunning
from tests.channels.shopify_stub import a_bucket, a_client
from tests.channels.square_rig import SquareRig, an_account
from tests.channels.stub import Stub, a_stub


@pytest.fixture
def vendor() -> Iterator[Stub]:
    with a_stub() as stub:
        yield stub


@pytest.fixture
def bucket() -> Bucket:
    return a_bucket()


@pytest.fixture
def shop(vendor: Stub, bucket: Bucket) -> Iterator[Shopify]:
    client = a_client(vendor, bucket)
    yield client
    client.close()


@pytest.fixture(scope="session")
def simulated_account() -> Iterator[SquareRunning]:
    """Square's simulator on a port of this process; `square` empties it for each test."""
    with an_account() as running:
        yield running


@pytest.fixture
def square(simulated_account: SquareRunning) -> Iterator[SquareRig]:
    """The simulated account as new, our client of it, and the hands of everybody else."""
    rig = SquareRig(simulated_account)
    yield rig
    rig.close()
