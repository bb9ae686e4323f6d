"""The way between our clients and the simulated vendors, without a network; calls are lost or late by dice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from random import Random
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.models import PreparedRequest
from starlette.applications import Starlette
from urllib3 import HTTPHeaderDict, HTTPResponse

from channels.simulators.clock import Clock
from console.chaos.stage import Stage
from console.chaos.types import Weather

#: What a call takes when nothing is wrong, and how long a client waits at most.
_WAY_S: Final = (0.02, 0.3)
_GIVES_UP_S: Final = 33.0
_LATE_S: Final = (0.5, 20.0)

#: What a call that sets numbers says, or is addressed to.
_WRITES: Final = (b"inventorySetQuantities",)
_WRITES_TO: Final = ("/inventory/changes/batch-create",)

#: Where a call takes no turn: whoever asks holds a lock of the process, for which the others would wait standing.
_AT_ONCE: Final = ("/auth/o2/token",)

Place = tuple[str, str]

Later = Callable[[float, str, Callable[[], object]], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """Who sees what our calls change at a vendor.

    levels     what the vendor shows, by SKU and location
    compares   whether the vendor is set by compare-and-set, so that no older call may win
    halted     SKUs whose halt stands confirmed at this moment
    overtaken  is told when a call changes what a younger one has changed before
    sold       is told when a call puts a SKU on sale that was halted when it was sent
    asks       a call -> units it asks to be shown, where the vendor shows them some time later only
    doubled    is told the moment at which a call arrives twice: the vendor counts two
    """

    levels: Callable[[], Mapping[Place, int]]
    compares: bool
    halted: Callable[[], frozenset[str]]
    overtaken: Callable[[str], object]
    sold: Callable[[str], object]
    asks: Callable[[PreparedRequest], Mapping[Place, int]] = lambda _: {}
    doubled: Callable[[datetime], object] = lambda _: None


@dataclass(frozen=True, slots=True)
class Sent:
    """A call on its way: when it was sent, whether it sets numbers, and what was halted then."""

    request: PreparedRequest
    at: datetime
    writes: bool
    halted: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an app answered; `whole` is False when it broke off or never began."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool


def ask(app: Starlette, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Hand one request to an ASGI app in this thread. The app must not wait for anything."""
    parts = urlsplit(url)
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": parts.scheme,
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(n.lower().encode(), v.encode("latin-1")) for n, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": (parts.hostname or "", parts.port or 80),
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    running = app(scope, receive, send)
    try:
        running.__await__().send(None) if not hasattr(running, "send") else running.send(None)
    except StopIteration:
        pass
    else:
        raise RuntimeError(f"{method} {url}: the simulator waits for something")
    return _answer(sent)


def _answer(sent: list[MutableMapping[str, Any]]) -> Answer:
    if not sent:
        return Answer(0, (), b"", whole=False)
    headers = tuple((n.decode(), v.decode("latin-1")) for n, v in sent[0]["headers"])
    body = b"".join(message.get("body", b"") for message in sent[1:])
    whole = len(sent) > 1 and not sent[-1].get("more_body", False)
    return Answer(int(sent[0]["status"]), headers, body, whole)


class Wire(HTTPAdapter):
    """What answers for one vendor's address.

    dice       of the schedule;  weather  what it may do to a call; calm once the storm is over
    later      (seconds, name, deed) -> the deed is done that much later
    watch      sees what calls change
    """

    def __init__(
        self,
        name: str,
        app: Starlette,
        stage: Stage,
        clock: Clock,
        dice: Random,
        later: Later,
        weather: Callable[[], Weather],
        watch: Watch,
    ) -> None:
        super().__init__()
        self._name, self._app, self._stage, self._clock = name, app, stage, clock
        self._dice, self._later, self._weather = dice, later, weather
        self._watch = watch
        self._changed: dict[Place, datetime] = {}

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """One call. Raises what `requests` raises when a connection breaks or nobody answers in time."""
        self._stage.refuse_inside_transaction()
        if urlsplit(request.url or "").path in _AT_ONCE:
            return self._at_once(request)
        self._stage.hand_over(f"calls {self._name}")
        self._stage.point("before a call")
        weather, dice, sent = self._weather(), self._dice, self._sent(request)
        if dice.random() < weather.call_lost:
            self._pass(dice.choice((0.05, _GIVES_UP_S)))
            raise requests.ConnectionError("the call never arrived", request=request)
        if dice.random() < weather.call_late:
            after_s = dice.uniform(*_LATE_S)
            self._later(after_s, f"late call to {self._name}", lambda: self._ask(sent))
            self._pass(_GIVES_UP_S if after_s < 1 else dice.choice((0.1, _GIVES_UP_S)))
            raise requests.ReadTimeout("no answer in time", request=request)
        if dice.random() < weather.call_slow:
            self._pass(dice.uniform(1.0, 25.0))
        else:
            self._pass(dice.uniform(*_WAY_S))
        answer = self._ask(sent)
        if dice.random() < weather.call_twice:
            self._watch.doubled(self._clock.now())
            self._ask(sent)
        self._pass(dice.uniform(*_WAY_S))
        self._stage.point("after a call")
        if not answer.whole or dice.random() < weather.answer_lost:
            raise requests.ConnectionError("the connection broke", request=request)
        return self.build_response(request, self._urllib3(answer))

    def _at_once(self, request: PreparedRequest) -> requests.Response:
        if self._dice.random() < self._weather().call_lost:
            raise requests.ConnectionError("the call never arrived", request=request)
        return self.build_response(request, self._urllib3(self._ask(self._sent(request))))

    def _pass(self, seconds: float) -> None:
        self._stage.hand_over(
            f"waits for {self._name}", until=self._clock.now() + timedelta(seconds=seconds)
        )

    def _sent(self, request: PreparedRequest) -> Sent:
        path = urlsplit(request.url or "").path
        writes = any(said in _body(request) for said in _WRITES) or path.endswith(_WRITES_TO)
        asked = self._watch.asks(request)
        halted = self._watch.halted() if writes or asked else frozenset()
        for place, units in asked.items():
            if place[0] in halted and units > 0:
                said = f"{self._name} {' '.join(place)}: a call asks for {units}"
                self._watch.sold(f"{said}, when its halt was confirmed")
        return Sent(request, self._clock.now(), writes, halted)

    def _ask(self, sent: Sent) -> Answer:
        request = sent.request
        before = dict(self._watch.levels()) if sent.writes else {}
        answer = ask(
            self._app,
            request.method or "GET",
            request.url or "",
            dict(request.headers),
            _body(request),
        )
        if before:
            for place, units in self._watch.levels().items():
                if units != before.get(place):
                    self._note(sent, place, before.get(place, 0), units)
        return answer

    def _note(self, sent: Sent, place: Place, before: int, units: int) -> None:
        said = f"{self._name} {' '.join(place)}: {before} became {units} by a call of {sent.at:%H:%M:%S.%f}"
        if place[0] in sent.halted and units > max(0, before):
            self._watch.sold(f"{said}, when its halt was confirmed")
        if not self._watch.compares:
            return
        younger = self._changed.get(place)
        if younger is not None and younger > sent.at:
            self._watch.overtaken(f"{said}, after one of {younger:%H:%M:%S.%f}")
        self._changed[place] = max(sent.at, younger or sent.at)

    def _urllib3(self, answer: Answer) -> HTTPResponse:
        headers = HTTPHeaderDict(answer.headers)
        if "date" not in headers:
            headers["date"] = format_datetime(self._clock.now(), usegmt=True)
        return HTTPResponse(
            BytesIO(answer.body), headers=headers, status=answer.status, preload_content=False
        )


def _body(request: PreparedRequest) -> bytes:
    body = request.body or b""
    raw = body.encode() if isinstance(body, str) else body
    assert isinstance(raw, bytes)
    return raw
