"""A fresh simulated shop per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.channels.simulators.shopdesk import Desk, Mailbox, mailbox


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as made:
        yield made
