"""The composition root: what a process is made of, built once from the settings and handed down."""

from __future__ import annotations

import os
import platform
import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import redis
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from channels.base import Channel, ChannelError, HoldsOrders, ReadsInBulk, Refused
from channels.edi.exchange import Exchange, exchange_of
from channels.edi.partner import BadPartner, Partner
from channels.lane import Account, Lane
from channels.limits import Allowance, Bucket, Limiter, Limits
from channels.packs import Packed
from channels.patient import Patient
from channels.reach import let_inside
from channels.registry import LANES
from channels.sparing import Sparing
from ledger.context import Catalogue
from ledger.db import connect, transaction
from reconcile.proving import Proof
from workers.clock import Clock, Watch
from workers.flows import edi_desk
from workers.flows.bells import Bells
from workers.flows.ingest import House
from workers.flows.lane import Lane as PushLane
from workers.flows.reconcile_terms import Terms
from workers.settings import Settings

if TYPE_CHECKING:
    from workers.alerts.doors import Door
    from workers.flows.traces import Traces

_CHANNEL = text(
    "SELECT channel, kind, base_url, account, options FROM channel WHERE channel = :channel"
)


class NotSetUp(Exception):
    """A channel is spoken of that the house does not have, or cannot use; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What proves us to a channel and a channel to us.

    named              what the lane asks for by name, such as `token`
    webhook_secrets    newest first; the old one still counts while the vendor changes over
    """

    named: Mapping[str, str] = field(default_factory=dict, repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)


class _Said(BaseModel):
    """One channel's secrets as they are written. Strict: of a bare string, every letter would become a secret."""

    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, str] = Field(init=False)

    webhook_secrets: list[str] = []


_SECRETS = TypeAdapter(dict[str, _Said])


class Wiring:
    """One process's connections; nothing connects before it is used, so that a forked child makes its own."""

    def __init__(
        self,
        settings: Settings,
        *,
        pause: Callable[[float], None] | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """pause: how a door waits for a vendor's limit; None in a worker, which comes back instead

        clock    what `now` says; None: the clock of the doors
        """
        self.settings = settings
        let_inside(settings.inside)
        self.now: Callable[[], datetime] = clock or now
        self._pause = pause
        self._clients: dict[str, tuple[Account, Channel]] = {}
        self._lock = threading.Lock()

    @cached_property
    def engine(self) -> Engine:
        """PostgreSQL in the application's role."""
        if not self.settings.database_url:
            raise NotSetUp(
                "no database: set LOCKSTEP_DATABASE_URL, or start the local stack with `lockstep up`"
            )
        return connect(self.settings.database_url, pool=self.settings.database_pool)

    @cached_property
    def redis(self) -> redis.Redis:
        """Redis or Valkey, for bells and limits; never for anything that must be remembered."""
        if not self.settings.redis_url:
            raise NotSetUp(
                "no Redis: set LOCKSTEP_REDIS_URL, or start the local stack with `lockstep up`"
            )
        return redis.Redis.from_url(
            self.settings.redis_url,
            socket_timeout=2,
            socket_connect_timeout=2,
            health_check_interval=25,
        )

    @cached_property
    def bells(self) -> Bells:
        """Pending bells, coalesced."""
        return Bells(self.redis, prefix=f"lockstep:{self.settings.env}")

    @cached_property
    def house(self) -> House:
        """What the drain needs."""
        rows, traces = self.settings.drain_rows, self.traces
        return House(self.engine, LANES, Catalogue(), os.urandom, rows=rows, traces=traces)

    @cached_property
    def secrets(self) -> dict[str, Secrets]:
        """Secrets by channel, from the environment or a file."""
        return read_secrets(self.settings)

    @cached_property
    def doors(self) -> list[Door]:
        """Where alerts are told."""
        # Imported here: few commands need Slack's client, and it takes its time.
        from workers.alerts.doors import doors_of

        return doors_of(self.settings)

    @cached_property
    def traces(self) -> Traces | None:
        """What this process tells OpenTelemetry; None when nobody asked for it. Raises NotSetUp."""
        if not self.settings.traces:
            return None
        try:
            # Imported here: who does not trace need not have it.
            from workers.tracing import start
        except ImportError:
            raise NotSetUp(
                "LOCKSTEP_TRACES is on, and OpenTelemetry is not installed: pip install 'lockstep[otel]'"
            ) from None
        return start(self.settings.env)

    def close(self) -> None:
        """Give back the connections that were made."""
        made = self.__dict__
        if made.get("traces"):
            made["traces"].flush()
        if "engine" in made:
            self.engine.dispose()
        if "redis" in made:
            self.redis.close()

    def client(self, channel: str) -> Channel:
        """The client of a channel, made anew when its row or its secrets changed.

        raises    NotSetUp when there is no such channel, a secret is missing, or its options cannot be meant
        """
        lane, account, limits = self._account(channel)
        return self._known(channel, lane, account, limits)

    def reader(self, channel: str) -> Channel:
        """A client of a channel that leaves half of the account's limit to whoever pushes. Raises NotSetUp."""
        lane, account, limits = self._account(channel)

        def sparing(what: str, allowance: Allowance) -> Limiter:
            return Sparing(limits(what, allowance))

        return self._known(f"{channel} read", lane, account, sparing)

    def _known(self, name: str, lane: Lane, account: Account, limits: Limits) -> Channel:
        with self._lock:
            known = self._clients.get(name)
            if known is None or known[0] != account:
                known = (account, Packed(_connected(lane, account, limits, self.now)))
                self._clients[name] = known
            return known[1]

    def bulk(self, channel: str) -> ReadsInBulk | None:
        """How a channel tells its whole catalogue at once; None where its vendor cannot. Raises NotSetUp."""
        lane, account, limits = self._account(channel)
        return None if lane.bulk is None else lane.bulk(account, limits, self.now)

    def holder(self, channel: str) -> HoldsOrders | None:
        """How orders of a channel are held; None where its vendor cannot. Raises NotSetUp."""
        lane, account, limits = self._account(channel)
        return None if lane.holds is None else lane.holds(account, limits, self.now)

    def orders_lag_s(self, channel: str) -> float:
        """How far a channel's order API is behind, in seconds. Raises NotSetUp."""
        return self._account(channel)[0].orders_lag_s

    def terms(self, channel: str) -> Terms:
        """How windows of a channel are judged. Raises NotSetUp."""
        return replace(Terms.of(self.settings), orders_lag_s=self.orders_lag_s(channel))

    def topics(self, channel: str) -> frozenset[str]:
        """What a channel is to notify us of. Raises NotSetUp."""
        return self._account(channel)[0].topics

    def _account(self, channel: str) -> tuple[Lane, Account, Limits]:
        with transaction(self.engine) as connection:
            row = connection.execute(_CHANNEL, {"channel": channel}).one_or_none()
        if row is None:
            raise NotSetUp(
                f"no channel {channel!r}: add it to the rules and apply them (lockstep alloc apply)"
            )
        lane = LANES.get(row.kind)
        if lane is None:
            raise NotSetUp(
                f"channel {channel!r} is of kind {row.kind!r}, which no lane serves: {', '.join(LANES)}"
            )
        named = self.secrets.get(channel, Secrets()).named
        missing = sorted(name for name in lane.secrets if not named.get(name))
        if missing:
            raise NotSetUp(
                f"no {' and no '.join(missing)} for channel {channel!r}: add it to LOCKSTEP_CHANNEL_SECRETS"
            )
        options = {name: str(value) for name, value in row.options.items() if value is not None}
        account = Account(channel, row.kind, row.base_url, named, options, memory=self.engine)
        return lane, account, self._limits(f"{row.kind}:{row.account or channel}")

    def mailbox(self, channel: str) -> tuple[Partner, Exchange]:
        """A wholesale partner and the folder it shares with us; nothing is connected yet.

        raises    NotSetUp when the channel describes no partner, or its address or a secret is missing
        """
        try:
            with transaction(self.engine) as connection:
                partner = edi_desk.partner(connection, channel)
                row = connection.execute(_CHANNEL, {"channel": channel}).one()
            named = self.secrets.get(channel, Secrets()).named
            return partner, exchange_of(row.base_url, named)
        except (BadPartner, ChannelError) as error:
            raise NotSetUp(str(error)) from None

    def _limits(self, account: str) -> Limits:
        """The buckets of one vendor account, shared by every process through Redis."""

        def bucket(what: str, allowance: Allowance) -> Limiter:
            made = Bucket(
                self.redis,
                f"{account}:{what}" if what else account,
                maximum=allowance.maximum,
                restore_rate=allowance.restore_per_s,
                prefix=f"lockstep:{self.settings.env}",
            )
            return made if self._pause is None else Patient(made, self._pause)

        return bucket

    def push_lane(self, channel: str) -> PushLane:
        """What pushing to a channel needs."""
        return PushLane(
            engine=self.engine,
            client=self.client(channel),
            now=self.now,
            chance=random.random,
            new_key=lambda: str(uuid4()),
            rise_wait_s=self.settings.rise_wait_s,
            verify_after_s=self.settings.verify_after_s,
            lease_s=self.settings.push_lease_s,
            proof=proof_of(self.settings),
            reader=self.reader(channel),
            traces=self.traces,
        )


def proof_of(settings: Settings) -> Proof:
    """How confirmed numbers are read back, as the settings say."""
    return Proof(
        scarce_units=settings.scarce_units,
        fast_per_day=settings.fast_per_day,
        share=settings.verify_share,
        rows=settings.verify_rows,
        rule=Terms.of(settings).rule,
    )


def _connected(
    lane: Lane, account: Account, limits: Limits, clock: Callable[[], datetime]
) -> Channel:
    try:
        return lane.connect(account, limits, clock)
    except Refused as error:
        # Nobody was called yet: it is the rules that a person must put right.
        raise NotSetUp(str(error)) from None


#: How often a door looks at the database's clock. Seconds.
_CLOCK_EVERY_S: Final = 5.0
#: Seconds since this machine began, with those in which it slept where it can tell: the wall's clock goes on then.
_runs_s = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
#: This process's clock, held against the database's.
clock = Clock(lambda: datetime.now(UTC), _runs_s)


def watch_of(kind: str) -> Watch:
    """Who holds this process's clock against the database's; `kind` is what the process is."""
    return Watch(clock, f"{kind} {platform.node()}/{os.getpid()}", _runs_s)


def clock_kept(kind: str, engine: Engine) -> AbstractContextManager[None]:
    """Hold a door's clock against the database's while the door is open."""
    return watch_of(kind).kept(engine, _CLOCK_EVERY_S)


def set_clock(engine: Engine) -> None:
    """Hold a command's clock against the database's, once; a database that does not answer leaves it as it is."""
    with suppress(SQLAlchemyError), transaction(engine) as connection:
        clock.set_by(connection)


def now() -> datetime:
    """The clock of the doors."""
    return clock.now()


def read_secrets(settings: Settings) -> dict[str, Secrets]:
    """Secrets by channel.

    raises    NotSetUp when they are not JSON of the form that the message shows
    """
    said = settings.channel_secrets.get_secret_value().strip()
    where = "LOCKSTEP_CHANNEL_SECRETS"
    if said in ("", "{}") and settings.channel_secrets_file is not None:
        where = str(settings.channel_secrets_file)
        try:
            said = settings.channel_secrets_file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise NotSetUp(
                f"the secrets in {where} cannot be read: {type(error).__name__}"
            ) from None
    try:
        document = _SECRETS.validate_json(said or "{}")
    except ValidationError:
        # The text itself stays out of the message: it is a secret.
        raise NotSetUp(
            f'{where} must be JSON of the form {{"shopify": {{"token": "...", "webhook_secrets": ["..."]}}}}'
        ) from None
    return {
        channel: Secrets(of.__pydantic_extra__, tuple(filter(None, of.webhook_secrets)))
        for channel, of in document.items()
    }
