"""A fresh simulated seller per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.channels.simulators.amazon.seller import Seller


@pytest.fixture
def seller() -> Iterator[Seller]:
    made = Seller()
    yield made
    made.close()
