"""GET /availability/{sku}?location=: units of a SKU that stores may promise for pick-up now.

An answer says as of which moment it is true (`as_of`, the database's clock), how long ago that was at most
(`age_s`), and from which versions of the rules and of the ledger it was computed. It is never older than
`max_age_s`. Redis saves the database most of the work and is never needed: without it, or after it lost everything,
what this process itself computed a moment ago is said, and put back; where there is nothing young, the database is
asked. Without the database, answers end when the last entry is too old.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from urllib.parse import parse_qsl

import orjson
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from allocation import pickup_store
from allocation.pickup import Counted, Number
from allocation.types import Rules
from console.availability_body import place
from console.availability_cache import Cache, DatabaseClock, Entry, Key
from console.batches import Batches
from console.held import Held
from workers.settings import Settings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

log = structlog.get_logger()

_PREFIX: Final = "/availability/"
PATH: Final = f"{_PREFIX}{{sku:path}}"
#: Longest name of a SKU or location in the ledger.
MOST_NAME: Final = 128

#: An answer that takes the database longer is none.
_ANSWER_S: Final = 2.0
#: Numbers of one look into the database, and how long those that age are gathered for one.
_MOST_LOOKED: Final = 200
_GATHER_S: Final = 0.02
#: How often counts are looked through for what is lost a day, and how far back.
_COUNT_S: Final = 600.0
_COUNTS_OF: Final = timedelta(days=730)
_US: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Refusal(Exception):
    """The answer to a question that cannot be answered."""

    def __init__(self, status: int, words: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(words)
        self.status = status
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no number; `words` say why."""

    words: str


Looked: TypeAlias = Entry | Missing
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What all numbers have in common; read again when the rules change, and now and then for the counts.

    version    of the rules; -1 before anything was read
    read       monotonic seconds
    """

    version: int = -1
    rules: Rules = field(default_factory=Rules)
    counted: Mapping[str, Counted] = field(default_factory=dict)
    read: float = float("-inf")

    @property
    def places(self) -> tuple[str, ...]:
        return pickup_store.picked_up_at(self.rules)


class Availability:
    """The route, as an ASGI application that says no more than it must: it is asked a thousand times a second."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._most_us = int(settings.availability_age_s * _US)
        self._token = settings.availability_token.get_secret_value().encode()
        self._max_age_s = settings.availability_age_s
        self._database = Held(engine)
        self._clock = DatabaseClock()
        self._cache: Cache | None = None
        if settings.redis_url and self._most_us:
            prefix = f"lockstep:{settings.env}"
            self._cache = Cache(
                settings.redis_url, prefix=prefix, most_us=self._most_us, clock=self._clock
            )
            self._kept = Batches(self._cache.read, at_once=1, most=100)
        self._looks = Batches(self._look_up, at_once=2, most=_MOST_LOOKED)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="availability")
        self._standing = _Standing()
        self._counting = False
        self._aging: set[Key] = set()
        self._renewing = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Give back what was opened."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._database.close()
        if self._cache is not None:
            await self._cache.close()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """200 with a number; 400, 401, 404 with what is wrong; 503 while the database is away."""
        status, more = 200, cast("Headers", ())
        try:
            self._admit(scope)
            body = await self._answer(_key(scope))
        except Refusal as refusal:
            status, more = refusal.status, refusal.headers
            body = orjson.dumps({"error": str(refusal)})
        await _say(send, status, body, more)

    def _admit(self, scope: Scope) -> None:
        if not self._token:
            raise Refusal(404, "this door is closed: set LOCKSTEP_AVAILABILITY_TOKEN to open it")
        given = next((said for name, said in scope["headers"] if name == b"authorization"), b"")
        if not hmac.compare_digest(given, b"Bearer " + self._token):
            raise Refusal(
                401,
                "send `Authorization: Bearer <LOCKSTEP_AVAILABILITY_TOKEN>`",
                (b"www-authenticate", b"Bearer"),
            )

    async def _answer(self, key: Key) -> bytes:
        if self._cache is not None:
            entry = await self._kept.get(key) or self._put_back(self._cache, key)
            told = self._while_young(key, entry)
            if told is not None:
                return told
        looked = await self._looked(key)
        if isinstance(looked, Missing):
            raise Refusal(404, looked.words)
        age_us = self._clock.age_us(looked.at_us)
        if age_us is None:
            raise Refusal(503, "the database's clock was set; ask again", (b"retry-after", b"1"))
        return self._told(looked, age_us)

    def _put_back(self, cache: Cache, key: Key) -> Entry | None:
        """What this process remembers of a number that Redis does not have, and may have lost."""
        entry = cache.remembered(key)
        if entry is not None:
            self._keep_task(cache.keep({key: entry}))
        return entry

    def _while_young(self, key: Key, entry: Entry | None) -> bytes | None:
        age_us = None if entry is None else self._clock.age_us(entry.at_us)
        if entry is None or age_us is None or age_us > self._most_us:
            return None
        if age_us > self._most_us // 2:
            self._renew(key)
        return self._told(entry, age_us)

    def _told(self, entry: Entry, age_us: int) -> bytes:
        # Rounded up: an age is never said to be less than it is.
        age_s = -(-age_us // 1000) / 1000
        return b'%b,"age_s":%.3f,"max_age_s":%g}' % (entry.body[:-1], age_s, self._max_age_s)

    def _renew(self, key: Key) -> None:
        """Have a number computed anew before it is too old, so that nobody waits for the database."""
        self._aging.add(key)
        if not self._renewing:
            self._renewing = True
            self._keep_task(self._renew_all())

    async def _renew_all(self) -> None:
        try:
            while self._aging:
                await asyncio.sleep(_GATHER_S)
                keys = list(self._aging)[:_MOST_LOOKED]
                await self._look_up(keys)
                self._aging.difference_update(keys)
        except SQLAlchemyError as error:
            # Who asks once they are too old is told.
            self._aging.clear()
            log.warning("availability.database.away", error=type(error).__name__)
        finally:
            self._renewing = False

    def _keep_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _looked(self, key: Key) -> Looked:
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await self._looks.get(key)
        except (SQLAlchemyError, TimeoutError) as error:
            log.error("availability.database.away", error=type(error).__name__)
            raise Refusal(
                503, "the ledger cannot be reached now; ask again", (b"retry-after", b"1")
            ) from None

    async def _look_up(self, keys: Sequence[Key]) -> Mapping[Key, Looked]:
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._look, keys)
        entries = {key: entry for key, entry in found.items() if isinstance(entry, Entry)}
        if self._cache is not None and entries:
            self._keep_task(self._cache.keep(entries))
        return found

    # ---- in a thread ----

    def _look(self, keys: Sequence[Key]) -> dict[Key, Looked]:
        seen, standing = self._database.read(partial(self._seen, keys))
        self._count_again(standing)
        numbers = pickup_store.numbers(seen, list(seen.shelves), standing.rules, standing.counted)
        return {key: self._found(key, seen, numbers, standing) for key in keys}

    def _seen(
        self, keys: Sequence[Key], connection: Connection
    ) -> tuple[pickup_store.Seen, _Standing]:
        standing = self._standing
        while True:
            asked = time.monotonic()
            seen = pickup_store.look(connection, _wanted(keys, standing))
            self._clock.told(_us(seen.at), asked)
            if seen.rules_version == standing.version:
                return seen, standing
            standing = self._standing = _stand(connection, seen.rules_version, seen.at)

    def _found(
        self, key: Key, seen: pickup_store.Seen, numbers: Mapping[Key, Number], standing: _Standing
    ) -> Looked:
        sku, location = key
        places = standing.places
        known = seen.shelves.get((sku, location or next(iter(places), ""))) is not None
        if not known:
            return Missing(f"no SKU {sku!r} is known")
        if not places:
            return Missing("no orders are picked up anywhere: no location has a pickup rule")
        if location and location not in places:
            return Missing(
                f"no orders are picked up at {location!r}; they are at {', '.join(places)}"
            )
        said = [numbers[sku, place] for place in ([location] if location else places)]
        body: dict[str, object] = {"sku": sku}
        if location:
            body |= place(said[0])
        else:
            body["units"] = sum(one.units for one in said)
            body["locations"] = [place(one) for one in said]
        ledger = sum(one.version for one in said)
        body |= {
            "version": {"rules": standing.version, "ledger": ledger},
            "as_of": seen.at.astimezone(UTC).isoformat(),
        }
        return Entry(standing.version, ledger, _us(seen.at), orjson.dumps(body))

    def _count_again(self, standing: _Standing) -> None:
        if not self._counting and time.monotonic() - standing.read > _COUNT_S:
            self._counting = True
            self._threads.submit(self._recount, standing)

    def _recount(self, standing: _Standing) -> None:
        def stand(connection: Connection) -> _Standing:
            at = pickup_store.look(connection, [("", "")]).at
            return _stand(connection, standing.version, at)

        try:
            again = self._database.read(stand)
            if self._standing is standing:
                self._standing = again
        except SQLAlchemyError as error:
            log.warning("availability.counts.unread", error=type(error).__name__)
        finally:
            self._counting = False


class Alone:
    """The door by itself, without what a framework does between server and route: that costs as much as the answer."""

    def __init__(self, door: Availability) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(_PREFIX) and scope["method"] in ("GET", "HEAD"):
                scope["path_params"] = {"sku": path.removeprefix(_PREFIX)}
                await self._door(scope, receive, send)
            elif path == "/healthz":
                await _say(send, 200, b'{"up":true}')
            elif path.startswith(_PREFIX):
                await _say(send, 405, b'{"error":"only GET"}', ((b"allow", b"GET, HEAD"),))
            else:
                await _say(send, 404, b'{"error":"there is only /availability/<SKU>"}')
        elif scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._door.close()
            await send({"type": "lifespan.shutdown.complete"})


def application(settings: Settings, engine: Engine) -> Alone:
    """The door by itself, as an ASGI application."""
    return Alone(Availability(settings, engine))


async def _say(send: Send, status: int, body: bytes, more: Headers = ()) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _key(scope: Scope) -> Key:
    """The SKU and location asked for; raises Refusal for what can be neither."""
    sku = scope["path_params"]["sku"]
    said = parse_qsl(
        scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="replace"
    )
    others = sorted({name for name, _ in said} - {"location"})
    if others:
        raise Refusal(400, f"unknown: {', '.join(others)[:200]}; there is only `location`")
    if len(said) > 1:
        raise Refusal(400, "ask for one location, or leave it out for all of them")
    location = said[0][1] if said else ""
    if said and not location:
        raise Refusal(400, "location is empty; leave it out for all locations")
    for what, name in (("SKU", sku), ("location", location)):
        if "\0" in name or len(name) > MOST_NAME:
            raise Refusal(400, f"no {what} has more than {MOST_NAME} characters or a NUL")
    if not sku:
        raise Refusal(400, "name a SKU: /availability/<SKU>")
    return sku, location


def _wanted(keys: Iterable[Key], standing: _Standing) -> set[Key]:
    """The places to be read: all where orders are picked up for a key without a location."""
    wanted: set[Key] = set()
    for sku, location in keys:
        places = [location] if location else standing.places
        wanted |= {(sku, location) for location in places} or {(sku, "")}
    return wanted


def _stand(connection: Connection, version: int, at: datetime) -> _Standing:
    rules = pickup_store.rules_of(connection, version)
    places = pickup_store.picked_up_at(rules)
    counted = pickup_store.losses(connection, places, at - _COUNTS_OF) if places else {}
    return _Standing(version, rules, counted, time.monotonic())


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
