"""An alert as Slack's blocks, within Slack's limits.

source    docs.slack.dev, reference/block-kit: at most 50 blocks, 3,000 characters in a section; bolt-js issue 2509 saw
          messages refused near 13,200 characters in all, so that 8,000 are the most here
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from workers.alerts.message import lines_of
from workers.alerts.types import Alert, Post

SECTION_CHARACTERS: Final = 3_000
ALL_CHARACTERS: Final = 8_000
#: Text that notifications show.
_SHORT_CHARACTERS: Final = 300
EVENT: Final = "lockstep_alert"

_SIGNS: Final = {"page": ":rotating_light:", "ticket": ":warning:", "note": ":information_source:"}


def escaped(text: str) -> str:
    """The three characters that mean something to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def root(alert: Alert, now: datetime) -> dict[str, Any]:
    """Text and blocks of an incident as it stands."""
    head, lines = lines_of(alert, now)
    sign = ":white_check_mark:" if alert["status"] == "resolved" else _SIGNS[alert["kind"]]
    blocks = [
        _section(f"{sign} *{escaped(head)}*"),
        _section(_fenced("\n".join(lines))),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": _links(alert)}]},
    ]
    return {"text": escaped(head)[:_SHORT_CHARACTERS], "blocks": blocks}


def reply(alert: Alert, part: str, now: datetime) -> dict[str, Any]:
    """Text and blocks of an answer in the thread: that more has come, or that it is over."""
    head, lines = lines_of(alert, now)
    if part == "resolved":
        said = f":white_check_mark: {escaped(head)}"
    else:
        said = f"{alert['count']} in all by now.\n{_fenced(lines[0] if lines else '')}"
    return {"text": escaped(head)[:_SHORT_CHARACTERS], "blocks": [_section(said)]}


def mark(post: Post) -> dict[str, Any]:
    """What is put into a message so that it can be found again, unseen by people."""
    payload = {"incident": post.alert["id"], "env": post.alert["env"], "part": post.part}
    return {"event_type": EVENT, "event_payload": payload}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:SECTION_CHARACTERS]}}


def _fenced(text: str) -> str:
    """A block of fixed width, cut at a line where it is too long."""
    room = SECTION_CHARACTERS - len("```\n…\n```")
    said = escaped(text.replace("```", "'''"))
    if len(said) > room:
        said = said[:room].rsplit("\n", 1)[0] + "\n…"
    return f"```\n{said}\n```"


def _links(alert: Alert) -> str:
    """Plain links: nobody has to be able to call us back."""
    page = alert["runbook"]
    said = [f"<{page}|Runbook>" if page.startswith("http") else f"Runbook `{page}`"]
    said += [f"<{url}|{name}>" for name, url in alert["links"].items() if url]
    silence = f"lockstep alert silence {alert['rule']} --for 2h --reason"
    said += [f"Ack `lockstep alert ack {alert['id']}`", f"Silence `{silence} ...`"]
    return "  |  ".join(said)
