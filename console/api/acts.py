"""Routes that change something: each names its verb, which says who may, and under which it is written down."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar

from fastapi import APIRouter
from starlette.responses import Response

from console.access import secrets
from console.access.rights import VERBS
from console.access.types import Refusal, Unknown
from console.api.answers import PROBLEMS, told
from console.api.problems import Problem
from console.api.state import Act, TheAct
from console.api.words import (
    CaseChoice,
    CaseClose,
    CountSheet,
    HaltSet,
    HaltWords,
    InboxReplay,
    PathId,
    PathName,
    PushRetry,
    Reason,
    ReasonIfAny,
    Release,
    RulesApply,
    RulesBack,
    Silence,
    SilenceEnd,
    TokenCreate,
)
from console.verbs import halts, rules, tokens, work
from ledger.db import transaction
from reconcile.counting.file import REASONS, read
from reconcile.oversold import steps
from workers import casework
from workers.alerts.rules import RULES
from workers.flows import alerts, cases
from workers.flows.count_sheets import Refused, name_of, submit
from workers.flows.count_terms import terms_of

router = APIRouter(responses=PROBLEMS)
_Route = TypeVar("_Route", bound=Callable[..., Any])
_RULES: Final = "the rules sent"


def does(verb: str, path: str, tag: str, router: APIRouter = router) -> Callable[[_Route], _Route]:
    """A route that does a verb."""
    extra = {"x-verb": verb, "x-role": VERBS[verb].role.value}
    return router.post(path, openapi_extra=extra, tags=[tag])


@does("channel.pause", "/channels/{name}/pause", "channels")
def pause(act: TheAct, name: PathName, body: Reason) -> Response:
    """Stop all pushes to a channel until somebody resumes it."""
    with act.doing({"name": name}, body.reason):
        stopped = work.pause(act.engine, name, by=act.by, reason=body.reason, now=act.now())
    return told({"channel": name, "paused": True, "fresh": stopped})


@does("channel.resume", "/channels/{name}/resume", "channels")
def resume(act: TheAct, name: PathName, body: ReasonIfAny) -> Response:
    """Let a paused channel work again."""
    with act.doing({"name": name}, body.reason):
        resumed = work.resume(act.engine, name, by=act.by, reason=body.reason, now=act.now())
    return told({"channel": name, "paused": False, "fresh": resumed})


@does("push.retry", "/pushes/retry", "pushes")
def retry(act: TheAct, body: PushRetry) -> Response:
    """Try parked numbers again: what is sent is computed anew, never replayed."""
    with act.doing(body.arguments(), body.reason):
        count = work.retry_pushes(
            act.engine, body.channel, body.skus, by=act.by, reason=body.reason, now=act.now()
        )
    return told({"due": count})


@does("inbox.replay", "/inbox/replay", "inbox")
def replay(act: TheAct, body: InboxReplay) -> Response:
    """Take parked deliveries through the drain again, once their cause is mended."""
    with act.doing(body.arguments()):
        woken, left = work.replay(act.engine, body.deliveries)
    return told({"pending": woken, "left_alone": left})


@does("halt.set", "/halts", "halts")
def halt(act: TheAct, body: HaltSet) -> Response:
    """Take a SKU (or a location, a channel, everything) off sale; workers do it within seconds and read it back."""
    at = act.now()
    until_at = at + timedelta(seconds=body.for_s) if body.for_s else None
    with act.doing(body.arguments(), body.reason):
        done = halts.put(
            act.engine, body.scope(), reason=body.reason, by=act.by, now=at, until_at=until_at, sure=body.sure
        )  # fmt: skip
    return told(done)


@does("halt.lift", "/halts/lift", "halts")
def lift(act: TheAct, body: HaltWords) -> Response:
    """Put back on sale, exactly as it was, what was halted with the same words."""
    with act.doing(body.arguments(), body.reason):
        done = halts.lift(act.engine, body.scope(), reason=body.reason, by=act.by, now=act.now())
    return told(done)


@does("alert.ack", "/incidents/{incident}/ack", "alerts")
def ack(act: TheAct, incident: PathId) -> Response:
    """Say that you work on an incident; every door that knows of it is told."""
    with act.doing({"incident": incident}):
        if not alerts.acknowledge(act.engine, incident, by=act.by, now=act.now()):
            raise Refusal(f"inc-{incident} is not open, or somebody works on it")
    return told({"incident": incident, "acked_by": act.by})


@does("alert.silence", "/silences", "alerts")
def silence(act: TheAct, body: Silence) -> Response:
    """Tell nothing new of a rule for a while; what is still so then is told then."""
    with act.doing(body.arguments(), body.reason):
        _known_rule(body.rule)
        until = alerts.silence(
            act.engine, body.rule, body.channel, for_s=body.for_s, by=act.by, reason=body.reason, now=act.now()
        )  # fmt: skip
    return told({"rule": body.rule, "channel": body.channel, "until": until})


@does("alert.silence", "/silences/end", "alerts")
def end_silence(act: TheAct, body: SilenceEnd) -> Response:
    """Let a rule speak again."""
    with act.doing(body.arguments() | {"end": True}, body.reason):
        _known_rule(body.rule)
        ended = alerts.end_silence(
            act.engine, body.rule, body.channel, by=act.by, reason=body.reason, now=act.now()
        )
    return told({"rule": body.rule, "ended": ended})


@does("case.choose", "/cases/{number}/choose", "cases")
def choose(act: TheAct, number: PathId, body: CaseChoice) -> Response:
    """Say what is done about a case; workers begin at once."""
    with act.doing({"number": number, "response": body.response.value}, body.reason):
        means = casework.means_of(act.house.wiring)
        with _possible():
            cases.choose(
                act.engine, means, number, body.response, by=act.by, reason=body.reason, now=act.now()
            )  # fmt: skip
    return _steps(act, number)


@does("case.run", "/cases/{number}/run", "cases")
def run(act: TheAct, number: PathId) -> Response:
    """Let everything of a case that failed or waits be tried at once; workers do it within seconds."""
    with act.doing({"number": number}), _possible():
        cases.again(act.engine, number, by=act.by, now=act.now())
    return _steps(act, number)


@does("case.close", "/cases/{number}/close", "cases")
def close(act: TheAct, number: PathId, body: CaseClose) -> Response:
    """End a case; what was held at the channel is let go within seconds."""
    with act.doing({"number": number, "keep_hold": body.keep_hold}, body.reason), _possible():
        lets_go = cases.close(
            act.engine, number, by=act.by, reason=body.reason, keep_hold=body.keep_hold, now=act.now()
        )  # fmt: skip
    return told({"case": number, "lets_go": lets_go})


@does("recon.release", "/quarantine/release", "reconciliation")
def release(act: TheAct, body: Release) -> Response:
    """Let a SKU out of quarantine: its numbers are pushed again, computed anew."""
    with act.doing(body.arguments(), body.reason):
        places = work.release(
            act.engine, body.sku, body.channel, body.location, by=act.by, reason=body.reason, now=act.now()
        )  # fmt: skip
    return told({"sku": body.sku, "channel": body.channel, "locations": places})


@does("count.submit", "/counts", "counts")
def count(act: TheAct, body: CountSheet) -> Response:
    """Book a filled sheet, whole or not at all, as of its minute. The same sheet twice is one count."""
    if body.reason_code and body.reason_code not in REASONS:
        raise Problem(
            422, f"no reason {body.reason_code!r}", which="reason_code", next=", ".join(REASONS)
        )
    name = name_of(body.sheet.encode(), body.at)
    said = {"file": f"sheet {name}", "at": body.at, "location": body.location}
    with act.doing(said):
        try:
            done = submit(
                act.house.wiring.house, read(body.sheet, body.location), name=name, at=body.at, by=act.by,
                terms=terms_of(act.house.settings), now=act.now, reason=body.reason_code,
            )  # fmt: skip
        except Refused as refused:
            first = "; ".join(f"line {f.line}: {f.what}" for f in refused.faults[:10])
            raise Refusal(f"nothing was booked: {first}"[:2000]) from None
    return told(done)


@does("alloc.apply", "/rules", "rules")
def apply(act: TheAct, body: RulesApply) -> Response:
    """Put rules in force; faulty ones are refused whole and the running version stays."""
    said = {"expect_version": body.expect_version, "bytes": len(body.source)}
    with act.doing(said, body.reason):
        checked = rules.read(body.source, _RULES)
        applied = rules.apply(
            act.engine, body.source, checked, by=act.by, reason=body.reason, now=act.now(),
            expected=body.expect_version,
        )  # fmt: skip
    return told(applied)


@does("alloc.rollback", "/rules/rollback", "rules")
def rollback(act: TheAct, body: RulesBack) -> Response:
    """Put an older version in force again, as a new one."""
    with act.doing(body.arguments(), body.reason):
        applied = rules.rollback(
            act.engine, body.version, by=act.by, reason=body.reason, now=act.now()
        )
    return told(applied)


@does("token.create", "/tokens", "access")
def create(act: TheAct, body: TokenCreate) -> Response:
    """Make a token; the answer is the only place where it can be read."""
    with act.doing(body.model_dump(mode="json")):
        made = tokens.create(
            act.engine, body.name, body.role, by=act.by, now=act.now(), random=os.urandom(secrets.BYTES),
            lasts=timedelta(days=body.days) if body.days else None,
        )  # fmt: skip
    return _made(made)


@does("token.rotate", "/tokens/{name}/rotate", "access")
def rotate(act: TheAct, name: PathName) -> Response:
    """End a token and make another of the same name and role; sessions of the old one end."""
    with act.doing({"name": name}):
        made = tokens.rotate(
            act.engine, name, by=act.by, now=act.now(), random=os.urandom(secrets.BYTES)
        )
    return _made(made)


@does("token.revoke", "/tokens/{name}/revoke", "access")
def revoke(act: TheAct, name: PathName) -> Response:
    """End a token, and every session it opened, at once."""
    with act.doing({"name": name}):
        ended = tokens.revoke(act.engine, name, by=act.by, now=act.now())
    return told(ended)


def _made(made: tokens.Made) -> Response:
    token = made.token
    return told(
        {
            "name": token.name,
            "role": token.role,
            "expires_at": token.expires_at,
            "token": made.secret,
        }
    )


def _known_rule(rule: str) -> None:
    if rule not in RULES:
        raise Unknown(f"no rule {rule!r}: {', '.join(sorted(RULES))}")


@contextmanager
def _possible() -> Iterator[None]:
    """What a case refuses is a refusal here too."""
    try:
        yield
    except cases.NotPossible as error:
        raise Refusal(str(error)) from None


def _steps(act: Act, number: int) -> Response:
    with transaction(act.engine) as connection:
        stood = [step for step in steps.of(connection, [number]) if step.state != "dropped"]
    return told({"case": number, "steps": stood})
