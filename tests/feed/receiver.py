"""An address outside, played: it checks signatures as Standard Webhooks says, written from the specification alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What came, and what is answered.

    answers    statuses of the next calls, then 204
    came       (webhook-id, document) of calls whose signature was right
    refused    calls whose signature was not
    """

    secret: str = ""
    url: str = ""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    came: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def take(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        """A call; a wrong signature is answered by 401."""
        id_, seconds = headers["webhook-id"], headers["webhook-timestamp"]
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        mac = hmac.new(key, f"{id_}.{seconds}.".encode() + body, hashlib.sha256).digest()
        given = [part.partition(",") for part in headers["webhook-signature"].split(" ")]
        expected = base64.b64encode(mac).decode()
        if not any(version == "v1" and sign == expected for version, _, sign in given):
            self.refused.append(id_)
            return 401, {}
        self.came.append((id_, json.loads(body)))
        return self.answers.pop(0) if self.answers else (204, {})

    @property
    def kinds(self) -> list[str]:
        """The kinds of what came, in order."""
        return [document["type"] for _, document in self.came]


@contextmanager
def listening() -> Iterator[Receiver]:
    """A receiver behind HTTP."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said = {name.lower(): value for name, value in self.headers.items()}
            status, headers = receiver.take(said, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks?shop=1"
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
