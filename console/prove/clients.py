"""Clients of the simulated vendors: over which wire, and within which limits."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, text

from channels.base import Channel
from channels.http import answered_by
from channels.lane import Account
from channels.limits import Allowance, Bucket, Limiter, Limits
from channels.packs import Packed
from channels.patient import Patient
from channels.registry import LANES
from channels.simulators.memory import Wire
from channels.sparing import Sparing
from console.prove.accounts import Accounts
from console.prove.clockwork import Clockwork
from ledger.db import transaction


class Clients:
    """Clients that share the limits of their accounts, as those of `workers.wiring` do.

    wire       makes what carries calls
    patient    who runs into a limit waits for it
    """

    def __init__(
        self,
        engine: Engine,
        accounts: Accounts,
        works: Clockwork,
        wire: Callable[..., Wire],
        *,
        patient: bool = False,
    ) -> None:
        self._engine, self._accounts, self._works = engine, accounts, works
        self._wire, self._patient = wire, patient
        self._buckets: dict[str, Bucket] = {}

    def client(self, channel: str) -> Channel:
        """A client that may use the whole limit."""
        return self._made(channel, self._limits(channel))

    def reader(self, channel: str) -> Channel:
        """A client that leaves half of each limit to others."""
        limits = self._limits(channel)
        return self._made(channel, lambda what, allowed: Sparing(limits(what, allowed)))

    def _made(self, channel: str, limits: Limits) -> Channel:
        with transaction(self._engine) as connection:
            row = connection.execute(
                text("SELECT kind, base_url, options FROM channel WHERE channel = :channel"),
                {"channel": channel},
            ).one()
        options = {name: str(value) for name, value in row.options.items() if value is not None}
        secrets = self._accounts.secrets().get(channel, {})
        account = Account(channel, row.kind, row.base_url, secrets, options, memory=self._engine)
        with answered_by(self._accounts.wires(self._wire)):
            return Packed(LANES[row.kind].connect(account, limits, self._works.now))

    def _limits(self, channel: str) -> Limits:
        def limit(what: str, allowed: Allowance) -> Limiter:
            made = self._bucket(f"{channel}:{what}", allowed)
            return Patient(made, self._works.on_the_way) if self._patient else made

        return limit

    def _bucket(self, name: str, allowed: Allowance) -> Bucket:
        """Without Redis, whose clock is the wall's: the whole rate for the one worker there is."""
        if name not in self._buckets:
            self._buckets[name] = Bucket(
                None,
                name,
                maximum=allowed.maximum,
                restore_rate=allowed.restore_per_s,
                alone_share=1.0,
                monotonic=lambda: self._works.now_s,
            )
        return self._buckets[name]
