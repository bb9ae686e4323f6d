"""An alert as an event of PagerDuty's Events API v2.

source    PagerDuty/api-schema, reference/events-v2: summary at most 1,024 characters, dedup_key 255, 512 KB in all
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from workers.alerts.message import lines_of
from workers.alerts.types import Alert

_SUMMARY_CHARACTERS: Final = 1_024
_ACTIONS: Final = {"firing": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}


def event(alert: Alert, key: str, now: datetime, *, told: bool) -> dict[str, Any]:
    """The event that brings PagerDuty to where the incident is.

    key     of the integration
    told    whether PagerDuty knows of it: what it does not know cannot be acknowledged
    """
    head, lines = lines_of(alert, now)
    action = _ACTIONS[alert["status"]]
    if action == "acknowledge" and not told:
        action = "trigger"
    document: dict[str, Any] = {
        "routing_key": key,
        "event_action": action,
        "dedup_key": alert["dedup_key"],
    }
    if action != "trigger":
        return document
    place = "/".join(filter(None, (alert["env"], alert["channel"])))
    page = alert["runbook"]
    return document | {
        "client": "Lockstep",
        "payload": {
            "summary": f"{head}: {lines[0] if lines else ''}"[:_SUMMARY_CHARACTERS],
            "source": place,
            "severity": alert["severity"],
            "timestamp": alert["first_seen"],
            "component": alert["channel"] or "lockstep",
            "group": alert["rule"].partition(".")[0],
            "class": alert["rule"],
            "custom_details": alert,
        },
        "links": [{"href": page, "text": "Runbook"}] if page.startswith("http") else [],
    }
