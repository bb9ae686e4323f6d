"""Slack: an incident is one message and its thread; it is posted once and edited after that.

Slack takes the same message twice as two. So a post whose answer was lost is looked for before it is posted again, by
the metadata that it carries; that wants the scope `channels:history` (or `groups:history`).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from channels.reach import why_not_here
from ledger.db import refuse_inside_transaction
from workers.alerts import slack_message
from workers.alerts.types import Answer, Declined, Failed, Later, Lost, Post, Shut, Told

#: docs.slack.dev, apis/web-api/rate-limits: one message a second and channel, chat.update 50 a minute.
PACE_S: Final = 1.25
_TIMEOUT_S: Final = 10
_DEFAULT_RETRY_S: Final = 30.0
#: How far the machines' clocks may differ.
_SLACK_CLOCK_S: Final = 120
_TO_DO: Final = {
    "invalid_auth": "put a valid bot token into LOCKSTEP_ALERT_SLACK_TOKEN",
    "not_authed": "put a bot token into LOCKSTEP_ALERT_SLACK_TOKEN",
    "account_inactive": "the bot was removed: install the app again, renew LOCKSTEP_ALERT_SLACK_TOKEN",
    "token_revoked": "renew LOCKSTEP_ALERT_SLACK_TOKEN",
    "token_expired": "renew LOCKSTEP_ALERT_SLACK_TOKEN",
    "missing_scope": "give the app the scope chat:write and install it again",
    "channel_not_found": "put the id of the channel (C...) into LOCKSTEP_ALERT_SLACK_CHANNEL and invite the bot",
    "not_in_channel": "invite the bot to the channel: /invite @...",
    "is_archived": "unarchive the channel, or name another in LOCKSTEP_ALERT_SLACK_CHANNEL",
    "restricted_action": "a workspace preference keeps the bot from posting: ask its administrator",
    "team_access_not_granted": "the app may not use this workspace: ask its administrator",
}
_GONE: Final = {"message_not_found", "cant_update_message", "edit_window_closed"}
_TRANSIENT: Final = {"fatal_error", "internal_error", "service_unavailable", "request_timeout"}


class Slack:
    """The door `slack`.

    token      of a bot with `chat:write`;  channel  id of the channel, where the bot is a member
    base_url   of the Web API
    """

    name = "slack"
    pace_s = PACE_S

    def __init__(self, token: str, channel: str, base_url: str) -> None:
        # Its own retries would post twice what was taken and not answered.
        self._client = WebClient(token, base_url=base_url, timeout=_TIMEOUT_S, retry_handlers=[])
        self._channel = channel
        self._at = urlsplit(base_url)
        self.secret = "\n".join((token, channel, base_url))

    def tell(self, post: Post, now: datetime) -> Answer:
        """Post, or edit what was posted."""
        refuse_inside_transaction(f"alert {post.alert['id']} to Slack")
        if why := why_not_here(self._at.hostname or "", self._at.port or 443):
            return Failed(f"Slack is not called: {why}")
        return self._told(post, now)

    def _told(self, post: Post, now: datetime) -> Answer:
        try:
            if post.place:
                return self._edit(post, now)
            if post.doubtful_since is not None:
                found = self._found(post)
                if found:
                    return self._edit(post, now, found) if post.part == "root" else Told(found)
            return self._post(post, now)
        except SlackApiError as error:
            return _meant(error)
        except SlackClientError as error:
            return Failed(f"Slack: {error}")
        except URLError as error:
            unsent = isinstance(error.reason, ConnectionRefusedError | socket.gaierror)
            return Failed(f"Slack does not answer: {error.reason}", doubtful=not unsent)
        except (OSError, ValueError) as error:
            return Failed(f"Slack's answer was lost: {type(error).__name__}", doubtful=True)

    def _post(self, post: Post, now: datetime) -> Answer:
        more: dict[str, Any] = {"thread_ts": _ts(post.root)} if post.part != "root" else {}
        answer = self._client.chat_postMessage(
            channel=self._channel,
            metadata=slack_message.mark(post),
            unfurl_links=False,
            unfurl_media=False,
            **_content(post, now),
            **more,
        )
        return Told(f"{answer['channel']}:{answer['ts']}")

    def _edit(self, post: Post, now: datetime, place: str = "") -> Answer:
        channel, _, ts = (place or post.place).partition(":")
        # Without it an edit would take away what the message can be found by.
        mark = slack_message.mark(post)
        self._client.chat_update(channel=channel, ts=ts, metadata=mark, **_content(post, now))
        return Told(f"{channel}:{ts}")

    def _found(self, post: Post) -> str:
        """Where a post of unknown fate is, "" when it is not there or must not be looked for."""
        assert post.doubtful_since is not None
        since = f"{post.doubtful_since.timestamp() - _SLACK_CLOCK_S:.6f}"
        channel = post.root.partition(":")[0] or self._channel
        query: dict[str, Any] = {"channel": channel, "oldest": since, "limit": 200}
        try:
            if post.part == "root":
                said = self._client.conversations_history(**query, include_all_metadata=True)
            else:
                said = self._client.conversations_replies(
                    **query, ts=_ts(post.root), include_all_metadata=True
                )
        except SlackApiError as error:
            if error.response.get("error") in ("missing_scope", "not_in_channel"):
                return ""
            raise
        wanted = slack_message.mark(post)
        for message in said.get("messages") or ():
            if message.get("metadata") == wanted:
                return f"{channel}:{message['ts']}"
        return ""


def _content(post: Post, now: datetime) -> dict[str, Any]:
    if post.part == "root":
        return slack_message.root(post.alert, now)
    return slack_message.reply(post.alert, post.part, now)


def _ts(place: str) -> str:
    return place.partition(":")[2]


def _meant(error: SlackApiError) -> Answer:
    """What an answer that is no yes asks for."""
    said = str(error.response.get("error", ""))[:200]
    status = error.response.status_code
    if status == 429 or said in ("ratelimited", "rate_limited"):
        return Later(_seconds(error.response.headers))
    if said in _TO_DO:
        return Shut(f"Slack says {said}: {_TO_DO[said]}")
    if said in _GONE:
        return Lost()
    if status >= 500 or said in _TRANSIENT:
        return Failed(f"Slack answered {status} {said}", doubtful=True)
    return Declined(f"Slack says {said}")


def _seconds(headers: Mapping[str, Any]) -> float:
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        return min(max(float(str(said)), PACE_S), 3600.0)
    except ValueError:
        return _DEFAULT_RETRY_S
