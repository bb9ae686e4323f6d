"""Alerts: somebody works on one, a rule is silent for a while, every door is tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from console.access.types import Refusal, Unknown
from workers.alerts.doors import Door
from workers.alerts.rules import RULES
from workers.alerts.types import Answer, Told
from workers.flows import alerts


def ack(engine: Engine, incident: int, *, by: str, now: datetime) -> dict[str, Any]:
    """Say that somebody works on an incident; every door that knows of it is told. Raises Refusal."""
    if not alerts.acknowledge(engine, incident, by=by, now=now):
        raise Refusal(
            f"inc-{incident} is not open, or somebody works on it: see `lockstep alert list`"
        )
    return {"incident": incident, "acked_by": by}


def silence(
    engine: Engine,
    rule: str,
    channel: str,
    for_s: float,
    *,
    by: str,
    reason: str,
    now: datetime,
) -> dict[str, Any]:
    """Tell nothing new of a rule for a while; channel: "" is every one. Raises Unknown."""
    _known(rule)
    until = alerts.silence(engine, rule, channel, for_s=for_s, by=by, reason=reason, now=now)
    return {"rule": rule, "channel": channel, "until": until}


def end_silence(
    engine: Engine, rule: str, channel: str, *, by: str, reason: str, now: datetime
) -> dict[str, Any]:
    """Let a rule speak again. Raises Unknown."""
    _known(rule)
    ended = alerts.end_silence(engine, rule, channel, by=by, reason=reason, now=now)
    return {"rule": rule, "ended": ended}


def try_doors(
    engine: Engine, doors: Sequence[Door], *, env: str, now: Callable[[], datetime]
) -> list[dict[str, Any]]:
    """Tell every door something harmless, and that it is over; what came back. Raises Unknown: there is no door."""
    if not doors:
        raise Unknown(
            "no door is set up: set LOCKSTEP_ALERT_SLACK_TOKEN and LOCKSTEP_ALERT_SLACK_CHANNEL,"
            " LOCKSTEP_ALERT_PAGERDUTY_KEY or LOCKSTEP_ALERT_WEBHOOK_URL"
        )
    came = alerts.test_doors(engine, doors, env=env, now=now)
    return [
        {"door": door, "step": step, "took_it": isinstance(each, Told), "answer": _words(each)}
        for door, answers in came.items()
        for step, each in zip(("told", "over"), answers, strict=False)
    ]


def _words(answer: Answer) -> str:
    if isinstance(answer, Told):
        return answer.place
    after_s = getattr(answer, "after_s", None)
    if after_s is not None:
        return f"asks to be left alone for {after_s:.0f} s"
    return str(getattr(answer, "why", "what should be edited is gone"))


def _known(rule: str) -> None:
    if rule not in RULES:
        raise Unknown(f"no rule {rule!r}: {', '.join(sorted(RULES))}")
