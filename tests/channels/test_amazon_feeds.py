"""Writing to Amazon by the thousand: a feed, its report, and the ways in which it does not come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from channels.base import (
    Accepted,
    Binding,
    Confirmed,
    Level,
    NotSent,
    Outcome,
    Rejected,
    Unavailable,
    Unreadable,
)
from channels.simulators.amazon.serving import AmazonRunning
from tests.channels.amazon_rig import AmazonRig, an_account, bound, level, read, skus, words


@pytest.fixture(scope="module")
def account() -> Iterator[AmazonRunning]:
    with an_account() as running:
        yield running


@pytest.fixture
def rig(account: AmazonRunning) -> Iterator[AmazonRig]:
    made = AmazonRig(account, apply_s=5)
    yield made
    made.close()


def a_feed(rig: AmazonRig, count: int = 301, units: int = 2) -> list[Outcome]:
    """So many listings pushed in one go."""
    names = skus(count)
    rig.listed(dict.fromkeys(names, 1))
    return rig.channel.push([level(sku, units) for sku in names], key="k")


def receipt_of(outcomes: Sequence[Outcome]) -> tuple[str, list[Level]]:
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    (receipt,) = {outcome.receipt for outcome in accepted}
    return receipt, [outcome.level for outcome in accepted]


def finished(rig: AmazonRig, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """What became of a feed's rows a minute later."""
    receipt, levels = receipt_of(outcomes)
    for _ in range(2):
        assert rig.channel.answers(receipt, levels) is None
        rig.advance(20)
    rig.advance(20)
    answered = rig.channel.answers(receipt, levels)
    assert answered is not None
    return answered


def test_more_than_three_hundred_rows_are_one_feed_and_answered_later(rig: AmazonRig) -> None:
    outcomes = a_feed(rig)

    assert set(words(outcomes)) == {"Accepted"}
    assert rig.called("patchListingsItem") == []
    answered = finished(rig, outcomes)
    assert answered == [Confirmed(outcome.level) for outcome in outcomes]
    rig.advance(5)
    assert read(rig, bound(skus(1)[0])) == [2]
    assert rig.listing(skus(1)[0])["availability"]["lead_time_to_ship_max_days"] == 2


def test_three_hundred_rows_are_no_feed(rig: AmazonRig) -> None:
    outcomes = a_feed(rig, 300)

    assert set(words(outcomes)) == {"Confirmed", "NotSent"}
    assert rig.called("createFeed") == []


def test_a_bad_row_of_a_feed_is_named_by_its_place_and_the_others_are_shown(rig: AmazonRig) -> None:
    bad = skus(301)[7]
    rig.do("fault", kind="invalid", sku=bad, count=1)
    outcomes = a_feed(rig)

    answered = finished(rig, outcomes)

    assert words(answered) == ["Confirmed"] * 7 + ["Rejected"] + ["Confirmed"] * 293
    rejected = answered[7]
    assert isinstance(rejected, Rejected)
    assert (rejected.level.binding.sku, rejected.code) == (bad, "8560")


def test_the_answer_of_a_feed_can_be_read_by_another_process(rig: AmazonRig) -> None:
    rig.do("fault", kind="invalid", sku=skus(1)[0], count=1)
    receipt, levels = receipt_of(a_feed(rig))
    rig.advance(60)
    another = rig.client()

    answered = another.answers(receipt, [replace(one) for one in levels])

    assert answered is not None
    assert words(answered) == ["Rejected"] + ["Confirmed"] * 300


def test_a_feed_that_is_stuck_is_not_known_for_ever(rig: AmazonRig) -> None:
    rig.do("fault", kind="stuck_feed", count=1)
    receipt, levels = receipt_of(a_feed(rig))

    for _ in range(5):
        rig.advance(3600)
        assert rig.channel.answers(receipt, levels) is None


@pytest.mark.parametrize("end", ["FATAL", "CANCELLED", "forgotten"])
def test_a_feed_that_amazon_gives_up_was_not_sent(rig: AmazonRig, end: str) -> None:
    if end == "FATAL":
        rig.do("fault", kind="fatal_feed", count=1)
    receipt, levels = receipt_of(a_feed(rig))
    if end == "CANCELLED":
        rig.running.simulator.call("DELETE", f"/feeds/2021-06-30/feeds/{receipt}")
    if end == "forgotten":
        receipt = "999999999999"
    rig.advance(60)

    answered = rig.channel.answers(receipt, levels)

    assert answered is not None
    assert set(words(answered)) == {"NotSent"}
    assert [outcome.level for outcome in answered] == levels


def test_when_no_more_feeds_may_be_made_rows_go_one_by_one(rig: AmazonRig) -> None:
    rig.do("fault", kind="throttle", operation="createFeed", seconds=600)

    outcomes = a_feed(rig)

    assert words(outcomes)[:5] == ["Confirmed"] * 5
    assert set(words(outcomes)[5:]) == {"NotSent"}
    assert {outcome.retry_after_s for outcome in outcomes if isinstance(outcome, NotSent)} == {1.0}


def test_while_no_feed_may_be_made_no_document_is_uploaded_for_one(rig: AmazonRig) -> None:
    rig.do("fault", kind="throttle", operation="createFeed", count=1)
    a_feed(rig)
    documents = len(rig.called("createFeedDocument"))
    levels = [level(sku, 3) for sku in skus(301)]

    rig.advance(2)
    meanwhile = rig.channel.push(levels, key="soon")
    uploaded = len(rig.called("createFeedDocument")) - documents
    rig.advance(125)
    later = rig.channel.push(levels, key="later")

    assert (uploaded, words(meanwhile)[:3]) == (0, ["Confirmed"] * 3)
    assert set(words(later)) == {"Accepted"}


def test_a_feed_whose_answer_is_lost_may_be_on_its_way(rig: AmazonRig) -> None:
    rig.do("fault", kind="reset_after_apply", operation="createFeed", count=1)
    names = skus(301)
    rig.listed(dict.fromkeys(names, 1))
    levels = [level(sku, 2) for sku in names]
    with pytest.raises(Unavailable):
        rig.channel.push(levels, key="k")

    again = rig.channel.push(levels, key="k")
    rig.advance(65)

    assert set(words(again)) == {"Accepted"}
    assert {rig.shown(names[0]), rig.shown(names[-1])} == {2}


def test_a_feed_of_ten_thousand_rows_is_one_call(rig: AmazonRig) -> None:
    outcomes = a_feed(rig, 10_000, units=9)

    assert words(outcomes) == ["Accepted"] * 10_000
    assert len(rig.called("createFeed")) == 1
    assert words(finished(rig, outcomes)) == ["Confirmed"] * 10_000


REPORTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "an issue without a number names its SKU": (
        {"issues": [{"sku": "SKU-B", "code": "1", "severity": "ERROR", "message": "no"}]},
        ["Confirmed", "Rejected"],
    ),
    "a warning keeps nobody": (
        {"issues": [{"messageId": 1, "code": "1", "severity": "WARNING", "message": "hm"}]},
        ["Confirmed", "Confirmed"],
    ),
    "an issue of nobody is everybody's where nothing was accepted": (
        {
            "issues": [{"code": "4000", "severity": "ERROR", "message": "bad header"}],
            "summary": {"messagesAccepted": 0},
        },
        ["Rejected", "Rejected"],
    ),
    "an issue of nobody is nobody's where some were accepted": (
        {
            "issues": [{"code": "4000", "severity": "ERROR", "message": "odd"}],
            "summary": {"messagesAccepted": 2},
        },
        ["Confirmed", "Confirmed"],
    ),
    "done is not accepted": (
        {"issues": [], "summary": {"messagesProcessed": 2, "messagesAccepted": 0}},
        ["NotSent", "NotSent"],
    ),
    "nothing accepted and one row named": (
        {
            "issues": [{"messageId": 2, "code": "1", "severity": "ERROR", "message": "no"}],
            "summary": {"messagesAccepted": 0, "messagesInvalid": 2},
        },
        ["NotSent", "Rejected"],
    ),
    "a summary without numbers says nothing": (
        {"issues": None, "summary": {"errors": 0}},
        ["Confirmed", "Confirmed"],
    ),
    "two issues of one row are one refusal": (
        {
            "issues": [
                {"messageId": 2, "code": "1", "severity": "ERROR", "message": "first"},
                {"messageId": 2, "code": "2", "severity": "ERROR", "message": "second"},
            ]
        },
        ["Confirmed", "Rejected"],
    ),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_processing_report_is_read_row_by_row(rig: AmazonRig, name: str) -> None:
    report, expected = REPORTS[name]

    assert words(answers_to(rig, report)) == expected


@pytest.mark.parametrize("report", [{"issues": 3}, {"issues": [{"messageId": "one"}]}])
def test_a_processing_report_of_another_form_is_unreadable(rig: AmazonRig, report: Any) -> None:
    with pytest.raises(Unreadable):
        answers_to(rig, report)


def answers_to(rig: AmazonRig, report: Any) -> list[Outcome]:
    """Two rows' outcomes when the vendor's report says this."""
    simulator = rig.running.simulator
    receipt, _ = receipt_of(a_feed(rig))
    rig.advance(60)
    assert rig.do("state", sku="-")["feeds"][receipt] == "DONE"
    job = simulator.account.feeds[receipt]
    job.result_id = simulator.service.files.add(
        "application/json; charset=UTF-8", orjson.dumps(report)
    ).document_id
    answered = rig.channel.answers(receipt, [level("SKU-A", 1), level("SKU-B", 1)])
    assert answered is not None
    return answered


def in_network(rig: AmazonRig, sku: str, units: int) -> Binding:
    rig.do("listings", listings=[{"sku": sku, "fba": {"fulfillable": units}}])
    rig.do("advance", seconds=4 * 3600)
    return rig.bindings()[sku]


def test_no_row_of_a_feed_is_for_amazons_network(rig: AmazonRig) -> None:
    names = skus(301)
    ours = in_network(rig, "SKU-F", 20)
    rig.listed(dict.fromkeys(names, 1))
    levels = [Level(ours, 3, 1), *[level(sku, 2) for sku in names]]

    outcomes = rig.channel.push(levels, key="k")

    assert words(outcomes) == ["Rejected", *["Accepted"] * 301]
    assert words(finished(rig, outcomes[1:])) == ["Confirmed"] * 301
