"""Which lines are oversold: the last accepted first, whatever was heard of first; and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_string
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.plays import Play, Response
from allocation.types import Which
from reconcile.oversold import judging, letter, naming, responses
from reconcile.oversold.types import (
    Case,
    Changes,
    Clues,
    Dip,
    Kind,
    Known,
    Line,
    Named,
    Place,
    State,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def a_line(order: str, at_s: float = 0.0, units: int = 1, channel: str = "web") -> Line:
    return Line((channel, order, "1"), units, NOON + timedelta(seconds=at_s))


def a_place(
    short: int, *lines: Line, dips: tuple[Dip, ...] = (), sku: str = "MUG", location: str = "WH"
) -> Place:
    return Place(sku, location, short, 7, lines, dips)


def a_case(line: Line, **more: object) -> Known:
    known = Known(
        1, line.key, "MUG", "WH", State.WAITING, "", 1, 1, 0,
        moved=False, begun=False, failed=False, covered=False,
    )  # fmt: skip
    return replace(known, **more)  # type: ignore[arg-type]  # the tests name the fields


LINES = st.lists(
    st.tuples(st.integers(1, 5), st.integers(0, 3)).map(lambda each: each), max_size=6
).map(lambda drawn: [a_line(str(n), at_s, units) for n, (units, at_s) in enumerate(drawn)])


@given(st.integers(0, 30), LINES, st.randoms())
def test_what_is_missing_is_shared_out_the_same_in_whatever_order_it_was_heard(
    short: int, lines: list[Line], chance: object
) -> None:
    told = list(lines)
    chance.shuffle(told)  # type: ignore[attr-defined]  # Hypothesis gives a Random

    missing = judging.missing_of(short, told)

    assert missing == judging.missing_of(short, lines)
    assert sum(missing.values()) == min(short, sum(line.open_units for line in lines))
    by_key = {line.key: line for line in lines}
    for key, units in missing.items():
        assert 0 < units <= by_key[key].open_units
        later = [
            line for line in lines if (line.accepted_at, line.key) > (by_key[key].accepted_at, key)
        ]
        assert all(missing.get(line.key) == line.open_units for line in later)


@given(st.integers(0, 12), LINES)
def test_one_more_unit_never_takes_from_a_line_that_was_served(
    short: int, lines: list[Line]
) -> None:
    fewer, more = judging.missing_of(short, lines), judging.missing_of(short + 1, lines)

    assert all(more[key] >= units for key, units in fewer.items())


def test_the_last_accepted_line_opens_a_case() -> None:
    early, late = a_line("1", 0), a_line("2", 5)

    dip = Dip("order", early.key, 1, NOON)
    found = judging.changes(a_place(1, late, early, dips=(dip,)), [])

    assert [(each.key, each.units, each.found_by) for each in found.opens] == [
        (late.key, 1, "order")
    ]


def test_a_line_with_a_case_opens_no_other() -> None:
    late = a_line("2", 5)

    assert judging.changes(a_place(1, late), [a_case(late)]) == Changes()


def test_a_line_that_is_missing_again_opens_its_case_again() -> None:
    late = a_line("2", 5)

    found = judging.changes(a_place(1, late), [a_case(late, state=State.CLOSED)])

    assert [each.key for each in found.opens] == [late.key]


@pytest.mark.parametrize(
    ("changed", "ended", "covered"),
    [
        ({}, judging.CAME, []),
        ({"state": State.ACTING, "response": "refund"}, judging.CAME, []),
        ({"state": State.ACTING, "response": "refund", "begun": True}, "", [1]),
        ({"state": State.ACTED, "response": "hold", "begun": True}, "stock came", []),
        ({"state": State.ACTED, "response": "hold", "begun": True, "failed": True}, "", [1]),
        ({"state": State.ACTED, "response": "split", "begun": True, "covered": True}, "", []),
        ({"open_units": 0}, "the line was cancelled", []),
        ({"open_units": 0, "shipped_units": 1, "begun": True}, "the line was shipped", []),
        (
            {"open_units": 1, "moved": True, "begun": True},
            "the line is served from another place",
            [],
        ),
        ({"state": State.CLOSING, "open_units": 0}, "", []),
    ],
)
def test_what_ends_a_case_when_nothing_is_missing_any_more(
    changed: dict[str, object], ended: str, covered: list[int]
) -> None:
    line = a_line("1")
    found = judging.changes(a_place(0, line), [a_case(line, **changed)])

    assert dict(found.over) == ({1: ended} if ended else {})
    assert list(found.covered) == covered


def test_more_that_is_missing_of_a_line_is_noted() -> None:
    line = a_line("1", units=3)

    found = judging.changes(a_place(2, line), [a_case(line, open_units=3)])

    assert list(found.grown) == [(1, 2)]


def test_what_came_within_seconds_was_oversold_all_the_same() -> None:
    line = a_line("1")
    dip = Dip("order", line.key, 1, line.accepted_at)

    found = judging.changes(a_place(0, dips=(dip,)), [])
    after = judging.changes(a_place(0, dips=(dip,)), [a_case(line, state=State.CLOSED)])

    assert [(each.key, each.passing) for each in found.opens] == [(line.key, True)]
    assert after == Changes()


@pytest.mark.parametrize(
    ("dips", "found_by"),
    [
        ((), "moved"),
        ((Dip("count", None, 1, NOON),), "count"),
        ((Dip("count", None, 1, NOON), Dip("order", ("web", "1", "1"), 1, NOON)), "order"),
        ((Dip("write_off", None, 1, NOON), Dip("order", ("web", "9", "1"), 1, NOON)), "write_off"),
    ],
)
def test_what_took_the_place_below_zero_is_told(dips: tuple[Dip, ...], found_by: str) -> None:
    (opening,) = judging.changes(a_place(1, a_line("1"), dips=dips), []).opens

    assert opening.found_by == found_by


# --- causes -----------------------------------------------------------------------------------------------------------

CLUES = Clues(1, "order", NOON, NOON + timedelta(seconds=2), "e-own")


@pytest.mark.parametrize(
    ("changed", "cause", "evidence"),
    [
        ({"found_by": "count", "taken_by": "e-1"}, "shrink", {"event": "e-1"}),
        ({"found_by": "adjustment", "taken_by": "e-1"}, "shrink", {"event": "e-1"}),
        ({"found_by": "write_off", "taken_by": "e-1"}, "taken_away", {"event": "e-1", "kind": "write_off"}),
        ({"found_by": "ship", "taken_by": "e-1"}, "taken_away", {"event": "e-1", "kind": "ship"}),
        ({"found_by": "moved"}, "taken_away", {"event": None, "kind": "moved"}),
        ({"drift": (7, "swallowed_update")}, "swallowed_update", {"drift": 7}),
        ({"drift": (7, "unledgered_sale"), "before": ("e-2", 1.0)}, "unledgered_sale", {"drift": 7}),
        ({"drift": (7, "unknown"), "before": ("e-2", 1.4)}, "sold_at_once", {"event": "e-2", "late_s": 1}),
        ({"before": ("e-2", 61.0)}, "late_event", {"event": "e-2", "late_s": 61}),
        ({"booked_at": NOON + timedelta(seconds=90)}, "late_event", {"event": "e-own", "late_s": 90}),
        ({"sold_below": (5, 0)}, "sold_below_shown", {"push": 5, "units": 0}),
        ({"drift": (7, "unknown")}, "unknown", {"drift": 7}),
        ({}, "unknown", {"drift": None}),
    ],
)  # fmt: skip
def test_a_cause_is_named_with_what_shows_it(
    changed: dict[str, object], cause: str, evidence: dict[str, object]
) -> None:
    named = naming.name(replace(CLUES, **changed))  # type: ignore[arg-type]  # the table names the fields

    assert named == Named(cause, evidence)  # type: ignore[arg-type]  # as the table has it


# --- responses --------------------------------------------------------------------------------------------------------

CASE = Case(
    12, "web", "1001", "1", "MUG", "WH", 2, NOON, NOON, "order", "unknown", {}, None, "acting", "", None, "", "",
    None, None, None, "", "", 1,
)  # fmt: skip


@pytest.mark.parametrize("response", Response)
def test_every_response_has_steps_and_a_cost_between_30_and_80(response: Response) -> None:
    steps = responses.steps_of(CASE, response, by_hand={})
    cost = responses.cost_of(response, 1, play=None, costs={}, channel_cost=None)

    assert steps
    assert len({step.key for step in steps}) == len(steps)
    assert 30 <= cost <= 80


def test_what_is_not_possible_here_is_a_persons() -> None:
    steps = responses.steps_of(
        CASE, Response.REFUND, by_hand={Kind.HOLD: "call them"}, without=(Kind.WEBHOOK,)
    )

    assert [(step.kind.value, step.todo) for step in steps] == [
        ("hold", "call them"),
        ("slack", ""),
        ("email", ""),
        ("hand", "refund 2 of MUG of order 1001 at web without restocking"),
    ]


def test_a_hold_is_named_by_its_case_and_not_by_the_response() -> None:
    keys = {
        step.key
        for response in (Response.HOLD, Response.REFUND)
        for step in responses.steps_of(CASE, response, by_hand={})
        if step.kind is Kind.HOLD
    }

    assert keys == {"lockstep-case-12-1"}


PLAY = Play(Which(sku="*"), None, Response.HOLD, cost=Decimal(9))


@pytest.mark.parametrize(
    ("response", "play", "costs", "channel_cost", "cost"),
    [
        (Response.HOLD, PLAY, {Response.HOLD: Decimal(8)}, Decimal(7), 9),
        (Response.SPLIT, PLAY, {Response.HOLD: Decimal(8)}, Decimal(7), 14),
        (Response.HOLD, None, {Response.HOLD: Decimal(8)}, Decimal(7), 8),
        (Response.HOLD, None, {}, Decimal(7), 14),
        (Response.HOLD, None, {}, None, 35),
    ],
)
def test_the_nearest_word_says_what_it_costs(
    response: Response,
    play: Play | None,
    costs: dict[Response, Decimal],
    channel_cost: Decimal | None,
    cost: int,
) -> None:
    assert cost == responses.cost_of(response, 2, play=play, costs=costs, channel_cost=channel_cost)


@given(st.text(min_size=1, max_size=40), st.text(max_size=60), st.sampled_from(list(Response)))
def test_a_draft_is_a_message_whatever_its_item_is_called(
    sku: str, title: str, response: Response
) -> None:
    case = replace(CASE, sku=sku, order_id=sku)
    text = letter.draft(
        case, response.value, key="case-12-1-refund-email", title=title,
        sender="Service <service@shop.example>", now=NOON,
    )  # fmt: skip
    read = message_from_string(text, policy=default)

    assert not read.defects
    assert set(read.keys()) >= {"From", "Date", "Subject", "Message-ID", "X-Unsent", "MIME-Version"}
    assert "To" not in read
    assert read["From"].addresses[0].addr_spec == "service@shop.example"
    assert "\r\nMessage-ID: <case-12-1-refund-email@shop.example>\r\n" in text
    assert read["Message-ID"] == "<case-12-1-refund-email@shop.example>"
    assert "we do not have it" in read.get_content()
    assert max(map(len, text.split("\r\n"))) <= 998
