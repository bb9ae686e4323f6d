"""Forms that change something: each names its verb, asks as the API does, and goes back to the page it came from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeAlias

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from console.access.types import Refusal, Unknown
from console.api.gate import form_of
from console.api.problems import Problem
from console.api.state import Act, act_of
from console.api.words import HaltSet, HaltWords, Silence
from console.pages import acts_failed
from console.pages.rendering import say, utc
from console.verbs import halts, resync, work
from workers.alerts.rules import RULES
from workers.flows import alerts

Form: TypeAlias = dict[str, str]
#: Does it, and says in a sentence what was done.
Doing: TypeAlias = Callable[[Act, Form], str]


def _pause(act: Act, form: Form) -> str:
    name, reason = _named(form, "name"), _reason(form)
    with act.doing({"name": name}, reason):
        fresh = work.pause(act.engine, name, by=act.by, reason=reason, now=act.now())
    return (
        f"{name} is paused: nothing is sent to it until somebody resumes it"
        if fresh
        else f"{name} was paused"
    )


def _resume(act: Act, form: Form) -> str:
    name = _named(form, "name")
    with act.doing({"name": name}):
        fresh = work.resume(
            act.engine, name, by=act.by, reason=form.get("reason", ""), now=act.now()
        )
    return f"{name} works again" if fresh else f"{name} was not paused"


def _halt(act: Act, form: Form) -> str:
    said = HaltSet.model_validate(
        _halt_words(form) | {"for_s": form.get("for_s") or None, "sure": form.get("sure") == "1"}
    )
    at = act.now()
    until_at = at + timedelta(seconds=said.for_s) if said.for_s else None
    with act.doing(said.arguments(), said.reason):
        done = halts.put(
            act.engine, said.scope(), reason=said.reason, by=act.by, now=at, until_at=until_at, sure=said.sure
        )  # fmt: skip
    until = f" until {utc(until_at)}" if until_at else ""
    many = f" ({done['skus']} SKUs on {done['channels']} channels)" if "skus" in done else ""
    again = "" if done["fresh"] else "; it was already wanted"
    return f"{said.scope()} goes off sale within seconds{many}{until}{again}"


def _lift(act: Act, form: Form) -> str:
    said = HaltWords.model_validate(_halt_words(form))
    with act.doing(said.arguments(), said.reason):
        halts.lift(act.engine, said.scope(), reason=said.reason, by=act.by, now=act.now())
    return f"{said.scope()} goes back on sale within seconds, exactly as it was"


def _resync(act: Act, form: Form) -> str:
    sku, reason, channel = _named(form, "sku"), _reason(form), form.get("channel") or None
    with act.doing({"sku": sku, "channel": channel}, reason):
        channels = resync.resync(act.engine, sku, channel, by=act.by, reason=reason, now=act.now())
    return f"{sku} is computed anew and sent again to {', '.join(channels)}"


def _retry(act: Act, form: Form) -> str:
    channel, reason = _named(form, "channel"), form.get("reason", "")
    skus = [form["sku"]] if form.get("sku") else []
    with act.doing({"channel": channel, "skus": skus}, reason):
        count = work.retry_pushes(
            act.engine, channel, skus, by=act.by, reason=reason, now=act.now()
        )
    return f"{count} parked numbers of {channel} are due again"


def _ack(act: Act, form: Form) -> str:
    number = _number(form, "incident")
    with act.doing({"incident": number}):
        if not alerts.acknowledge(act.engine, number, by=act.by, now=act.now()):
            raise Refusal(f"inc-{number} is not open, or somebody works on it")
    return f"you work on inc-{number}; every door that knows of it is told"


def _silence(act: Act, form: Form) -> str:
    given = {name: form[name] for name in ("rule", "channel", "for_s", "reason") if form.get(name)}
    said = Silence.model_validate(given)
    with act.doing(said.arguments(), said.reason):
        if said.rule not in RULES:
            raise Unknown(f"no rule {said.rule!r}")
        until = alerts.silence(
            act.engine, said.rule, said.channel, for_s=said.for_s, by=act.by, reason=said.reason, now=act.now()
        )  # fmt: skip
    return f"{said.rule} tells nothing new until {utc(until)}"


def _replay(act: Act, form: Form) -> str:
    number = _number(form, "delivery")
    with act.doing({"deliveries": [number]}):
        woken, _ = work.replay(act.engine, [number])
    if not woken:
        raise Refusal(f"delivery {number} is not parked")
    return f"delivery {number} is taken through the drain again"


def _release(act: Act, form: Form) -> str:
    sku, channel, reason = _named(form, "sku"), _named(form, "channel"), _reason(form)
    location = form.get("location") or None
    said = {"sku": sku, "channel": channel, "location": location}
    with act.doing(said, reason):
        work.release(act.engine, sku, channel, location, by=act.by, reason=reason, now=act.now())
    return f"{sku} on {channel} is out of quarantine: its numbers are pushed again"


DOINGS: Final[dict[str, Doing]] = {
    "channel.pause": _pause,
    "channel.resume": _resume,
    "halt.set": _halt,
    "halt.lift": _lift,
    "sku.resync": _resync,
    "push.retry": _retry,
    "alert.ack": _ack,
    "alert.silence": _silence,
    "inbox.replay": _replay,
    "recon.release": _release,
    "failed.retry": acts_failed.retry,
    "failed.discard": acts_failed.discard,
    "op.cancel": acts_failed.cancel,
    "queue.pause": acts_failed.pause,
    "queue.resume": acts_failed.resume,
}

router = APIRouter(include_in_schema=False)


async def _form(request: Request) -> Form:
    said = form_of(await request.body())
    return {name: value.strip().replace("\0", "") for name, value in said.items()}


def _route(verb: str, doing: Doing) -> None:
    async def route(request: Request, form: Form = Depends(_form)) -> Response:  # noqa: B008 -- FastAPI's way
        return await run_in_threadpool(_done, request, form, doing)

    router.add_api_route(
        f"/do/{verb}", route, methods=["POST"], name=verb, openapi_extra={"x-verb": verb}
    )


def _done(request: Request, form: Form, doing: Doing) -> Response:
    """Do it for who asks, and tell on the page they came from what came of it."""
    act = act_of(request)
    back = form.get("back", "/")
    answer = RedirectResponse(back if _is_ours(back) else "/", status_code=303)
    try:
        return say(answer, doing(act, form))
    except Refusal as refusal:
        return say(answer, str(refusal), good=False)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return say(answer, faults, good=False)


def _is_ours(back: str) -> bool:
    return back.startswith("/") and not back.startswith(("//", "/\\"))


def _halt_words(form: Form) -> dict[str, Any]:
    words = {
        name: form[name] for name in ("sku", "channel", "location", "reason") if form.get(name)
    }
    flags = {name: True for name in ("all", "everything") if form.get(name) == "1"}
    return words | flags


def _named(form: Form, name: str) -> str:
    said = form.get(name, "")
    if not 0 < len(said) <= 128:
        raise Problem(422, f"{name} must be named", which=name, next="fill it in")
    return said


def _reason(form: Form) -> str:
    said = form.get("reason", "")
    if not 0 < len(said) <= 1000:
        raise Problem(422, "a reason must be given", which="reason", next="say why")
    return said


def _number(form: Form, name: str) -> int:
    said = form.get(name, "")
    if not said.isdecimal() or len(said) > 18:
        raise Problem(422, f"{name} must be a number", which=name, next="use the page's own form")
    return int(said)


for _verb, _doing in DOINGS.items():
    _route(_verb, _doing)
