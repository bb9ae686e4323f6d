"""A vendor that says what the test tells it to, and a Shopify client of ours that hears it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.limits import Bucket
from channels.shopify.client import Shopify
from tests.channels.shopify_stub import a_bucket, a_client
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
