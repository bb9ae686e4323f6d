"""The steps of cases, carried out: claim, call, settle, each by itself. A killed worker leaves a lease to run out.

A hold has a handle, a webhook a delivery id, an alarm and a draft are rows: trying twice does nothing twice.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import orjson
import structlog
from sqlalchemy import Connection, Engine, text

from channels import base
from channels.base import HoldsOrders
from channels.http import Http
from ledger.db import refuse_inside_transaction, transaction
from reconcile.oversold import letter, responses, steps, store
from reconcile.oversold.types import ByHand, Case, Claim, Did, Failed, Kind, Later, Outcome
from reconcile.trail import record
from workers.flows.cases import RULE, settled, tell

log = structlog.get_logger(__name__)

Clock: TypeAlias = Callable[[], datetime]

#: What is done at the channel, by its own queue; everything else by any.
AT_CHANNEL: Final = (Kind.HOLD, Kind.RELEASE)
ELSEWHERE: Final = (Kind.SLACK, Kind.EMAIL, Kind.WEBHOOK)
#: Steps of one go; more are left to the next.
_MOST: Final = 50
_PAUSED_S: Final = 60.0
_READ_S: Final = 10.0

_CHANNEL = text("SELECT paused, paused_why, writes FROM channel WHERE channel = :channel")


class Listener:
    """An address of the operator's that every case is posted to.

    X-Lockstep-Signature: t=<seconds>,v1=<hex of HMAC-SHA256(secret, "<seconds>.<body>")>
    X-Lockstep-Delivery: the key of the step, the same for every try
    """

    def __init__(self, url: str, secret: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._secret = secret
        address = f"{parts.scheme}://{parts.netloc}"
        self._http = Http(address, headers={}, secrets=(secret,), read_s=_READ_S)

    def post(self, key: str, document: Mapping[str, object], now: datetime) -> None:
        """Post a document. Raises ChannelError."""
        refuse_inside_transaction(f"{key} to the webhook of cases")
        body = orjson.dumps(document, default=str)
        headers = {"Content-Type": "application/json", "X-Lockstep-Delivery": key}
        if self._secret:
            seconds = int(now.timestamp())
            signed = f"{seconds}.".encode() + body
            proof = hmac.new(self._secret.encode(), signed, hashlib.sha256).hexdigest()
            headers["X-Lockstep-Signature"] = f"t={seconds},v1={proof}"
        self._http.call("POST", self._path, body=body, headers=headers)


@dataclass(frozen=True, slots=True)
class Outside:
    """What steps need of the outside.

    holder      channel -> who holds its orders; raises ChannelError when it is not set up
    listener    None where cases are posted nowhere
    sender      address that drafts are from
    """

    holder: Callable[[str], HoldsOrders]
    listener: Listener | None = None
    sender: str = "service@example.invalid"


@dataclass(frozen=True, slots=True)
class Acted:
    """How many steps were done, and how many are to be tried again or looked at."""

    done: int = 0
    left: int = 0


def act(
    engine: Engine,
    outside: Outside,
    *,
    now: Clock,
    kinds: Iterable[Kind],
    channel: str | None = None,
    case_id: int | None = None,
    most: int = _MOST,
) -> Acted:
    """Carry out what is due, of these kinds, of one channel or case if it is named."""
    done = left = 0
    for _ in range(most):
        with transaction(engine) as connection:
            claim = steps.claim(connection, kinds, now(), channel=channel, case_id=case_id)
        if claim is None:
            break
        outcome = carry_out(engine, outside, claim, now())
        with transaction(engine) as connection:
            # The case is locked first, as everybody does who changes its steps.
            store.lock(connection, claim.case.id)
            if not steps.settle(connection, claim, outcome, now()):
                continue
            settled(connection, claim.case.id, now(), kind=claim.kind)
            tell(connection, [claim.case.id], now())
            _record(connection, claim, outcome, now())
        done += isinstance(outcome, Did)
        left += not isinstance(outcome, Did)
    return Acted(done, left)


def _record(connection: Connection, claim: Claim, outcome: Outcome, now: datetime) -> None:
    """What was done goes into the trail; what is to be tried again only into the step."""
    what = f"case:{claim.case.id}"
    match outcome:
        case Did(result=result):
            verb, why = "done", result
        case ByHand(todo=why):
            verb = "by_hand"
        case Failed(why=why):
            log.warning("case.step.failed", case=claim.case.id, step=claim.kind, why=why)
            verb = "failed"
        case Later():
            return
    action = f"case.{claim.kind}.{verb}"
    record(connection, actor="lockstep", action=action, what=what, at=now, reason=why[:1000])


def carry_out(engine: Engine, outside: Outside, claim: Claim, now: datetime) -> Outcome:
    """Do one step, outside of any transaction."""
    case = claim.case
    match claim.kind:
        case Kind.HOLD | Kind.RELEASE:
            return _at_channel(engine, outside, claim)
        case Kind.SLACK:
            # The alarm is written with the step's end, and the outbox of alerts takes it from there.
            return Did(f"alarm {RULE} case:{case.id}; see `lockstep alert list --rule {RULE}`")
        case Kind.EMAIL:
            with transaction(engine) as connection:
                title = store.title_of(connection, case.sku)
            content = letter.draft(
                case, claim.response, key=claim.key, title=title, sender=outside.sender, now=now
            )
            said = f"draft written, to be sent by a person: lockstep case show {case.id} --email"
            return Did(said, content)
        case Kind.WEBHOOK:
            return _posted(outside, claim, now)
        case Kind.HAND:
            raise AssertionError("only a person does that; it is never due")


def _at_channel(engine: Engine, outside: Outside, claim: Claim) -> Outcome:
    case = claim.case
    with transaction(engine) as connection:
        row = connection.execute(_CHANNEL, {"channel": case.channel}).one_or_none()
    if row is None or not row.writes:
        why = "is not known" if row is None else "has no certificate to be written to"
        return ByHand(f"channel {case.channel} {why}: do it by hand there")
    if row.paused:
        return Later(_PAUSED_S, f"channel {case.channel} is paused: {row.paused_why}")
    refuse_inside_transaction(f"{claim.key} at {case.channel}")
    try:
        holder = outside.holder(case.channel)
        if claim.kind is Kind.RELEASE:
            holder.release_order(case.order_id, key=responses.hold_key(case))
            return Did("let go")
        note = f"{case.units} of {case.sku} sold and not there (case {case.id})"
        line = case.line_id.partition("#")[0]
        held = holder.hold_order(case.order_id, line, key=claim.key, note=note)
        return Did("held: " + ", ".join(sorted(held.values())))
    except base.ChannelError as error:
        return _meant(error, claim)


def _posted(outside: Outside, claim: Claim, now: datetime) -> Outcome:
    if outside.listener is None:
        return ByHand(
            "LOCKSTEP_CASE_WEBHOOK_URL names no address any more: tell whoever listened there"
        )
    try:
        outside.listener.post(claim.key, document_of(claim.case, claim.response), now)
    except base.ChannelError as error:
        return _meant(error, claim)
    return Did("taken")


def document_of(case: Case, response: str) -> dict[str, object]:
    """A case as it is posted."""
    return {"kind": "oversold_line", **store.row_of(case), "response": response}


def _meant(error: base.ChannelError, claim: Claim) -> Outcome:
    """What an error asks for: its class is the policy."""
    what = "let go" if claim.kind is Kind.RELEASE else "hold"
    if claim.kind is Kind.WEBHOOK:
        todo = "see that LOCKSTEP_CASE_WEBHOOK_URL answers, and takes the signature"
    else:
        order = f"order {claim.case.order_id} at {claim.case.channel}"
        todo = f"{what} {order} by hand, or mend what it says: {str(error)[:300]}"
    match error:
        case base.Throttled():
            return Later(max(1.0, error.retry_after_s), str(error))
        case base.Refused() | base.Unauthorised():
            return Failed(str(error), todo, for_good=True)
        case _:
            return Failed(str(error), todo)
