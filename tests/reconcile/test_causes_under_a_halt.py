"""What a halted place is called: by the pushes before the stop until it is read back, and by the stop after that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconcile.causes import name, refines
from reconcile.clues import Clues, Sale
from reconcile.compare import compare
from reconcile.types import Case, Cause, Limits, Named, SentPush, Verdict
from tests.reconcile.cases import READ_AT, a_case, a_push, ago

#: 50 was confirmed two hours ago, then 30 an hour ago.
FIFTY_THEN_THIRTY = (a_push(30, 2), a_push(50, 1, sent_s_ago=7200))
#: Stopped twenty minutes ago, and read back as zero a little later.
STOP = SentPush(0, 0, 99, None, ago(1200), ago(1190), "confirmed", "", ago(1190))


def named(case: Case, clues: Clues) -> Named:
    """The cause of a halted place, as a read-back after a push names it."""
    case = replace(case, clues=clues)
    comparison = replace(compare(case, Limits()), verdict=Verdict.DRIFT)
    return name(case, comparison, {})


def setting(read: int, **more: Any) -> Case:
    """30 should be shown; a halt is wanted and not read back yet."""
    return a_case(read, halt_state="setting", **({"pushes": FIFTY_THEN_THIRTY} | more))


def stopped(read: int, **more: Any) -> Case:
    return a_case(read, halt_state="set", **({"pushes": FIFTY_THEN_THIRTY} | more))


@pytest.mark.parametrize(
    ("case", "clues", "cause"),
    [
        pytest.param(setting(50), Clues(), Cause.SWALLOWED, id="the number before the swallowed"),
        pytest.param(
            setting(49, updated_s_ago=500),
            Clues(sales=(Sale(1, ago(500)),), last_order_at=ago(500), known_to=READ_AT),
            Cause.SWALLOWED,
            id="and sold from since",
        ),
        pytest.param(
            setting(44), Clues(written_for="TEA-2"), Cause.MAPPING_ERROR, id="another SKU's number"
        ),
        pytest.param(
            setting(5, updated_s_ago=3599), Clues(), Cause.UNIT_OF_MEASURE, id="a pack of six"
        ),
        pytest.param(
            setting(44, updated_s_ago=500),
            Clues(known_to=READ_AT),
            Cause.EXTERNAL_EDIT,
            id="somebody else's hand after our push",
        ),
        pytest.param(setting(30), Clues(), Cause.UNKNOWN, id="only the stop is still to come"),
    ],
)
def test_what_is_not_stopped_yet_is_named_by_the_pushes_before(
    case: Case, clues: Clues, cause: Cause
) -> None:
    assert named(case, clues).cause is cause


@pytest.mark.parametrize(
    ("case", "clues", "cause"),
    [
        pytest.param(
            stopped(30, updated_s_ago=300),
            Clues(stop=STOP),
            Cause.STALE_OVERWRITE,
            id="a number of ours that was on its way came after the stop",
        ),
        pytest.param(
            stopped(44, updated_s_ago=300),
            Clues(stop=STOP, written_for="TEA-2"),
            Cause.MAPPING_ERROR,
            id="another SKU's number",
        ),
        pytest.param(
            stopped(3, updated_s_ago=300),
            Clues(stop=STOP, sales=(Sale(-3, ago(300)),), last_order_at=ago(300), known_to=READ_AT),
            Cause.LATE_EVENT,
            id="a cancelled order went back on the shelf",
        ),
        pytest.param(
            stopped(44, updated_s_ago=300),
            Clues(stop=STOP, known_to=READ_AT),
            Cause.EXTERNAL_EDIT,
            id="somebody put it back on sale",
        ),
        pytest.param(
            stopped(50), Clues(known_to=READ_AT), Cause.UNKNOWN, id="nothing is known of the stop"
        ),
    ],
)
def test_what_is_shown_after_a_stop_was_read_back_is_named_by_what_came_after_it(
    case: Case, clues: Clues, cause: Cause
) -> None:
    assert named(case, clues).cause is cause


@pytest.mark.parametrize(
    ("before", "found", "takes_its_place"),
    [
        (Cause.UNKNOWN, Cause.EXTERNAL_EDIT, True),
        (Cause.SWALLOWED, Cause.MAPPING_ERROR, True),
        (Cause.EXTERNAL_EDIT, Cause.LOCATION_MISMATCH, True),
        (Cause.MAPPING_ERROR, Cause.EXTERNAL_EDIT, False),
        (Cause.MAPPING_ERROR, Cause.UNKNOWN, False),
        (Cause.MAPPING_ERROR, Cause.SWALLOWED, False),
        (Cause.UNIT_OF_MEASURE, Cause.MAPPING_ERROR, False),
        (Cause.MAPPING_ERROR, Cause.UNIT_OF_MEASURE, True),
    ],
)
def test_a_better_name_takes_the_place_of_a_weaker_one(
    before: Cause, found: Cause, takes_its_place: bool
) -> None:
    assert refines(before, found) is takes_its_place


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_may_be_found_again(cause: Cause) -> None:
    assert refines(cause, cause)
