"""Steps of cases: each once, whoever is killed meanwhile; what fails says what to do next."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from decimal import Decimal
from email import message_from_string
from email.policy import default

import orjson
import pytest

from channels.base import Refused, Throttled, Unauthorised, Unavailable
from channels.registry import LANES
from ledger.db import transaction
from reconcile.oversold import steps
from reconcile.oversold.types import Claim, Did, Kind
from tests.alerts import played
from tests.servers import Clock, Database
from tests.workers.case_house import CaseHouse, choose, close, oversold
from workers.flows import cases
from workers.flows.case_steps import AT_CHANNEL, ELSEWHERE, Listener, Outside, carry_out
from workers.flows.cases import Means, NotPossible

ALL = (*AT_CHANNEL, *ELSEWHERE)


@pytest.fixture
def house(database: Database, clock: Clock) -> CaseHouse:
    """Order 2 was accepted for nothing, and is to be refunded."""
    return oversold(database.engine, clock, "refund")


def state(house: CaseHouse) -> str:
    return house.cases()[0].state


def step(house: CaseHouse, kind: str, column: str) -> object:
    ((found,),) = house.rows(
        f"SELECT {column} FROM case_step WHERE kind = :kind AND state <> 'dropped'",  # noqa: S608 -- a test's own
        kind=kind,
    )
    return found


# --- done -------------------------------------------------------------------------------------------------------------


def test_every_step_is_done_and_leaves_its_trail(house: CaseHouse) -> None:
    done = house.act()

    assert (done.done, done.left) == (3, 0)
    assert house.steps() == {"hold": "done", "slack": "done", "email": "done", "hand": "by_hand"}
    assert state(house) == "acted"
    assert house.shop.calls == ["hold 2/1 lockstep-case-1-1"]
    assert house.trail() == [
        "case.open", "case.choose", "case.hold.done", "case.slack.done", "case.email.done",
    ]  # fmt: skip
    assert house.act().done == 0


def test_a_draft_can_be_opened_and_is_sent_by_nobody(house: CaseHouse) -> None:
    house.act()

    message = message_from_string(str(step(house, "email", "content")), policy=default)
    assert message["Subject"] == "Your order 2"
    assert "give you your money back" in message.get_content()


def test_a_hold_names_the_vendors_line_of_a_bundles_part(house: CaseHouse) -> None:
    house.rows("UPDATE oversold_case SET line_id = '77#MUG-RED'")
    house.act(kinds=AT_CHANNEL)

    assert house.shop.calls == ["hold 2/77 lockstep-case-1-1"]


# --- killed -----------------------------------------------------------------------------------------------------------


def take(house: CaseHouse, kinds: tuple[Kind, ...] = ALL) -> Claim:
    with transaction(house.engine) as connection:
        claim = steps.claim(connection, kinds, house.clock.now)
    assert claim is not None
    return claim


def test_a_worker_that_is_killed_between_steps_leaves_the_others_to_the_next(
    house: CaseHouse,
) -> None:
    killed = take(house)
    others = house.act()
    too_early = house.act()
    house.clock.advance(steps.LEASE_S + 1)
    late = house.act()

    assert killed.kind is Kind.HOLD
    assert (others.done, too_early.done, late.done) == (2, 0, 1)
    assert state(house) == "acted"


def test_a_worker_that_is_killed_after_its_call_has_done_it_once(house: CaseHouse) -> None:
    carry_out(house.engine, house.outside, take(house), house.clock.now)
    house.clock.advance(steps.LEASE_S + 1)
    house.act()

    assert house.shop.calls == ["hold 2/1 lockstep-case-1-1"] * 2
    assert house.shop.held == {"lockstep-case-1-1": "2"}


def test_who_was_too_slow_settles_nothing(house: CaseHouse) -> None:
    slow = take(house)
    house.clock.advance(steps.LEASE_S + 1)
    quick = take(house)
    with transaction(house.engine) as connection:
        assert not steps.settle(connection, slow, Did("slow"), house.clock.now)
        assert steps.settle(connection, quick, Did("quick"), house.clock.now)

    assert step(house, "hold", "result") == "quick"


def test_a_hold_that_lands_after_its_case_was_closed_is_let_go(house: CaseHouse) -> None:
    late = take(house)
    close(house)
    carry_out(house.engine, house.outside, late, house.clock.now)
    held = dict(house.shop.held)
    house.clock.advance(steps.LEASE_S + 1)
    house.act()
    house.act()

    assert held
    assert house.shop.held == {}
    assert state(house) == "closed"


# --- failed -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Refused("line 1 has left", code="NOT_HOLDABLE"), "hold order 2 at shop by hand"),
        (Unauthorised("grant the scope"), "grant the scope"),
    ],
)
def test_what_no_second_try_helps_says_what_to_do(
    house: CaseHouse, error: Exception, said: str
) -> None:
    house.shop.failures = [error]
    house.act()
    todo = str(step(house, "hold", "todo"))
    ((alarm,),) = house.rows("SELECT detail ->> 'todo' FROM alarm")

    assert house.steps()["hold"] == "failed"
    assert state(house) == "acting"
    assert said in todo
    assert alarm == f"{todo}; then: lockstep case run 1"


def test_what_failed_is_tried_again_when_somebody_says_so(house: CaseHouse) -> None:
    house.shop.failures = [Refused("no", code="X")]
    house.act()
    cases.again(house.engine, 1, by="ann", now=house.clock.now)
    house.act()

    assert state(house) == "acted"
    assert house.shop.held


def test_a_vendor_that_is_away_is_tried_again_later_and_later_and_then_given_up(
    house: CaseHouse,
) -> None:
    house.shop.failures = [Unavailable("away")] * 20
    waits = []
    for _ in range(steps.TRIES):
        house.act(kinds=AT_CHANNEL)
        ((run_at,),) = house.rows("SELECT run_at FROM case_step WHERE kind = 'hold'")
        waits.append((run_at - house.clock.now).total_seconds())
        house.clock.now = max(run_at, house.clock.now)

    assert waits == [2, 4, 8, 16, 32, 64, 128, 0]
    assert house.steps()["hold"] == "failed"


def test_a_limit_costs_no_try(house: CaseHouse) -> None:
    house.shop.failures = [Throttled("slow down", retry_after_s=5.0)] * 20
    for _ in range(20):
        house.act(kinds=AT_CHANNEL)
        house.clock.advance(6)
    house.act(kinds=AT_CHANNEL)

    assert house.steps()["hold"] == "done"
    assert (step(house, "hold", "tries"), step(house, "hold", "attempts")) == (0, 21)


def test_a_paused_channel_is_not_called(house: CaseHouse) -> None:
    house.rows("UPDATE channel SET paused = true, paused_why = 'night' WHERE channel = 'shop'")
    house.act()
    waits = house.steps()["hold"]
    house.rows("UPDATE channel SET paused = false")
    house.clock.advance(61)
    house.act()

    assert (waits, len(house.shop.calls)) == ("due", 1)


def test_a_channel_without_a_certificate_is_not_written_to(house: CaseHouse) -> None:
    house.rows("UPDATE channel SET writes = false")
    house.act()

    assert house.shop.calls == []
    assert house.steps()["hold"] == "by_hand"


# --- let go -----------------------------------------------------------------------------------------------------------


def test_a_closed_case_lets_go_what_was_held(house: CaseHouse) -> None:
    house.act()
    lets_go = close(house)
    before = (state(house), house.alarms())
    house.act()

    assert lets_go
    assert before == ("closing", ["case:1"])
    assert (state(house), house.alarms()) == ("closed", [])
    assert house.shop.calls[1:] == ["release 2 lockstep-case-1-1"]
    with pytest.raises(NotPossible, match="case 1 is over: settled"):
        close(house)


def test_what_is_to_stay_held_stays_held(house: CaseHouse) -> None:
    house.act()

    assert not close(house, keep_hold=True)
    assert (state(house), house.act().done, len(house.shop.held)) == ("closed", 0, 1)


def test_stock_lets_go_what_waited_for_it(database: Database, clock: Clock) -> None:
    house = oversold(database.engine, clock, "hold")
    house.act()
    house.stock(1)
    house.look(1)
    house.act()

    assert (state(house), house.shop.held) == ("closed", {})
    assert house.cases()[0].result == "stock came"


def test_a_case_that_is_opened_again_begins_anew(database: Database, clock: Clock) -> None:
    house = oversold(database.engine, clock, "hold")
    house.act()
    house.stock(1)
    house.look(1)
    house.act()
    house.fact("write_off", units=1)
    house.look(60)
    again = house.cases()[0]
    house.stock(1)
    house.look(1)

    assert (again.state, again.times, again.response) == ("waiting", 2, "")
    assert house.cases()[0].result == "stock came before anything was done"


def test_a_release_that_fails_keeps_the_alarm_on(house: CaseHouse) -> None:
    house.act()
    close(house)
    house.shop.failures = [Unauthorised("token")]
    house.act()

    assert (state(house), house.alarms()) == ("closing", ["case:1"])
    assert "let go order 2 at shop by hand" in str(step(house, "release", "todo"))


# --- webhook ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[played.Listener]:
    listener = played.Listener()
    with played.served(listener):
        yield listener


def test_a_case_is_posted_signed_and_under_one_id(
    house: CaseHouse, listener: played.Listener
) -> None:
    house.means = Means(LANES, ("slack",), webhook=True)
    choose(house, "notify")
    listener.trouble = ["lost"]
    outside = Outside(house.outside.holder, Listener(f"{listener.url}/cases?x=1", "hush"))
    house.act(outside=outside)
    house.clock.advance(10)
    house.act(outside=outside)

    (_, _), (headers, body) = listener.heard
    seconds = int(house.clock.now.timestamp())
    proof = hmac.new(b"hush", f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["x-lockstep-signature"] == f"t={seconds},v1={proof}"
    assert {each["x-lockstep-delivery"] for each, _ in listener.heard} == {
        "case-1-1-notify-webhook"
    }
    said = orjson.loads(body)
    assert (said["kind"], said["id"], said["order_id"], said["response"]) == (
        "oversold_line",
        1,
        "2",
        "notify",
    )
    assert Decimal(said["cost"]) == 12
    assert house.steps()["webhook"] == "done"


def test_an_address_that_was_taken_away_leaves_it_to_a_person(
    house: CaseHouse,
) -> None:
    house.means = Means(LANES, ("slack",), webhook=True)
    choose(house, "notify")
    house.act()

    assert house.steps()["webhook"] == "by_hand"
