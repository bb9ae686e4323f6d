"""Routes that change something: each names its verb, which says who may, and under which it is written down."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

from fastapi import APIRouter
from starlette.responses import Response

from console.access import secrets
from console.access.rights import VERBS
from console.api.answers import PROBLEMS, told
from console.api.state import TheAct, TheFirmAct
from console.api.words import (
    CaseChoice,
    CaseClose,
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
from console.verbs import alerts, cases, halts, ledger, rules, tokens, work

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
        done = alerts.ack(act.engine, incident, by=act.by, now=act.now())
    return told(done)


@does("alert.silence", "/silences", "alerts")
def silence(act: TheAct, body: Silence) -> Response:
    """Tell nothing new of a rule for a while; what is still so then is told then."""
    with act.doing(body.arguments(), body.reason):
        done = alerts.silence(
            act.engine, body.rule, body.channel, body.for_s, by=act.by, reason=body.reason, now=act.now()
        )  # fmt: skip
    return told(done)


@does("alert.silence", "/silences/end", "alerts")
def end_silence(act: TheAct, body: SilenceEnd) -> Response:
    """Let a rule speak again."""
    with act.doing(body.arguments() | {"end": True}, body.reason):
        done = alerts.end_silence(
            act.engine, body.rule, body.channel, by=act.by, reason=body.reason, now=act.now()
        )
    return told(done)


@does("alert.test", "/alerts/test", "alerts")
def try_doors(act: TheFirmAct) -> Response:
    """Tell every door something harmless, and that it is over; what came back."""
    wiring = act.house.wiring
    with act.doing({}):
        came = alerts.try_doors(act.engine, wiring.doors, env=wiring.settings.env, now=act.now)
    return told(came)


@does("case.choose", "/cases/{number}/choose", "cases")
def choose(act: TheAct, number: PathId, body: CaseChoice) -> Response:
    """Say what is done about a case; workers begin at once."""
    with act.doing({"number": number, "response": body.response.value}, body.reason):
        done = cases.choose(
            act.house.wiring, number, body.response, by=act.by, reason=body.reason, now=act.now()
        )
    return told(done)


@does("case.run", "/cases/{number}/run", "cases")
def run(act: TheAct, number: PathId) -> Response:
    """Let everything of a case that failed or waits be tried at once; workers do it within seconds."""
    with act.doing({"number": number}):
        done = cases.again(act.engine, number, by=act.by, now=act.now())
    return told(done)


@does("case.close", "/cases/{number}/close", "cases")
def close(act: TheAct, number: PathId, body: CaseClose) -> Response:
    """End a case; what was held at the channel is let go within seconds."""
    with act.doing({"number": number, "keep_hold": body.keep_hold}, body.reason):
        done = cases.close(
            act.engine, number, keep_hold=body.keep_hold, by=act.by, reason=body.reason, now=act.now()
        )  # fmt: skip
    return told(done)


@does("recon.release", "/quarantine/release", "reconciliation")
def release(act: TheAct, body: Release) -> Response:
    """Let a SKU out of quarantine: its numbers are pushed again, computed anew."""
    with act.doing(body.arguments(), body.reason):
        places = work.release(
            act.engine, body.sku, body.channel, body.location, by=act.by, reason=body.reason, now=act.now()
        )  # fmt: skip
    return told({"sku": body.sku, "channel": body.channel, "locations": places})


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
def create(act: TheFirmAct, body: TokenCreate) -> Response:
    """Make a token; the answer is the only place where it can be read."""
    with act.doing(body.model_dump(mode="json")):
        made = tokens.create(
            act.engine, body.name, body.role, by=act.by, now=act.now(), random=os.urandom(secrets.BYTES),
            lasts=timedelta(days=body.days) if body.days else None,
        )  # fmt: skip
    return told(tokens.told(made))


@does("token.rotate", "/tokens/{name}/rotate", "access")
def rotate(act: TheFirmAct, name: PathName) -> Response:
    """End a token and make another of the same name and role; sessions of the old one end."""
    with act.doing({"name": name}):
        made = tokens.rotate(
            act.engine, name, by=act.by, now=act.now(), random=os.urandom(secrets.BYTES)
        )
    return told(tokens.told(made))


@does("token.revoke", "/tokens/{name}/revoke", "access")
def revoke(act: TheAct, name: PathName) -> Response:
    """End a token, and every session it opened, at once."""
    with act.doing({"name": name}):
        ended = tokens.revoke(act.engine, name, by=act.by, now=act.now())
    return told(ended)


@does("ledger.seal", "/ledger/seal", "ledger")
def seal(act: TheAct) -> Response:
    """Seal everything that is not sealed yet; workers do this once a minute."""
    with act.doing({}):
        done = ledger.seal(act.engine, now=act.now())
    return told(done)
