"""What every test of plans asks with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine


@pytest.fixture
def full(stocked: Engine) -> Iterator[Connection]:
    """A connection to the module's large house; what a test does is rolled back."""
    with stocked.connect() as connection:
        yield connection
        connection.rollback()
