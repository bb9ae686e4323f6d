"""A server that answers what the test tells it to and remembers what came over the wire."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `cut_after` closes the connection after so many bytes of the body, -1 before any byte at all.

    drip_s    seconds between two bytes of the body
    """

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_after: int | None = None
    drip_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One call as it came in; header names lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Stub:
    """Answers in turn; the last answer repeats."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard: list[Heard] = []
        #: How often a client connected.
        self.connections = 0
        self._answers: list[Answer] = [Answer()]

    def says(self, *answers: Answer | Mapping[str, object]) -> None:
        """What to answer from now on; a mapping is a JSON body."""
        self._answers = [
            answer if isinstance(answer, Answer) else Answer(json.dumps(answer).encode())
            for answer in answers
        ]

    def next(self) -> Answer:
        """The next answer."""
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: Stub
    leaving: threading.Event

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.stub.heard.append(Heard(self.command, self.path, headers, body))
        answer = self.stub.next()
        self.leaving.wait(answer.delay_s)
        if answer.cut_after == -1:
            self._hang_up()
            return
        # Without a Date of its own: what an answer says of its time is the test's.
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.drip_s:
            self._drip(answer)
        else:
            self.wfile.write(answer.body[: answer.cut_after])
        if answer.cut_after is not None:
            self._hang_up()

    def do_GET(self) -> None:
        self.do_POST()

    def do_PUT(self) -> None:
        self.do_POST()

    def _drip(self, answer: Answer) -> None:
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            self.leaving.wait(answer.drip_s)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def handle(self) -> None:
        self.stub.connections += 1
        # A client that gives up on a slow answer hangs up on us; that is what its test is about.
        with suppress(BrokenPipeError, ConnectionResetError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def a_stub() -> Iterator[Stub]:
    """A stub on a free port of this machine."""
    leaving = threading.Event()
    handler = type("Handler", (_Handler,), {"leaving": leaving})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stub = Stub(f"http://127.0.0.1:{server.server_address[1]}")
    handler.stub = stub  # type: ignore[attr-defined]  # set before the first request
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stub
    finally:
        leaving.set()
        server.shutdown()
        thread.join()
        server.server_close()
