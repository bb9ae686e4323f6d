"""Tiers, tolerance, accuracy, shrinkage, and what the counts of a place lead to: the checked numbers and the edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.planning.tiers import FALLS_AFTER, Kept, classes, kept
from reconcile.counting import judging
from reconcile.counting.accuracy import ALL, Records, accuracy, ira, percent, quarter
from reconcile.counting.judging import Day, Share, Week, bad_counts, plain_sum, spread
from reconcile.counting.tiers import Known, due, due_at
from reconcile.counting.tolerance import percent_off, verdict
from reconcile.counting.types import CUSUM, FAILED_PICK, VARIANCE, Counted, Terms, Tier, Verdict
from tests.builders import NOON

DAY = timedelta(days=1)
TERMS = Terms()
A, B, C = Tier


def test_the_item_that_crosses_80_percent_is_still_a() -> None:
    found = classes([500, 300, 80, 50, 30, 20, 10, 6, 3, 1])

    assert "".join(found) == "AABBBCCCCC"


def test_classes_keep_the_order_they_were_given_in_and_nothing_is_worth_c() -> None:
    assert "".join(classes([1, 500, 0, 300])) == "CACA"
    assert classes([0, 0]) == [C, C]
    assert classes([]) == []


@given(st.lists(st.floats(0, 1e9), max_size=12))
def test_what_is_worth_more_is_never_in_a_lower_class(values: list[float]) -> None:
    found = list(zip(values, classes(values), strict=True))

    assert all(a.rank <= b.rank for v, a in found for w, b in found if v > w)


def test_a_place_rises_at_once_and_falls_after_two_weeks() -> None:
    b = Kept(B, NOON)
    assert kept(None, C, NOON) == Kept(C, NOON)
    assert kept(b, A, NOON + DAY) == Kept(A, NOON + DAY)
    falling = kept(b, C, NOON + DAY)
    assert falling == Kept(B, NOON, lower_since=NOON + DAY)
    assert kept(falling, C, NOON + DAY + FALLS_AFTER - timedelta(seconds=1)) == falling
    assert kept(falling, C, NOON + DAY + FALLS_AFTER) == Kept(C, NOON + DAY + FALLS_AFTER)
    assert kept(falling, B, NOON + 3 * DAY) == b


# --- the plan ---------------------------------------------------------------------------------------------------------


def known(sku: str = "MUG", **said: Any) -> Known:
    values: dict[str, Any] = {
        "location": "OSLO", "title": "", "on_hand": 10, "tier": A, "counted_at": NOON - 40 * DAY,
        "known_since": NOON - 400 * DAY,
    }  # fmt: skip
    return Known(sku, **values | said)


@pytest.mark.parametrize(("tier", "days"), [(A, 30), (B, 90), (C, 365)])
def test_a_place_is_due_its_tiers_days_after_its_last_count(tier: Tier, days: int) -> None:
    assert due_at(known(tier=tier), TERMS) == NOON - 40 * DAY + days * DAY


def test_what_was_never_counted_is_spread_over_its_tiers_days() -> None:
    at = [due_at(known(f"S{n}", counted_at=None, known_since=NOON), TERMS) for n in range(300)]

    assert all(NOON <= moment < NOON + 30 * DAY for moment in at)
    assert all(
        5 <= sum(day <= (m - NOON) / DAY < day + 3 for m in at) <= 60 for day in range(0, 30, 3)
    )


def test_orders_come_first_then_books_below_zero_then_what_is_latest() -> None:
    lines = due(
        [
            known("LATE"),
            known("LATER", counted_at=NOON - 90 * DAY),
            known("BELOW", counted_at=NOON, on_hand=-1),
            known("ORDERED", counted_at=NOON, orders=(CUSUM,)),
            known("FINE", counted_at=NOON),
            known("ELSEWHERE", location="BERGEN"),
        ],
        TERMS,
        NOON,
    )

    assert [(line.known.sku, line.why) for line in lines] == [
        ("ELSEWHERE", ("tier A",)),
        ("ORDERED", (CUSUM,)),
        ("BELOW", ("below zero",)),
        ("LATER", ("tier A",)),
        ("LATE", ("tier A",)),
    ]


def test_a_place_whose_small_variances_sum_up_is_counted_twice_as_often() -> None:
    (line,) = due([known(counted_at=NOON - 16 * DAY, sum_units=-5, beyond=True)], TERMS, NOON)

    assert line.why == ("tier A", "-5 in 90 days")
    assert due([known(counted_at=NOON - 16 * DAY)], TERMS, NOON) == []


# --- tolerance --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("book", "counted", "tier", "expected"),
    [
        (100, 99, A, "within"),
        (50, 50, A, "within"),
        (20, 19, B, "outside"),
        (8, 8, C, "within"),
        (28, 23, C, "escalated"),
        (100, 95, A, "outside"),
        (1000, 949, C, "escalated"),
        (1000, 950, C, "within"),
        (100, 105, A, "outside"),
        (100, 106, A, "escalated"),
        (0, 1, C, "escalated"),
        (-3, 0, C, "escalated"),
        (0, 0, A, "within"),
    ],
)
def test_a_count_is_within_tolerance_or_not(
    book: int, counted: int, tier: Tier, expected: str
) -> None:
    """5 % is not above 5 %; a book of nothing counts as one unit."""
    assert verdict(counted - book, book, tier, TERMS) == expected


def test_units_give_small_shelves_room() -> None:
    terms = Terms(units={A: Decimal(0), B: Decimal(1), C: Decimal(2)})

    assert [verdict(-2, 8, tier, terms) for tier in (B, C)] == ["escalated", "within"]


def test_the_articles_example_is_far_from_five_percent() -> None:
    assert percent_off(23 - 28, 28) == -17.857


# --- accuracy and shrinkage -------------------------------------------------------------------------------------------


def test_accuracy_never_nets_too_much_against_too_little() -> None:
    book, count = [100, 50, 20, 8, 28], [99, 50, 19, 8, 23]
    off = [
        verdict(c - b, b, t, TERMS) for b, c, t in zip(book, count, (A, A, B, C, C), strict=True)
    ]
    assert [v is Verdict.WITHIN for v in off] == [True, True, False, True, False]
    assert ira(3, 5) == 0.6
    netted = [verdict(c - 100, 100, A, TERMS) for c in (95, 105)]
    assert ira(netted.count(Verdict.WITHIN), 2) == 0.0
    assert ira(0, 0) is None


def test_accuracy_rolls_over_weeks_for_each_scope() -> None:
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    rows = [
        Records(monday - 7 * DAY, "OSLO", "A", 10, 5),
        Records(monday, "OSLO", "A", 10, 10),
        Records(monday, "BERGEN", "C", 5, 4),
    ]

    found = {(a.location, a.tier): a for a in accuracy(rows, [monday], rolling=2)}

    assert list(found) == [
        (ALL, ALL), ("BERGEN", "C"), ("BERGEN", ALL), ("OSLO", "A"), ("OSLO", ALL), (ALL, "A"), (ALL, "C")
    ]  # fmt: skip
    assert (found[ALL, ALL].ira, found[ALL, ALL].rolling_ira) == (0.933333, 0.76)
    assert (found["OSLO", "A"].counted, found["OSLO", "A"].rolling_counted) == (10, 20)


def test_shrinkage_in_percent_of_sales_and_of_the_book() -> None:
    book = 10_000 + 4_000 - 9_000
    assert (percent(book - 4_820, 15_000), percent(book - 4_820, book)) == (1.2, 3.6)
    assert percent(5, 0) is None


def test_quarters() -> None:
    assert quarter("2026Q4") == (
        datetime(2026, 10, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert quarter("2026q1")[1] == datetime(2026, 4, 1, tzinfo=UTC)
    for said in ("2026", "2026Q5", "26Q1", "Q1", "2026Q", "2026Q1Q"):
        with pytest.raises(ValueError, match="write 2026Q4"):
            quarter(said)


# --- what the counts of a place lead to -------------------------------------------------------------------------------


def a_count(number: int, variance: int, *, book: int = 400, **said: Any) -> Counted:
    values: dict[str, Any] = {"moves": 4, "sigma": 2.0, "tier": C, "within": True}
    at = NOON + number * DAY
    return Counted("MUG", "OSLO", at, book + variance, book, **values | said)


LEAK = [-2, -1, -3, 0, -2, -1, -2, -3, -1, -2, -2, -2]


def test_a_steady_loss_alarms_at_its_eleventh_count_and_orders_a_recount() -> None:
    history = [a_count(n, v) for n, v in enumerate(LEAK, 1)]

    alarmed = [n for n in range(1, 13) if judging.place(history[:n], TERMS).orders]
    (finding,), (order,) = (judged := judging.place(history[:11], TERMS)).findings, judged.orders

    assert alarmed == [11]
    assert (finding.rule, finding.what) == (CUSUM, "place:MUG@OSLO")
    assert (order.rule, order.since, order.sound_at, order.missing) == (
        CUSUM, NOON + 11 * DAY, None, 19
    )  # fmt: skip
    assert finding.detail["units"] == finding.detail["sum_90d"] == -19


def test_a_reversed_count_leaves_no_trace() -> None:
    history = [a_count(n, v) for n, v in enumerate(LEAK[:11], 1)]

    assert judging.place([*history[:7], *history[8:]], TERMS).orders == ()


def test_a_large_variance_is_told_at_once_and_is_no_part_of_the_sum() -> None:
    before = [a_count(n, 0, book=28) for n in (1, 2)]
    history = [*before, a_count(3, -5, book=28, reason="theft", within=False)]

    (finding,), (order,) = (judged := judging.place(history, TERMS)).findings, judged.orders

    assert (finding.rule, finding.detail["percent"]) == (VARIANCE, -17.857)
    assert (order.since, order.sound_at, order.missing) == (history[2].at, history[1].at, 5)
    assert judging.place([*history, a_count(4, 0, book=23)], TERMS).orders == ()


def test_a_failed_pick_orders_a_recount_whatever_the_book_said() -> None:
    one = a_count(1, 0, book=0, reason="failed_pick")

    assert [o.rule for o in judging.place([one], TERMS).orders] == [FAILED_PICK]


def test_a_place_that_was_never_counted_leads_to_nothing() -> None:
    assert judging.place([], TERMS) == judging.Judged()


def test_the_plain_sum_is_beyond_two_units_or_the_tolerance_of_the_stock() -> None:
    history = [a_count(n, v) for n, v in enumerate(LEAK, 1)]

    assert plain_sum(history, TERMS, NOON + 12 * DAY) == (-21, 20.0)
    assert plain_sum([a_count(1, -1, book=30)], TERMS, NOON + DAY) == (-1, 2.0)
    assert plain_sum(history, TERMS, NOON + 98 * DAY) == (-7, 20.0)
    assert plain_sum([], TERMS, NOON) == (0, 2.0)


def test_what_is_usual_is_fitted_to_a_location_with_enough_counts() -> None:
    assert spread(29, 9.0, 10.0, 1.0, 0.8, 0.9).sigma(0) == 1.0
    assert spread(30, 9.0, 10.0, 1.0, 0.8, 0.9).sigma(10) == 3.0
    assert spread(30, 9.0, 10.0, 1.0, 0.8, 0.9).sigma(0) == 1.0
    assert spread(30, 9.0, 10.0, 10.0, -0.1, 0.9).sigma(500) == 3.0
    assert spread(30, 9.0, 10.0, None, None, None).sigma(7) == 3.0
    assert spread(30, 9.0, 10.0, -1.0, 1.0, 0.9).sigma(10) == 3.0
    assert spread(30, 0.1, 10.0, 0.1, 0.0, 0.0).sigma(10) == 1.0
    assert spread(30, 9.0, 10.0, 1.0, 0.8, 0.2).sigma(90) == 3.0, "that slope may be chance"


def test_an_alarm_of_many_orders_recounts_of_those_that_did_most_to_it() -> None:
    weeks = [Week(NOON, -6, 4.0, 3), Week(NOON + 7 * DAY, -8, 4.0, 3)]
    (signal,) = judging.signals(weeks)
    shares = [Share((f"S{n:02}", "OSLO"), -n, NOON - DAY) for n in range(1, 30)]

    judged = judging.pool("location:OSLO", signal, [*shares, Share(("UP", "OSLO"), 40)])

    assert [(o.sku, o.missing) for o in judged.orders] == [
        (f"S{n:02}", n) for n in range(29, 9, -1)
    ]
    assert {(o.since, o.sound_at) for o in judged.orders} == {(NOON + 14 * DAY, NOON - DAY)}
    assert judged.findings[0].detail["units"] == -14


def test_many_bad_counts_alarm_however_small_each_is() -> None:
    days = [Day(NOON + n * DAY, 4, 1) for n in range(5)]

    assert bad_counts("OSLO", days) is None
    finding = bad_counts("OSLO", [*days, Day(NOON + 5 * DAY, 4, 1)])
    assert finding is not None
    assert (finding.detail["counted"], finding.detail["out_of_tolerance"]) == (24, 6)
    assert bad_counts("OSLO", [Day(NOON, 400, 20)]) is None
