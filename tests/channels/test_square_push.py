"""Showing levels at Square: what is read, what is written as of when, and what becomes of rows that cannot be."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from channels.base import (
    Confirmed,
    Level,
    NotSent,
    Outcome,
    Refused,
    Rejected,
    Stale,
    Throttled,
    Unavailable,
    Unreadable,
)
from channels.square.client import Square
from tests.channels.square_rig import SquareRig
from tests.channels.square_stub import (
    TOKEN,
    a_client,
    a_count,
    counts,
    history,
    levels,
    paths,
    refused,
    sent,
    written,
)
from tests.channels.stub import Answer, Stub

READ, WRITE, HISTORY = "counts/batch-retrieve", "changes/batch-create", "changes/batch-retrieve"


@pytest.fixture
def till(vendor: Stub) -> Iterator[Square]:
    client = a_client(vendor)
    yield client
    client.close()


def kinds(outcomes: list[Outcome]) -> list[type[Outcome]]:
    return [type(outcome) for outcome in outcomes]


class TestWhatIsWritten:
    def test_a_count_is_of_the_moment_of_the_reading(self, vendor: Stub, till: Square) -> None:
        vendor.says(counts(a_count(1, "10")), written())

        till.push(levels(1, expected=10), key="k1")

        assert paths(vendor) == [READ, WRITE]
        assert sent(vendor, 1) == [
            {
                "catalog_object_id": "V1",
                "location_id": "OSLO-ID",
                "state": "IN_STOCK",
                "quantity": "1",
                "occurred_at": "2026-08-20T14:00:00+00:00",
                "reference_id": "k1",
            }
        ]
        assert vendor.heard[1].json["ignore_unchanged_counts"] is False
        assert vendor.heard[0].json == {
            "catalog_object_ids": ["V1"],
            "location_ids": ["OSLO-ID"],
            "states": ["IN_STOCK"],
            "limit": 1000,
        }

    def test_what_changed_in_the_second_of_the_reading_is_not_taken_off_twice(
        self, vendor: Stub, till: Square
    ) -> None:
        row = a_count(1, "10", at="2026-08-20T14:00:00.734512Z")
        vendor.says(counts(row), written())

        till.push(levels(1, expected=10), key="k1")

        assert sent(vendor, 1)[0]["occurred_at"] == "2026-08-20T14:00:00.734512+00:00"

    def test_without_a_date_our_own_clock_has_to_do(self, vendor: Stub, till: Square) -> None:
        vendor.says(counts(date=""), written())

        till.push(levels(1), key="k1")

        assert sent(vendor, 1)[0]["occurred_at"] == "2026-08-20T12:00:00+00:00"

    def test_every_call_speaks_the_version_and_carries_the_token(
        self, vendor: Stub, till: Square
    ) -> None:
        vendor.says(counts(), written())

        till.push(levels(1), key="k1")

        for heard in vendor.heard:
            assert heard.headers["square-version"] == "2026-08-19"
            assert heard.headers["authorization"] == f"Bearer {TOKEN}"

    def test_what_is_below_zero_with_us_is_shown_as_zero(self, vendor: Stub, till: Square) -> None:
        vendor.says(counts(), written())

        till.push([Level(levels(1)[0].binding, -3, 1)], key="k1")

        assert sent(vendor, 1)[0]["quantity"] == "0"

    def test_a_thousand_rows_are_one_reading_and_ten_writes(
        self, vendor: Stub, till: Square
    ) -> None:
        vendor.says(counts(), written())

        outcomes = till.push(levels(1000), key="k1")

        assert kinds(outcomes) == [Confirmed] * 1000
        assert paths(vendor) == [READ] + [WRITE] * 10
        assert [len(sent(vendor, call)) for call in range(1, 11)] == [100] * 10
        keys = {vendor.heard[call].json["idempotency_key"] for call in range(1, 11)}
        assert len(keys) == 10
        assert all(len(key) <= 128 for key in keys)

    def test_a_reading_in_pages_is_read_to_its_end(self, vendor: Stub, till: Square) -> None:
        first = Answer(
            b'{"counts": [], "cursor": "more"}', headers={"Date": "Thu, 20 Aug 2026 13:59:59 GMT"}
        )
        vendor.says(first, counts(a_count(1, "1")))

        assert kinds(till.push(levels(1), key="k1")) == [Confirmed]
        assert vendor.heard[1].json["cursor"] == "more"

    def test_a_long_key_is_a_reference_all_the_same(self, vendor: Stub, till: Square) -> None:
        vendor.says(counts(), written())

        till.push(levels(1), key="k" * 300)

        assert len(sent(vendor, 1)[0]["reference_id"]) <= 255


class TestCompareAndSet:
    def test_what_is_shown_already_is_not_written(self, vendor: Stub, till: Square) -> None:
        vendor.says(counts(a_count(1, "1.00000")))

        assert kinds(till.push(levels(1, expected=9), key="k1")) == [Confirmed]
        assert paths(vendor) == [READ]

    @pytest.mark.parametrize("row", [[], [a_count(1, "9")], [a_count(1, "-1")]])
    def test_what_shows_something_else_than_expected_is_stale(
        self, vendor: Stub, till: Square, row: list[dict[str, object]]
    ) -> None:
        vendor.says(counts(*row), history(reference="another"))

        assert kinds(till.push(levels(1, expected=10), key="k1")) == [Stale]
        assert paths(vendor) == [READ, HISTORY]

    def test_a_row_this_push_has_written_before_is_not_stale(
        self, vendor: Stub, till: Square
    ) -> None:
        vendor.says(counts(a_count(1, "0"), a_count(2, "0")), history(1, reference="k1"))

        outcomes = till.push(levels(2, expected=10), key="k1")

        assert kinds(outcomes) == [Confirmed, Stale]

    def test_what_is_counted_by_measure_is_refused_by_name(
        self, vendor: Stub, till: Square
    ) -> None:
        vendor.says(counts(a_count(1, "2.5"), a_count(2, "9")), written())

        outcomes = till.push(levels(2), key="k1")

        assert kinds(outcomes) == [Rejected, Confirmed]
        assert isinstance(outcomes[0], Rejected)
        assert outcomes[0].code == "FRACTIONAL"
        assert "SKU-1: 2.5 is not a whole number" in outcomes[0].message

    def test_a_sale_between_reading_and_writing_is_never_lost(self, square: SquareRig) -> None:
        level = Level(square.bindings()["SKU-A"], 6, 1, expected=10)
        square.advance(5)
        square.fault("latency", count=1, seconds=0.6)
        outcomes: list[Outcome] = []
        pushing = threading.Thread(
            target=lambda: outcomes.extend(square.channel.push([level], key="k1"))
        )

        pushing.start()
        time.sleep(0.3)
        square.advance(0.4)
        square.order("SKU-A", 1)
        pushing.join()

        assert outcomes == [Confirmed(level)]
        assert square.shown("SKU-A") == 5

    def test_a_sale_before_the_reading_is_never_taken_off_twice(self, square: SquareRig) -> None:
        square.advance(0.7)
        square.order("SKU-A", 1)
        level = Level(square.bindings()["SKU-A"], 6, 1, expected=9)

        assert square.channel.push([level], key="k1") == [Confirmed(level)]
        assert square.shown("SKU-A") == 6

    def test_a_count_that_repeats_the_last_one_after_a_sale_is_written(
        self, square: SquareRig
    ) -> None:
        binding = square.bindings()["SKU-A"]
        square.channel.push([Level(binding, 5, 1)], key="k1")
        square.advance(5)
        square.order("SKU-A", 2)
        square.advance(5)

        square.channel.push([Level(binding, 5, 2, expected=3)], key="k2")

        assert square.shown("SKU-A") == 5


class TestRepeats:
    def test_the_same_push_makes_the_same_keys_and_another_push_others(
        self, vendor: Stub, till: Square
    ) -> None:
        for key in ("k1", "k1", "k2"):
            vendor.says(counts(), written())
            till.push(levels(2), key=key)

        keys = [h.json["idempotency_key"] for h in vendor.heard if WRITE in h.path]
        assert keys[0] == keys[1] != keys[2]

    def test_a_key_that_was_used_is_looked_up_in_the_history(
        self, vendor: Stub, till: Square
    ) -> None:
        reused = refused(400, ("IDEMPOTENCY_KEY_REUSED", "idempotency_key"))
        vendor.says(counts(), reused, history(1, 2, reference="k1"))

        assert kinds(till.push(levels(2), key="k1")) == [Confirmed, Confirmed]
        assert paths(vendor) == [READ, WRITE, HISTORY]

    def test_a_key_that_was_spent_on_nothing_is_replaced(self, vendor: Stub, till: Square) -> None:
        reused = refused(400, ("IDEMPOTENCY_KEY_REUSED", "idempotency_key"))
        vendor.says(counts(), reused, history(1, reference="k1"), written())

        assert kinds(till.push(levels(2), key="k1")) == [Confirmed, Confirmed]
        assert [row["catalog_object_id"] for row in sent(vendor, 3)] == ["V2"]
        first, second = (vendor.heard[call].json["idempotency_key"] for call in (1, 3))
        assert first != second

    def test_keys_that_are_always_used_end_as_unknown(self, vendor: Stub, till: Square) -> None:
        reused = refused(400, ("IDEMPOTENCY_KEY_REUSED", "idempotency_key"))
        nothing = history(reference="k1")
        vendor.says(counts(), reused, nothing, reused, nothing)

        with pytest.raises(Unavailable, match="the history does not tell"):
            till.push(levels(1), key="k1")

    def test_a_repeat_after_a_sale_knows_its_own_write(self, square: SquareRig) -> None:
        level = Level(square.bindings()["SKU-A"], 6, 1, expected=10)
        square.advance(5)
        square.fault("reset_after_apply", count=1)
        with pytest.raises(Unavailable):
            square.channel.push([level], key="k1")
        square.advance(5)
        square.order("SKU-A", 2)

        assert square.channel.push([level], key="k1") == [Confirmed(level)]
        assert square.shown("SKU-A") == 4


class TestBadRows:
    def test_named_rows_are_taken_out_and_the_rest_is_sent_again(
        self, vendor: Stub, till: Square
    ) -> None:
        bad = refused(
            404,
            ("NOT_FOUND", "changes[1].physical_count.catalog_object_id"),
            ("INVALID_VALUE", "changes[3].physical_count.quantity"),
        )
        vendor.says(counts(), bad, written())

        outcomes = till.push(levels(4), key="k1")

        assert kinds(outcomes) == [Confirmed, Rejected, Confirmed, Rejected]
        assert [o.code for o in outcomes if isinstance(o, Rejected)] == [
            "NOT_FOUND",
            "INVALID_VALUE",
        ]
        assert [row["catalog_object_id"] for row in sent(vendor, 2)] == ["V1", "V3"]

    def test_an_error_without_a_row_halves_the_batch(self, vendor: Stub, till: Square) -> None:
        bad = refused(400, ("BAD_REQUEST", None))
        vendor.says(counts(), bad, written(), bad, written(), bad)

        outcomes = till.push(levels(4), key="k1")

        assert kinds(outcomes) == [Confirmed, Confirmed, Confirmed, Rejected]
        assert [len(sent(vendor, call)) for call in range(1, 6)] == [4, 2, 2, 1, 1]

    @pytest.mark.parametrize("field", ["changes[9].physical_count", "changes[x]", "changes"])
    def test_a_row_that_was_never_sent_is_about_the_call(
        self, vendor: Stub, till: Square, field: str
    ) -> None:
        vendor.says(counts(), refused(400, ("INVALID_VALUE", field)))

        with pytest.raises(Refused, match="INVALID_VALUE"):
            till.push(levels(2), key="k1")

    def test_a_complaint_about_the_call_is_refused_and_not_halved(
        self, vendor: Stub, till: Square
    ) -> None:
        vendor.says(counts(), refused(400, ("INVALID_SQUARE_VERSION_FORMAT", "Square-Version")))

        with pytest.raises(Refused) as refusal:
            till.push(levels(2), key="k1")

        assert refusal.value.code == "INVALID_SQUARE_VERSION_FORMAT"
        assert len(vendor.heard) == 2

    @pytest.mark.parametrize(
        "answer",
        [
            refused(409, ("CONFLICT", None)),
            refused(400, ("INVALID_TIME", "changes[0].physical_count.occurred_at")),
            refused(500, ("INTERNAL_SERVER_ERROR", None)),
            refused(503, ("SERVICE_UNAVAILABLE", None)),
            refused(408, ("REQUEST_TIMEOUT", None)),
        ],
    )
    def test_trouble_that_passes_is_unavailable(
        self, vendor: Stub, till: Square, answer: Answer
    ) -> None:
        vendor.says(counts(), answer)

        with pytest.raises(Unavailable):
            till.push(levels(2), key="k1")

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"counts": 3}'])
    def test_an_answer_nobody_described_is_unreadable(
        self, vendor: Stub, till: Square, body: bytes
    ) -> None:
        vendor.says(Answer(body))

        with pytest.raises(Unreadable):
            till.push(levels(1), key="k1")

    def test_no_error_shows_the_token(self, vendor: Stub, till: Square) -> None:
        vendor.says(refused(400, (f"BAD {TOKEN}", "limit")))

        with pytest.raises(Refused) as refusal:
            till.push(levels(1), key="k1")

        assert TOKEN not in str(refusal.value)


class TestLimits:
    @pytest.mark.parametrize(
        ("headers", "wait_s"),
        [
            ({"Retry-After": "7"}, 7.0),
            ({"X-RateLimit-Reset": "1787234412", "Date": "Thu, 20 Aug 2026 14:00:00 GMT"}, 12.0),
            ({}, 1.0),
        ],
    )
    def test_a_throttled_call_says_when_to_come_back(
        self, vendor: Stub, till: Square, headers: dict[str, str], wait_s: float
    ) -> None:
        vendor.says(refused(429, ("RATE_LIMITED", None), **headers))

        with pytest.raises(Throttled) as refusal:
            till.push(levels(1), key="k1")

        assert refusal.value.retry_after_s == wait_s
        with pytest.raises(Throttled):
            till.push(levels(1), key="k1")
        assert len(vendor.heard) == 1, "the bucket keeps everybody out until then"

    def test_rows_after_the_limit_ran_out_were_not_sent(self, vendor: Stub, till: Square) -> None:
        vendor.says(
            counts(), written(), refused(429, ("RATE_LIMITED", None), **{"Retry-After": "3"})
        )

        outcomes = till.push(levels(250), key="k1")

        assert kinds(outcomes) == [Confirmed] * 100 + [NotSent] * 150
        assert {o.retry_after_s for o in outcomes if isinstance(o, NotSent)} == {3.0}

    def test_a_first_write_over_the_limit_has_not_happened(
        self, vendor: Stub, till: Square
    ) -> None:
        vendor.says(counts(), refused(429, ("RATE_LIMITED", None)))

        with pytest.raises(Throttled):
            till.push(levels(250), key="k1")
