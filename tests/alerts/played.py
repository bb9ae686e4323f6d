"""Slack and PagerDuty as their documents describe them, on a port of this machine: what they take, keep and refuse.

source    docs.slack.dev (chat.postMessage, chat.update, conversations.history and .replies, rate limits) and
          PagerDuty/api-schema, reference/events-v2; imports nothing of ours
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import parse_qsl

TOKEN, CHANNEL, KEY = "xoxb-good", "C0ALERTS", "k" * 32

Reply = tuple[int, dict[str, str], Any]


@dataclass
class Played:
    """What both have in common.

    trouble    what becomes of the next calls, in order: "429", "500", "lost" (taken, and the answer never comes),
               "refused" (the connection ends before anything is taken)
    calls      method or path of every call that was answered or taken
    """

    url: str = ""
    trouble: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    retry_after_s: int = 7

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        raise NotImplementedError


@dataclass
class Slack(Played):
    """One workspace with one channel; a message is what it says now, its edits and its thread."""

    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    token: str = TOKEN
    scopes: set[str] = field(default_factory=lambda: {"chat:write", "channels:history"})
    member: bool = True

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        method = path.removeprefix("/api/")
        said = _read(headers.get("content-type", ""), body)
        if headers.get("authorization") != f"Bearer {self.token}":
            return 200, {}, {"ok": False, "error": "invalid_auth"}
        if self.trouble and self.trouble[0] == "429":
            self.trouble.pop(0)
            return (
                429,
                {"Retry-After": str(self.retry_after_s)},
                {"ok": False, "error": "ratelimited"},
            )
        if said.get("channel") != CHANNEL:
            return 200, {}, {"ok": False, "error": "channel_not_found"}
        if not self.member:
            return 200, {}, {"ok": False, "error": "not_in_channel"}
        does: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._history,
        }
        self.calls.append(method)
        return 200, {}, does[method](said)

    def _post(self, said: dict[str, Any]) -> dict[str, Any]:
        problem = _too_much(said)
        if problem:
            return {"ok": False, "error": problem}
        ts = f"{1_700_000_000 + len(self.messages)}.000100"
        thread = said.get("thread_ts")
        if thread and thread not in self.messages:
            return {"ok": False, "error": "thread_not_found"}
        self.messages[ts] = {**said, "ts": ts, "edits": 0}
        return {"ok": True, "channel": CHANNEL, "ts": ts, "message": {"text": said["text"]}}

    def _update(self, said: dict[str, Any]) -> dict[str, Any]:
        message = self.messages.get(said["ts"])
        if message is None:
            return {"ok": False, "error": "message_not_found"}
        problem = _too_much(said)
        if problem:
            return {"ok": False, "error": problem}
        message |= {**said, "edits": message["edits"] + 1}
        return {"ok": True, "channel": CHANNEL, "ts": said["ts"], "text": said["text"]}

    def _history(self, said: dict[str, Any]) -> dict[str, Any]:
        if "channels:history" not in self.scopes:
            return {"ok": False, "error": "missing_scope", "needed": "channels:history"}
        root = said.get("ts")
        found = [
            {"ts": each["ts"], "text": each["text"], "metadata": each.get("metadata")}
            for each in self.messages.values()
            if (root in (each["ts"], each.get("thread_ts")) if root else "thread_ts" not in each)
        ]
        return {"ok": True, "messages": found, "has_more": False}

    @property
    def roots(self) -> list[dict[str, Any]]:
        """Messages that are no answers."""
        return [each for each in self.messages.values() if "thread_ts" not in each]

    def thread(self, ts: str) -> list[dict[str, Any]]:
        """Answers to a message."""
        return [each for each in self.messages.values() if each.get("thread_ts") == ts]


def text_of(message: dict[str, Any]) -> str:
    """All that a person reads in a message."""
    said = []
    for block in message["blocks"]:
        said += [block["text"]["text"]] if "text" in block else []
        said += [each["text"] for each in block.get("elements", ())]
    return "\n".join(said)


def _too_much(said: dict[str, Any]) -> str:
    blocks = said.get("blocks", [])
    if len(blocks) > 50 or any(
        len(block["text"]["text"]) > 3000 for block in blocks if "text" in block
    ):
        return "invalid_blocks"
    return "msg_blocks_too_long" if len(json.dumps(blocks)) > 13_200 else ""


@dataclass
class PagerDuty(Played):
    """One service; an incident by its key, with every event that came to it."""

    incidents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if path != "/v2/enqueue":
            return 404, {}, {}
        event = json.loads(body)
        if event.get("routing_key") != KEY:
            problem = "Length of 'routing_key' is incorrect (should be 32 characters)"
            return 400, {}, {"status": "invalid event", "errors": [problem]}
        if self.trouble and self.trouble[0] == "429":
            self.trouble.pop(0)
            return 429, {"Retry-After": str(self.retry_after_s)}, {}
        payload = event.get("payload", {})
        if event["event_action"] == "trigger" and (
            payload.get("severity") not in ("critical", "error", "warning", "info")
            or not payload.get("summary")
            or len(payload["summary"]) > 1024
            or not payload.get("source")
        ):
            return 400, {}, {"status": "invalid event", "errors": ["payload is invalid"]}
        self.calls.append(event["event_action"])
        self.incidents.setdefault(event["dedup_key"], []).append(event)
        said = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        return 202, {}, said

    def state(self, key: str) -> str:
        """triggered, acknowledged or resolved, as the last event left it."""
        return str(self.incidents[key][-1]["event_action"])


@dataclass
class Listener(Played):
    """An address of the operator's own: takes what is posted to it."""

    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        self.heard.append((headers, body))
        return 204, {}, None


def _read(kind: str, body: bytes) -> dict[str, Any]:
    if kind.startswith("application/json"):
        read: dict[str, Any] = json.loads(body)
        return read
    return dict(parse_qsl(body.decode()))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    played: Played

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        next_ = self.played.trouble[0] if self.played.trouble else ""
        if next_ in ("500", "refused", "lost"):
            self.played.trouble.pop(0)
        if next_ == "500":
            self._say(500, {}, b"{}")
            return
        if next_ == "refused":
            self._hang_up()
            return
        status, more, said = self.played.answer(self.path, headers, body)
        if next_ == "lost":
            self._hang_up()
            return
        self._say(status, more, b"" if said is None else json.dumps(said).encode())

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def served(played: Played) -> Iterator[None]:
    """Listen on a free port until the block ends."""
    handler = type("Handler", (_Handler,), {"played": played})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    played.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
