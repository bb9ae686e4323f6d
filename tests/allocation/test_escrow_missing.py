"""Units that a reading found gone, beside those that a channel keeps of its quota."""

from __future__ import annotations

from allocation.escrow import Bound, Hold, hold_rises
from allocation.types import Target


def test_what_is_missing_is_not_covered_by_what_another_keeps_for_its_own_sales() -> None:
    market = Target("market", "TEE", "WH", 0, share=1, exposed=1, quota=True)
    shop = Target("shop", "TEE", "WH", 1, share=1, quota=True)
    bound = Bound(frozenset({("market", "WH"), ("shop", "WH")}), 2)

    raised = hold_rises([market, shop], [bound], {("shop", "WH"): Hold(1, missing=1)})

    assert [(target.units, target.held) for target in raised] == [(0, 0), (0, 1)]
