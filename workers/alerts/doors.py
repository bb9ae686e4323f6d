"""The doors: where incidents are told. Each takes a post and says what became of it; none raises, none waits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

from channels import base
from channels.http import Http
from ledger.db import refuse_inside_transaction
from workers.alerts import pagerduty_event, signed
from workers.alerts.slack import Slack
from workers.alerts.types import (
    Alert,
    Answer,
    Declined,
    Failed,
    Kind,
    Later,
    Post,
    Shut,
    Told,
)
from workers.settings import Settings

_READ_S: Final = 10.0


class Door(Protocol):
    """A way to tell people.

    pace_s    least seconds between two calls
    secret    its settings, as one text: whoever changes them wants a door that was shut to be tried again
    """

    name: str
    pace_s: float
    secret: str

    def tell(self, post: Post, now: datetime) -> Answer:
        """Bring what the door shows of an incident to what it should show; refuses to wait inside a transaction."""


class PagerDuty:
    """The door `pagerduty`: only what somebody must get up for. Its `dedup_key` makes a second try harmless."""

    name = "pagerduty"
    pace_s = 0.0

    def __init__(self, key: str, base_url: str) -> None:
        self._key = key
        self._http = Http(base_url, headers={}, secrets=(key,), read_s=_READ_S)
        self.secret = "\n".join((key, base_url))

    def tell(self, post: Post, now: datetime) -> Answer:
        """Trigger, acknowledge or resolve."""
        refuse_inside_transaction(f"alert {post.alert['id']} to PagerDuty")
        document = pagerduty_event.event(post.alert, self._key, now, told=post.told > 0)
        try:
            self._http.post_json("/v2/enqueue", document)
        except base.Refused as error:
            if "routing" in str(error).lower():
                return Shut(f"{error}; put an Events API v2 key into LOCKSTEP_ALERT_PAGERDUTY_KEY")
            return Declined(str(error))
        except base.ChannelError as error:
            return _meant(error, "LOCKSTEP_ALERT_PAGERDUTY_KEY")
        return Told(post.alert["dedup_key"])


class Webhook:
    """The door `webhook`: the alert as JSON, signed, to an address of the operator's."""

    name = "webhook"
    pace_s = 0.0

    def __init__(self, url: str, secret: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._http = Http(
            f"{parts.scheme}://{parts.netloc}", headers={}, secrets=(secret,), read_s=_READ_S
        )
        self._key = secret
        self.secret = "\n".join((url, secret))

    def tell(self, post: Post, now: datetime) -> Answer:
        """Post the alert as it stands."""
        refuse_inside_transaction(f"alert {post.alert['id']} to the webhook")
        body, headers = signed.call(post, self._key, now)
        try:
            self._http.call("POST", self._path, body=body, headers=headers)
        except base.Refused as error:
            if error.code in ("404", "410"):
                return Shut(f"{error}; mend LOCKSTEP_ALERT_WEBHOOK_URL")
            return Declined(str(error))
        except base.ChannelError as error:
            return _meant(error, "LOCKSTEP_ALERT_WEBHOOK_SECRET")
        return Told(headers["X-Lockstep-Delivery"])


def _meant(error: base.ChannelError, setting: str) -> Answer:
    match error:
        case base.Throttled():
            return Later(max(error.retry_after_s, 1.0))
        case base.Unauthorised():
            return Shut(f"{error}; mend {setting}")
        case _:
            return Failed(str(error), doubtful=True)


def doors_of(settings: Settings) -> list[Door]:
    """The doors that are set up."""
    found: list[Door] = []
    token = settings.alert_slack_token.get_secret_value()
    if token and settings.alert_slack_channel:
        found.append(Slack(token, settings.alert_slack_channel, settings.alert_slack_url))
    key = settings.alert_pagerduty_key.get_secret_value()
    if key:
        found.append(PagerDuty(key, settings.alert_pagerduty_url))
    if settings.alert_webhook_url:
        secret = settings.alert_webhook_secret.get_secret_value()
        found.append(Webhook(settings.alert_webhook_url, secret))
    return found


def wants(door: str, alert: Alert) -> bool:
    """Whether a door is told of it: PagerDuty only of pages."""
    return door != PagerDuty.name or alert["kind"] == Kind.PAGE.value


def digest(door: Door) -> str:
    """Tells two settings of a door apart without telling them."""
    return hashlib.sha256(door.secret.encode()).hexdigest()[:16]


def names(doors: Sequence[Door]) -> list[str]:
    """Their names."""
    return [door.name for door in doors]
