"""A fresh simulated account per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.channels.simulators.square.till import Till


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till()
    yield made
    made.close()
