"""The same cases through the house: inbox, drain and wholesale on a real PostgreSQL, the relay and the API over HTTP.

After every batch each delivery has an end with a name; after all of them the book is whole.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import quote

import orjson
import requests
from sqlalchemy import text

from channels.registry import LANES
from console.access.types import Role
from ledger import inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, INTERCHANGE_TOPIC, Delivery
from ledger.verify import verify
from tests.builders import a_house, stock_the_house
from tests.console.api_door import Api, an_api
from tests.console.test_api_access import ADDRESSES, BODIES, NAMES, QUERIES
from tests.doors.doorstep import CHANNELS, STATES, Doorstep, a_doorstep, has_a_named_end
from tests.fuzz.cases import Finding, a_clock, case_of, chance, finding
from tests.fuzz.shaping import WORDS, damaged, strange, twisted
from tests.fuzz.targets import TARGETS, an_interchange, examples
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, line, po
from workers.flows.ingest import drain

BATCH: Final = 50
_BODIES: Final = {t.name: t for t in TARGETS if t.name.startswith("webhook-") or t.name == "events"}
#: What is never asked: it would take the token away that asks.
_LEFT_OUT: Final = ("/api/v1/tokens/{name}/revoke", "/api/v1/tokens/{name}/rotate")


@dataclass
class Site:
    """A house with its doors open, one of a partner, and one for operators: each has a database of its own."""

    step: Doorstep
    grocer: Grocer
    api: Api
    wire: requests.Session

    def books(self) -> str:
        """What is wrong with their books, "" when nothing is."""
        found = [
            verify(e)
            for e in (self.step.database.engine, self.grocer.engine, self.api.database.engine)
        ]
        return "; ".join(str(proof.as_json()["first_bad"]) for proof in found if not proof.clean)


@contextmanager
def a_site(lend: Callable[[], Database], folder: Path) -> Iterator[Site]:
    """A house with a channel of every vendor, names for all that the examples speak of, a partner, and an API.

    lend    an empty migrated database
    """
    clock = Clock()
    doors, partner, operators = lend(), lend(), lend()
    with ExitStack() as open_:
        step = open_.enter_context(a_doorstep(doors))
        for kind in CHANNELS:
            step.know(kind, ((each.topic, each.body) for each in examples(kind)))
        stock_the_house(doors.engine)
        api = open_.enter_context(an_api(operators, clock, folder))
        wire = open_.enter_context(requests.Session())
        grocer = a_grocer(partner.engine, clock, folder / "grocer")
        grocer.stock(MUG=100, TEE=100)
        yield Site(step, grocer, api, wire)


def deliveries(site: Site, seed: int, numbers: Sequence[int]) -> Iterator[Finding | None]:
    """Bodies of every kind, written into the inbox and drained in batches; one by one where a batch breaks."""
    for begin in range(0, len(numbers), BATCH):
        batch = numbers[begin : begin + BATCH]
        if _breaks(site, seed, batch) is None:
            yield from [None] * len(batch)
            continue
        for number in batch:
            error = _breaks(site, seed, [number])
            case = _delivery(seed, number).body
            yield None if error is None else finding("deliveries", seed, number, case, error)


def _delivery(seed: int, number: int) -> Delivery:
    random = chance("deliveries", seed, number)
    name = random.choice(sorted(_BODIES))
    case = case_of(_BODIES[name], seed, number)
    if name == "events":
        return Delivery("wms", f"d-{number}", FACT_TOPIC, _one_of(case))
    topic, _, body = case.partition(b"\n")
    kind = name.removeprefix("webhook-")
    return Delivery(CHANNELS[kind], f"d-{number}", topic.decode() or _topic(kind, body), body)


def _one_of(case: bytes) -> bytes:
    """The first of the events, as the relay would keep it; as it is where that cannot be told."""
    try:
        said = orjson.loads(case)
        return orjson.dumps(said[0] if isinstance(said, list) and said else said)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return case


def _topic(kind: str, body: bytes) -> str:
    try:
        return LANES[kind].routing({}, body).topic or "unnamed"
    except Exception:
        return "unnamed"


def _breaks(site: Site, seed: int, batch: Sequence[int]) -> Exception | None:
    database, now = site.step.database, datetime.now(UTC)
    given = [_delivery(seed, number) for number in batch]
    given = [d for d in given if "\0" not in d.topic]
    try:
        with transaction(database.engine) as connection:
            inbox.keep(connection, given, now=now)
        with a_clock(120.0) as within:
            within(lambda: _drained(site, now))
        ends = site.step.became()
        assert len(ends) == len(given), f"{len(given)} were given, {len(ends)} are there"
        for topic, state, why in ends:
            assert state in STATES, f"{topic} is {state}"
            assert state == "applied" or why, f"{topic} is {state} without a reason"
    except Exception as error:
        site.step.became()
        return error
    return None


def _drained(site: Site, now: datetime) -> None:
    drain(a_house(site.step.database.engine), now=now)


def hooks(site: Site, seed: int, numbers: Sequence[int]) -> Iterator[Finding | None]:
    """Bodies rightly signed at the relay's door, with spoilt headers now and then."""
    for number in numbers:
        random = chance("hooks", seed, number)
        kind = random.choice(sorted(CHANNELS))
        case = case_of(_BODIES[f"webhook-{kind}"], seed, number)
        topic, _, body = case.partition(b"\n")
        spoilt = _header(random) if random.random() < 0.2 else {}
        answer = site.step.leave(kind, topic.decode(), body, spoilt)
        said = has_a_named_end(answer)
        yield finding("hooks", seed, number, case, AssertionError(said)) if said else None


def _header(random: Random) -> dict[str, str]:
    name = random.choice(
        (
            "X-Shopify-Topic",
            "X-Shopify-Webhook-Id",
            "X-Pipe-Message-Id",
            "X-Shopify-Triggered-At",
            "traceparent",
        )
    )
    value = "".join(
        c for c in random.choice(WORDS)[:5000] if 0x20 <= ord(c) < 0x100 and ord(c) != 0x7F
    )
    return {name: value.strip()}


def asked(site: Site, seed: int, numbers: Sequence[int]) -> Iterator[Finding | None]:
    """Requests of an admin at the API: bodies, names in the address, queries and places in lists spoilt."""
    for number in numbers:
        random = chance("asked", seed, number)
        changes = random.random() < 0.6
        path = random.choice([p for p in BODIES if p not in _LEFT_OUT] if changes else _reads(site))
        body = twisted(random, copy.deepcopy(BODIES[path])) if changes else b""
        address = f"{site.api.url}{_address(random, path)}"
        answer = site.wire.request(
            "POST" if changes else "GET",
            address,
            data=body,
            params=None if changes else _query(random, path),
            headers={
                "Authorization": f"Bearer {site.api.tokens[Role.ADMIN]}",
                "Content-Type": "application/json",
            },
            timeout=30,
            allow_redirects=False,
        )
        wrong = (
            f"{answer.status_code} for {address}: {answer.text[:300]}"
            if answer.status_code >= 500
            else ""
        )
        yield finding("asked", seed, number, body, AssertionError(wrong)) if wrong else None


def _reads(site: Site) -> list[str]:
    return [
        path
        for path, said in site.api.schema["paths"].items()
        if "get" in said and path.startswith("/api/")
    ]


def _address(random: Random, path: str) -> str:
    address = ADDRESSES.get(path, path)
    for name, value in NAMES.items():
        word = (
            random.choice(WORDS).encode("utf-8", "replace").decode()
            if random.random() < 0.4
            else value
        )
        address = address.replace(name, quote(word[:2000], safe="") or "x")
    return address


def _query(random: Random, path: str) -> dict[str, Any]:
    said: dict[str, Any] = dict(QUERIES.get(path, {}))
    for name in random.sample(
        ("limit", "after", "channel", "sku", "state", "since", "q", "order", "at"), 2
    ):
        said[name] = str(strange(random)).encode("utf-8", "replace")[:3000]
    if said and random.random() < 0.3:
        del said[random.choice(sorted(said))]
    return said


def interchanges(site: Site, seed: int, numbers: Sequence[int]) -> Iterator[Finding | None]:
    """X12 of a partner of ours, spoilt, through its folder's door: worked, answered or parked, never in the way."""
    good = _a_good_one(site.grocer)
    for begin in range(0, len(numbers), BATCH):
        batch = numbers[begin : begin + BATCH]
        cases = {number: _interchange(good, seed, number) for number in batch}
        if _stops(site.grocer, cases.values()) is None:
            yield from [None] * len(batch)
            continue
        for number, case in cases.items():
            error = _stops(site.grocer, [case])
            yield None if error is None else finding("interchanges", seed, number, case, error)


def _a_good_one(grocer: Grocer) -> bytes:
    data = grocer.send(po(line(1, 4)))
    for file in (grocer.path / "inbound").iterdir():
        file.unlink()
    return data


def _interchange(good: bytes, seed: int, number: int) -> bytes:
    random = chance("interchanges", seed, number)
    return damaged(random, good) if random.random() < 0.8 else an_interchange(random)


def _stops(grocer: Grocer, cases: Any) -> Exception | None:
    given = [
        Delivery("grocer", f"x-{number}-{hash(case)}", INTERCHANGE_TOPIC, case)
        for number, case in enumerate(cases)
    ]
    try:
        with transaction(grocer.engine) as connection:
            inbox.keep(connection, given, now=grocer.clock.now)
        with a_clock(120.0) as within:
            within(lambda: _worked(grocer))
        with transaction(grocer.engine) as connection:
            left = connection.execute(
                text(
                    "SELECT count(*) FROM inbox"
                    " WHERE source = 'grocer' AND state NOT IN ('applied', 'parked', 'rejected')"
                )
            ).scalar_one()
        assert left == 0, f"{left} have no end"
    except Exception as error:
        return error
    return None


def _worked(grocer: Grocer) -> None:
    while grocer.work():
        pass


FLOWS: Final[
    dict[str, tuple[Callable[[Site, int, Sequence[int]], Iterator[Finding | None]], int]]
] = {
    "deliveries": (deliveries, 20),
    "hooks": (hooks, 4),
    "asked": (asked, 4),
    "interchanges": (interchanges, 6),
}
