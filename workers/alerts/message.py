"""What is told of an incident, as one document whatever the door: docs/alert.schema.json."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from workers.alerts.rules import commands_of, filled, line_of, rule_of
from workers.alerts.types import Alert, Kind, Rule, Severity, Standing, kind_of

#: PagerDuty's longest.
_KEY_CHARACTERS: Final = 255
_LINE_CHARACTERS: Final = 240
#: What changes with every look and is worth no message of its own.
_PASSING: Final = ("last_seen", "count")


def told_anew(before: Mapping[str, Any], alert: Alert) -> bool:
    """Whether what is told has changed."""

    def lasting(each: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in each.items() if name not in _PASSING}

    return lasting(before) != lasting(alert)


def alert_of(standing: Standing, env: str, now: datetime, *, pages: str = "") -> Alert:
    """An incident as it stands; over when none of its alarms is on.

    env      name of this installation
    pages    address in front of `docs/runbooks/...`, "" when they are nowhere on the network
    """
    rule = rule_of(standing.rule)
    if not standing.open:
        return _over(standing, now)
    severity = _severity(standing, rule)
    worst = standing.firings[0].detail
    facts = {"channel": standing.channel, **worst}
    skus = list(dict.fromkeys(str(f.detail["sku"]) for f in standing.firings if "sku" in f.detail))
    lines = [line_of(rule, f.object, f.detail)[:_LINE_CHARACTERS] for f in standing.firings]
    status = "acknowledged" if standing.acked_by else "firing"
    return {
        "id": f"inc-{standing.incident}",
        "rule": rule.name,
        "title": rule.title,
        "kind": kind_of(severity).value,
        "severity": severity.value,
        "status": status,
        "env": env,
        "channel": standing.channel,
        "location": str(worst.get("location", "")),
        "skus": skus,
        "more": standing.open - len(standing.firings),
        "lines": lines,
        "expected": worst.get("expected"),
        "actual": worst.get("actual"),
        "delta": _delta(worst),
        "delta_pct": worst.get("percent"),
        "impact": filled(rule.impact, {"units": standing.impact_units}),
        "impact_units": standing.impact_units,
        "cause": _cause(worst),
        "actions_taken": _done(standing),
        "next_commands": commands_of(rule, facts),
        "runbook": pages + rule.runbook,
        "links": {"sku": None, "dashboard": None},
        "first_seen": _moment(standing.first_at or standing.since),
        "last_seen": _moment(standing.last_at or now),
        "resolved_at": None,
        "acknowledged_by": standing.acked_by,
        "count": standing.ever,
        "dedup_key": _dedup_key(env, rule.name, standing.channel),
    }


def _over(standing: Standing, now: datetime) -> Alert:
    """The last that was told of it, with its end."""
    return {
        **standing.content,
        "status": "resolved",
        "more": 0,
        "count": standing.ever,
        "last_seen": _moment(standing.last_at or now),
        "resolved_at": _moment(now),
    }


def _severity(standing: Standing, rule: Rule) -> Severity:
    """The worst of its alarms; one that says none has its rule's."""
    said = [rule.severity] if standing.plain or not standing.severity else []
    if standing.severity:
        said.append(Severity(standing.severity))
    return min(said, key=lambda each: each.rank)


def _delta(worst: Mapping[str, Any]) -> int | None:
    expected, actual = worst.get("expected"), worst.get("actual")
    return None if expected is None or actual is None else int(actual) - int(expected)


def _cause(worst: Mapping[str, Any]) -> dict[str, str] | None:
    code = worst.get("cause")
    if not code:
        return None
    return {"code": str(code), "confidence": "low" if code == "unknown" else "high"}


def _done(standing: Standing) -> list[str]:
    said = (str(f.detail["action"]) for f in standing.firings if f.detail.get("action"))
    return list(dict.fromkeys(said))


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _dedup_key(env: str, rule: str, channel: str) -> str:
    """An incident is of a rule and a channel, so that every SKU is in it."""
    return f"lockstep:{env}:{rule}:{channel or '*'}:*"[:_KEY_CHARACTERS]


def lines_of(alert: Alert, now: datetime) -> tuple[str, list[str]]:
    """The head and the lines of an alert, for people, on any door."""
    place = " · ".join(filter(None, (alert["env"], alert["channel"])))
    head = f"[{_tag(alert)}] {place} · {alert['title']}   {alert['id']} · {_since(alert, now)}"
    lines = list(alert["lines"][:3])
    more = len(alert["lines"]) - len(lines) + alert["more"]
    if more > 0:
        lines.append(f"+{more} {'SKUs' if alert['skus'] else 'more'}")
    return head, [*lines, *_facts(alert)]


def _facts(alert: Alert) -> list[str]:
    cause = alert["cause"]
    facts = [
        ("Impact", alert["impact"]),
        ("Cause", f"{cause['code']}, confidence {cause['confidence']}" if cause else ""),
        ("Done", ", ".join(alert["actions_taken"])),
        ("Next", "\n".join(alert["next_commands"])),
    ]
    return [f"{name:<10} {said}" for name, said in facts if said]


def _tag(alert: Alert) -> str:
    return "RESOLVED" if alert["status"] == "resolved" else Kind(alert["kind"]).value.upper()


def _since(alert: Alert, now: datetime) -> str:
    begun = datetime.fromisoformat(alert["first_seen"])
    if alert["status"] == "resolved":
        return f"resolved after {_span(begun, datetime.fromisoformat(alert['resolved_at']))}"
    by = f" by {alert['acknowledged_by']}" if alert["acknowledged_by"] else ""
    return f"{alert['status']}{by} {_span(begun, now)}"


def _span(begun: datetime, end: datetime) -> str:
    minutes = max(0, round((end - begun).total_seconds() / 60))
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
