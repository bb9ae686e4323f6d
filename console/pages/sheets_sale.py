"""Forms about what is for sale: channels, queues, halts, pushes, alerts, deliveries, drift, failed work."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field as Said
from pydantic import field_validator

from console.api.failures import FailureAssign, FailureWords
from console.api.state import Act
from console.api.words import (
    HaltSet,
    HaltWords,
    Id,
    InboxReplay,
    Name,
    PushRetry,
    Reason,
    ReasonIfAny,
    Release,
)
from console.api.words import Said as Words
from console.api.words_acts import Owner, Resync
from console.pages.rendering import utc
from console.pages.sheets import WHY, WHY_IF_ANY, Came, Field, Sheet
from console.verbs import alerts, halts, queues, resync, work
from console.verbs.queues import refusals
from console.views import failures
from workers.alerts.rules import RULES
from workers.failures.types import CLASSES, MANY, ORIGINS, Verb
from workers.flows import operations


class Named(Reason):
    """Something by its name, and why."""

    name: Name


class NamedIfAny(ReasonIfAny):
    """Something by its name."""

    name: Name


class Numbered(Words):
    """An incident by its number."""

    incident: Id


class Silenced(Reason):
    """for_s: "end" lets the rule speak again."""

    rule: Name
    channel: Annotated[str, Said(max_length=128)] = ""
    for_s: Annotated[str, Said(pattern=r"^([1-9]\d{1,7}|end)$")]


class Replayed(InboxReplay):
    """One delivery, or several."""


class Cancelled(ReasonIfAny):
    """Bulk work by its id."""

    number: UUID


class Failing(FailureWords):
    """expect comes with the page that counted."""

    @field_validator("ids", mode="before")
    @classmethod
    def _numbers(cls, said: Any) -> Any:
        return [int(part) for part in said if str(part).isdecimal()]


class Assigned(FailureAssign, Failing):
    """The same, and who sees to them."""


def _pause(act: Act, said: Named) -> Came:
    with act.doing({"name": said.name}, said.reason):
        fresh = work.pause(act.engine, said.name, by=act.by, reason=said.reason, now=act.now())
    stopped = f"{said.name} is paused: nothing is sent to it until somebody resumes it"
    return Came(stopped if fresh else f"{said.name} was paused")


def _resume(act: Act, said: NamedIfAny) -> Came:
    with act.doing({"name": said.name}, said.reason):
        fresh = work.resume(act.engine, said.name, by=act.by, reason=said.reason, now=act.now())
    return Came(f"{said.name} works again" if fresh else f"{said.name} was not paused")


def _pause_queue(act: Act, said: Named) -> Came:
    with act.doing({"name": said.name}, said.reason):
        queues.pause(act.engine, said.name, by=act.by, reason=said.reason, now=act.now())
    return Came(f"queue {said.name} stands still until somebody resumes it; what waits stays")


def _resume_queue(act: Act, said: NamedIfAny) -> Came:
    with act.doing({"name": said.name}, said.reason):
        queues.resume(act.engine, said.name, by=act.by, reason=said.reason, now=act.now())
    return Came(f"queue {said.name} works again")


def _halt(act: Act, said: HaltSet) -> Came:
    at = act.now()
    until_at = at + timedelta(seconds=said.for_s) if said.for_s else None
    scope = said.scope()
    rows = halts.rows_of(halts.would_halt(act.engine, scope)) if act.dry_run else ()
    with act.doing(said.arguments(), said.reason):
        done = halts.put(
            act.engine, scope, reason=said.reason, by=act.by, now=at, until_at=until_at,
            sure=said.sure or act.dry_run,
        )  # fmt: skip
    until = f" until {utc(until_at)}" if until_at else ""
    many = f" ({done['skus']} SKUs on {done['channels']} channels)" if "skus" in done else ""
    again = "" if done["fresh"] else "; it was already wanted"
    return Came(f"{scope} goes off sale within seconds{many}{until}{again}", rows)


def _lift(act: Act, said: HaltWords) -> Came:
    with act.doing(said.arguments(), said.reason):
        halts.lift(act.engine, said.scope(), reason=said.reason, by=act.by, now=act.now())
    return Came(f"{said.scope()} goes back on sale within seconds, exactly as it was")


def _resync(act: Act, said: Resync) -> Came:
    with act.doing(said.arguments(), said.reason):
        channels = resync.resync(
            act.engine, said.sku, said.channel, by=act.by, reason=said.reason, now=act.now()
        )
    return Came(f"{said.sku} is computed anew and sent again to {', '.join(channels)}")


def _retry(act: Act, said: PushRetry) -> Came:
    with act.doing(said.arguments(), said.reason):
        count = work.retry_pushes(
            act.engine, said.channel, said.skus, by=act.by, reason=said.reason, now=act.now()
        )
    return Came(f"{count} parked numbers of {said.channel} are due again")


def _ack(act: Act, said: Numbered) -> Came:
    with act.doing({"incident": said.incident}):
        alerts.ack(act.engine, said.incident, by=act.by, now=act.now())
    return Came(f"you work on inc-{said.incident}; every door that knows of it is told")


def _silence(act: Act, said: Silenced) -> Came:
    who: dict[str, Any] = {"by": act.by, "reason": said.reason, "now": act.now()}
    with act.doing(said.arguments(), said.reason):
        if said.for_s == "end":
            done = alerts.end_silence(act.engine, said.rule, said.channel, **who)
            return Came(f"{said.rule} speaks again: {done['ended']} silences ended")
        done = alerts.silence(act.engine, said.rule, said.channel, float(said.for_s), **who)
    return Came(f"{said.rule} tells nothing new until {utc(done['until'])}")


def _test(act: Act, _: Words) -> Came:
    wiring = act.house.wiring
    with act.doing({}):
        rows = alerts.try_doors(act.engine, wiring.doors, env=wiring.settings.env, now=act.now)
    bad = sum(not row["took_it"] for row in rows)
    return Came(f"{len(rows)} messages were sent, {bad} were not taken")


def _replay(act: Act, said: Replayed) -> Came:
    with act.doing(said.arguments()):
        woken, left = work.replay(act.engine, said.deliveries)
    alone = f"; not parked, so left alone: {', '.join(map(str, left))}" if left else ""
    return Came(f"{len(woken)} deliveries are taken through the drain again{alone}")


def _release(act: Act, said: Release) -> Came:
    with act.doing(said.arguments(), said.reason):
        work.release(
            act.engine, said.sku, said.channel, said.location, by=act.by, reason=said.reason,
            now=act.now(),
        )  # fmt: skip
    return Came(f"{said.sku} on {said.channel} is out of quarantine: its numbers are pushed again")


def _own(act: Act, said: Owner) -> Came:
    with act.doing(said.arguments()):
        work.own(act.engine, said.owner, said.channel, said.cause, by=act.by, now=act.now())
    what = f"{said.cause or 'every cause'} on {said.channel or 'every channel'}"
    return Came(f"{what} is {said.owner}'s")


def _bulk(act: Act, verb: Verb, said: FailureWords, assignee: str = "") -> Came:
    with act.doing(said.arguments(), said.reason), refusals():
        seen = operations.preview(act.engine, verb, said.filter())
        # Whoever is asked once more has seen the number.
        expect = seen.total if act.dry_run and said.expect is None else said.expect
        asked = operations.ask(
            act.engine, verb, said.filter(), by=act.by, reason=said.reason, now=act.now(),
            expect=expect, assignee=assignee,
        )  # fmt: skip
    if asked is None:
        return Came("nothing of that is open any more")
    rows = [{"of": kind, "failures": rows} for kind, rows in sorted(seen.classes.items())]
    rows += [{"of": f"refused: {why}", "failures": n} for why, n in sorted(seen.refused.items())]
    told = failures.of(asked)
    sentence = (
        f"operation {told['id'][:8]}: {verb} of {told['total']}; its progress is under Operations"
    )
    return Came(sentence, rows)


def _cancel(act: Act, said: Cancelled) -> Came:
    with act.doing({"number": str(said.number)}, said.reason):
        done = queues.cancel(act.engine, said.number, by=act.by, reason=said.reason, now=act.now())
    return Came(f"operation {str(said.number)[:8]} is {done['state']}; what is done stays done")


_NAME: Final = Field("name", "Name", required=True, hint="as its list shows it")
_SKU: Final = Field("sku", "SKU")
_CHANNEL: Final = Field("channel", "Channel")
_SPANS: Final = ("3600", "14400", "86400", "604800")
_SCOPE: Final = (
    Field("sku", "SKU", hint="one SKU, or else a location, a channel, or everything"),
    Field("channel", "Channel", hint="on all of them if left out"),
    Field("location", "Location", hint="every SKU sold from it"),
    Field("all", "Every SKU of the channel", "flag"),
    Field("everything", "Everything on every channel", "flag"),
)
_FAILURES: Final = (
    Field("ids", "Failures", "list", hint="their numbers; or say below which are meant"),
    _CHANNEL,
    Field("kind", "Class", "choice", choices=CLASSES),
    Field("origin", "Origin", "choice", choices=ORIGINS),
    _SKU,
    Field("order", "Order"),
    Field("task", "Task"),
    Field("expect", "How many they are", "number", hint=f"needed where they are more than {MANY}"),
    WHY,
)

SHEETS: Final[tuple[Sheet[Any], ...]] = (
    Sheet("channel.pause", "Pause a channel", Named, (_NAME, WHY), _pause, "/pushes",
          "Nothing is sent to it, over every restart, until somebody resumes it."),
    Sheet("channel.resume", "Resume a channel", NamedIfAny, (_NAME, WHY_IF_ANY), _resume, "/pushes"),
    Sheet("queue.pause", "Pause a queue", Named, (_NAME, WHY), _pause_queue, "/pushes",
          "Its tasks do nothing until it is resumed. Of push.<channel> that is all that is asked of the channel."),
    Sheet("queue.resume", "Resume a queue", NamedIfAny, (_NAME, WHY_IF_ANY), _resume_queue, "/pushes"),
    Sheet("halt.set", "Take off sale", HaltSet,
          (*_SCOPE, Field("for_s", "For how long, in seconds", "number", hint="until lifted if left out"), WHY,
           Field("sure", f"{halts.MANY} SKUs or more are meant", "flag")),
          _halt, "/halts", "Workers do it within seconds and read it back.",
          lambda said: not said.sure and not halts.is_one(said.scope())),
    Sheet("halt.lift", "Put back on sale", HaltWords, (*_SCOPE, WHY), _lift, "/halts",
          "Exactly as it was; say the same words that halted it.", lambda said: not said.sku),
    Sheet("sku.resync", "Send a SKU again", Resync,
          (Field("sku", "SKU", required=True), _CHANNEL, WHY), _resync, "/skus"),
    Sheet("push.retry", "Try parked numbers again", PushRetry,
          (Field("channel", "Channel", required=True),
           Field("skus", "SKUs", "list", hint="all that are parked if left out"),
           WHY_IF_ANY), _retry, "/pushes", "What is sent is computed anew."),
    Sheet("alert.ack", "Work on an incident", Numbered,
          (Field("incident", "Incident", "number", required=True, hint="its number"),), _ack, "/incidents"),
    Sheet("alert.silence", "Silence a rule", Silenced,
          (Field("rule", "Rule", "choice", required=True, choices=tuple(sorted(RULES))), _CHANNEL,
           Field("for_s", "For how long, in seconds", "choice", required=True, choices=(*_SPANS, "end"),
                 hint="`end` lets it speak again"), WHY), _silence, "/incidents"),
    Sheet("alert.test", "Try the doors of alerts", Words, (), _test, "/incidents",
          "Every door is told something harmless, and that it is over."),
    Sheet("inbox.replay", "Take deliveries again", Replayed,
          (Field("deliveries", "Deliveries", "list", required=True, hint="their numbers"),), _replay, "/inbox"),
    Sheet("recon.release", "Let out of quarantine", Release,
          (Field("sku", "SKU", required=True), Field("channel", "Channel", required=True),
           Field("location", "Location", hint="everywhere if left out"), WHY), _release, "/drift"),
    Sheet("recon.owner", "Say who mends what drifts", Owner,
          (Field("owner", "Who", required=True, hint="a person or a team"), _CHANNEL, Field("cause", "Cause")),
          _own, "/drift"),
    Sheet("failed.retry", "Do failed work again", Failing, _FAILURES,
          lambda act, said: _bulk(act, "retry", said), "/failed",
          "Each through the door it came by; workers do it, as an operation with progress.",
          lambda said: len(said.ids) != 1 and said.expect is None),
    Sheet("failed.discard", "Take failures off the list", Failing, _FAILURES,
          lambda act, said: _bulk(act, "discard", said), "/failed",
          "What they are about stays as it is.", lambda said: len(said.ids) != 1 and said.expect is None),
    Sheet("failed.assign", "Say who sees to failures", Assigned,
          (Field("assignee", "Who", hint="nobody if left out"), *_FAILURES),
          lambda act, said: _bulk(act, "assign", said, said.assignee), "/failed"),
    Sheet("op.cancel", "End bulk work", Cancelled,
          (Field("number", "Operation", required=True), WHY_IF_ANY), _cancel, "/operations",
          "What is done stays done."),
)  # fmt: skip
