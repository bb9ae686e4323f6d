"""Which writes are read back within seconds: fast or scarce ones, and those whose loss would halt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile.proving import Proof, Written, must_be_read
from reconcile.types import HaltRule

DEEP = Written(units=500, expected=501)


@pytest.mark.parametrize(
    ("written", "first"),
    [
        pytest.param(DEEP, False, id="one sale of a deep, slow SKU"),
        pytest.param(replace(DEEP, fast=True), True, id="fast"),
        pytest.param(replace(DEEP, scarce=True), True, id="scarce"),
        pytest.param(Written(10, 11), True, id="few are left"),
        pytest.param(Written(11, 12), False, id="one more than few"),
        pytest.param(Written(0, 400), True, id="sold out"),
        pytest.param(Written(500, None), True, id="a first number"),
        pytest.param(replace(DEEP, attempts=1), True, id="it did not come through before"),
        pytest.param(Written(30, 50), True, id="50 that was to be 30"),
        pytest.param(Written(500, 550), False, id="exactly 10 % less"),
        pytest.param(Written(500, 551), True, id="10.2 % less"),
        pytest.param(
            Written(900, 500), False, id="a rise: its loss sells nothing that is not there"
        ),
    ],
)
def test_what_could_oversell_before_the_window_is_read_first(written: Written, first: bool) -> None:
    assert must_be_read(written, Proof(), HaltRule()) is first
