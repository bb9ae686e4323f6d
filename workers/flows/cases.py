"""Cases of oversold lines: found in the book, chosen for by the rules or a person, closed when it is over.

Everything here is one transaction each and calls nobody; what is done at channels and elsewhere is in `case_steps`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, Engine

from allocation import alarms, play_store
from allocation.plays import Play, Playbook, Response, play_for
from channels.lane import Lane
from ledger.db import transaction
from reconcile.oversold import finding, judging, naming, responses, steps, store
from reconcile.oversold.types import Case, Chosen, Kind, Place, State
from reconcile.trail import record

#: Rule of alarms.
RULE: Final = "oversold.line"
#: A cause that is not settled is looked for again once in so long, and so long: a window finds the drift.
_NAME_EVERY: Final = timedelta(seconds=60)
_NAME_FOR: Final = timedelta(hours=2)
_HOUSE: Final = "lockstep"
_BY_RULE: Final = "rule:playbook"


class NotPossible(Exception):
    """What was asked for a case cannot be; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Means:
    """What steps there can be in this house.

    lanes      by the kind of channel
    doors      names of the doors of alerts;  webhook    whether cases are posted somewhere
    """

    lanes: Mapping[str, Lane]
    doors: tuple[str, ...] = ()
    webhook: bool = False


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look came to, as ids of cases."""

    opened: tuple[int, ...] = ()
    chosen: tuple[int, ...] = ()
    over: Mapping[int, str] = field(default_factory=dict)


def look(engine: Engine, means: Means, *, now: datetime) -> Looked:
    """Find lines that were accepted and are not there, see what has come, and choose by the rules."""
    with transaction(engine) as connection:
        if not finding.take_turn(connection):
            return Looked()
        places = finding.places(connection, now)
        opened: list[int] = []
        over: dict[int, str] = {}
        touched: set[int] = set()
        if places:
            opened, over, touched = _follow(connection, places, now)
        _name(connection, opened, now)
        chosen = _choose_by_rule(connection, means, now)
        tell(connection, {*opened, *over, *touched, *chosen}, now)
        return Looked(tuple(opened), tuple(chosen), over)


def _follow(
    connection: Connection, places: list[Place], now: datetime
) -> tuple[list[int], dict[int, str], set[int]]:
    known = finding.known(connection, places)
    opened: list[int] = []
    over: dict[int, str] = {}
    touched: set[int] = set()
    for place in places:
        change = judging.changes(place, known)
        made = store.open_cases(connection, place, change.opens, judging.CAME, now)
        for case in store.read(connection, made):
            _record(connection, "open", case.id, _HOUSE, _said(case), now)
        opened += made
        store.grow(connection, change.grown)
        store.cover(connection, change.covered, now)
        touched |= {case_id for case_id, _ in change.grown} | set(change.covered)
        for case_id, why in change.over:
            _end(connection, case_id, by=_HOUSE, why=why, now=now)
            over[case_id] = why
    return opened, over, touched


def _said(case: Case) -> str:
    return f"{case.units} of {case.sku} at {case.location} missing for {case.channel} {case.order_id}/{case.line_id}"


def _name(connection: Connection, opened: list[int], now: datetime) -> None:
    older = store.unnamed(connection, naming.SETTLED, now - _NAME_EVERY, now - _NAME_FOR)
    clues = finding.clues(connection, {*opened, *older})
    store.write_causes(connection, [(each.case_id, naming.name(each)) for each in clues], now)


def _choose_by_rule(connection: Connection, means: Means, now: datetime) -> list[int]:
    waiting = store.waiting(connection)
    if not waiting:
        return []
    playbook, costs = play_store.in_force(connection)
    if not playbook.plays:
        return []
    done = []
    for case in store.read(connection, waiting):
        play = play_for(playbook, case.sku, case.channel, case.worth, now)
        if play is not None:
            cost = _cost(case, play.response, play, playbook, costs)
            run_at = now + timedelta(minutes=play.wait_minutes)
            chosen = Chosen(play.response, _BY_RULE, play.why, cost, run_at)
            _write_choice(connection, case, chosen, means, now)
            done.append(case.id)
    return done


def _cost(
    case: Case,
    response: Response,
    play: Play | None,
    playbook: Playbook,
    channel_costs: Mapping[str, Decimal],
) -> Decimal:
    return responses.cost_of(
        response,
        case.units,
        play=play,
        costs=playbook.costs,
        channel_cost=channel_costs.get(case.channel),
    )


def choose(
    engine: Engine,
    means: Means,
    case_id: int,
    response: Response,
    *,
    by: str,
    reason: str,
    now: datetime,
) -> None:
    """Say what is done about a case; what was done before stays done, what nobody has begun is left undone.

    raises    NotPossible when there is no such case, it is over, or this was chosen already
    """
    with transaction(engine) as connection:
        case = _known(connection, case_id)
        if case.state in (State.CLOSING, State.CLOSED):
            raise NotPossible(f"case {case_id} is over: {case.result}")
        if case.response == response:
            raise NotPossible(
                f"{response} was chosen for case {case_id} by {case.chosen_by} already;"
                f" `lockstep case run {case_id}` tries again what failed"
            )
        playbook, costs = play_store.in_force(connection)
        cost = _cost(case, response, None, playbook, costs)
        _write_choice(connection, case, Chosen(response, by, reason, cost, now), means, now)
        tell(connection, [case_id], now)


def _known(connection: Connection, case_id: int) -> Case:
    case = store.lock(connection, case_id)
    if case is None:
        raise NotPossible(f"there is no case {case_id}: see `lockstep case list --all`")
    return case


def _write_choice(
    connection: Connection, case: Case, chosen: Chosen, means: Means, now: datetime
) -> None:
    by_hand, without = _limits(connection, case, means)
    wanted = responses.steps_of(case, chosen.response, by_hand=by_hand, without=without)
    steps.drop(connection, case.id, now, but=[step.key for step in wanted], by_hand=True)
    steps.add(connection, case.id, chosen.response.value, wanted, chosen.run_at)
    store.choose(connection, case.id, chosen, now)
    settled(connection, case.id, now)
    why = f"{chosen.response}: {chosen.why}"
    _record(connection, "choose", case.id, chosen.by, why, now)


def _limits(
    connection: Connection, case: Case, means: Means
) -> tuple[dict[Kind, str], tuple[Kind, ...]]:
    """What a person does because it is not possible here, and what is left out."""
    by_hand = {}
    kind = store.kind_of(connection, case.channel)
    lane = means.lanes.get(kind)
    if lane is None or lane.holds is None:
        what = "tell the warehouse not to ship it" if lane is None else lane.hold_by_hand
        by_hand[Kind.HOLD] = f"no API of {case.channel} holds an order, do it by hand: {what}"
    if not means.doors:
        by_hand[Kind.SLACK] = (
            "no door of alerts is set up (LOCKSTEP_ALERT_SLACK_TOKEN), tell by hand who answers for"
            f" orders: {_said(case)}"
        )
    return by_hand, () if means.webhook else (Kind.WEBHOOK,)


def close(
    engine: Engine, case_id: int, *, by: str, reason: str, keep_hold: bool, now: datetime
) -> bool:
    """End a case; what was held is let go by a worker, unless it is to be kept. True when that is to be done.

    raises    NotPossible when there is no such case, or it is over
    """
    with transaction(engine) as connection:
        case = _known(connection, case_id)
        if case.state in (State.CLOSING, State.CLOSED):
            raise NotPossible(f"case {case_id} is over: {case.result}")
        lets_go = _end(connection, case_id, by=by, why=reason, now=now, keep_hold=keep_hold)
        tell(connection, [case_id], now)
        return lets_go


def _end(
    connection: Connection,
    case_id: int,
    *,
    by: str,
    why: str,
    now: datetime,
    keep_hold: bool = False,
) -> bool:
    """The case is over; returns whether something has to be let go first."""
    case = _known(connection, case_id)
    steps.drop(connection, case_id, now)
    release = responses.release_step(case)
    held = not keep_hold and steps.is_held(connection, responses.hold_key(case), release.key)
    if held:
        steps.add(connection, case_id, case.response, [release], now)
    state = State.CLOSING if held else State.CLOSED
    store.close(connection, case_id, state=state, by=by, result=why, now=now)
    _record(connection, "close", case_id, by, why, now)
    return held


def again(engine: Engine, case_id: int, *, by: str, now: datetime) -> None:
    """Let everything of a case that failed or waits be tried at once. Raises NotPossible."""
    with transaction(engine) as connection:
        case = _known(connection, case_id)
        if case.state in (State.WAITING, State.CLOSED):
            what = "nobody has chosen what is done" if case.state == State.WAITING else "it is over"
            raise NotPossible(f"there is nothing to be run of case {case_id}: {what}")
        steps.try_again(connection, case_id, now)
        if case.state == State.ACTED:
            store.set_state(connection, case_id, State.ACTING)
            settled(connection, case_id, now)
        _record(connection, "run", case_id, by, "", now)


def settled(
    connection: Connection, case_id: int, now: datetime, *, kind: Kind | None = None
) -> None:
    """Where a case stands now that a step was settled, of this kind; its row is locked."""
    case = _known(connection, case_id)
    stood = steps.of(connection, [case_id])
    open_ = [step for step in stood if step.state in ("due", "failed")]
    if case.state == State.ACTING and not open_:
        store.set_state(connection, case_id, State.ACTED)
    elif case.state == State.CLOSING and not any(step.kind == Kind.RELEASE for step in open_):
        by, why = case.closed_by, case.result
        store.close(connection, case_id, state=State.CLOSED, by=by, result=why, now=now)
    elif case.state == State.CLOSED and kind is Kind.HOLD:
        # It ended while somebody was about to hold the order.
        release = responses.release_step(case)
        if steps.is_held(connection, responses.hold_key(case), release.key) and not any(
            step.key == release.key for step in stood
        ):
            steps.add(connection, case_id, case.response, [release], now)
            by, why = case.closed_by, case.result
            store.close(connection, case_id, state=State.CLOSING, by=by, result=why, now=now)


def tell(connection: Connection, cases: Iterable[int], now: datetime) -> None:
    """Keep the alarms of these cases as they stand; of what is over they end."""
    ids = sorted(set(cases))
    stood = steps.of(connection, ids)
    for case in store.read(connection, ids):
        what = f"case:{case.id}"
        if case.state == State.CLOSED:
            alarms.resolve(connection, RULE, what, now)
            continue
        todo = todo_of(case, [step for step in stood if step.case_id == case.id])
        detail = {
            "case": case.id,
            "channel": case.channel,
            "sku": case.sku,
            "location": case.location,
            "order": case.order_id,
            "units": case.units,
            "cause": case.cause,
            "response": case.response or "nothing chosen",
            "todo": todo,
            "impact_units": 0 if case.covered_at else case.units,
            "rank": float(case.worth or case.units),
        }
        alarms.raise_alarm(connection, RULE, what, detail, now)


def todo_of(case: Case, stood: Iterable[steps.Stood]) -> str:
    """What a person does next about a case, "" when nothing is to be done."""
    if case.state == State.CLOSED:
        return ""
    if case.state == State.WAITING:
        return f"choose: lockstep case choose {case.id} RESPONSE --reason ..."
    stood = list(stood)
    failed = [step for step in stood if step.state == "failed"]
    if failed:
        return f"{failed[0].todo}; then: lockstep case run {case.id}"
    if case.covered_at is not None:
        return f"the units are there now: lockstep case close {case.id} --reason ..."
    by_hand = [step.todo for step in stood if step.state == "by_hand"]
    return "; ".join(by_hand)


def _record(
    connection: Connection, verb: str, case_id: int, by: str, reason: str, now: datetime
) -> None:
    what = f"case:{case_id}"
    record(connection, actor=by, action=f"case.{verb}", what=what, at=now, reason=reason)
