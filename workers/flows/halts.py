"""Halts carried out at the vendor: stop, prove it by reading back, and later undo exactly what was changed.

The wish is a row; this is the worker that makes it true. What a stop will change is written down before the stop, so
that a worker killed between the call and the commit loses nothing of the undo.

What is wanted for itself goes first, one SKU after the other. What a scope wants goes in batches: first one call that
shows zeros, which stops most sales within seconds, then what a zero does not stop, SKU by SKU, then one read-back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog
from sqlalchemy import Connection, Engine

from allocation import backlog
from channels.base import Binding, Channel, ChannelError, Reading, Refused, Throttled
from ledger.db import refuse_inside_transaction, transaction
from reconcile import halt_store, pages
from reconcile.compare import newest
from reconcile.halt_store import NothingToHalt, NothingToLift, OpenHalt
from workers.flows.halt_calls import before_a_stop, show_zeros, still_shown

__all__ = ["HaltsReport", "NothingToHalt", "NothingToLift", "halt", "lift", "work_halts"]

#: A worker that is silent for so long has died; longer than the slowest chain of calls for one batch.
LEASE_S = 120.0
#: Halts of scopes that are worked together.
BATCH = 20
#: A go ends after so long: pushes and read-backs of the channel wait in the same queue. The sweep rings again.
GO_S = 30.0
_FIRST_WAIT_S = 5.0
_LONGEST_WAIT_S = 300.0

Clock: TypeAlias = Callable[[], datetime]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HaltsReport:
    """What one round did.

    set       SKUs that are off sale now, read back
    lifted    SKUs that are on sale again; their targets are due for a push
    later     SKUs that are tried again, with the reason
    """

    channel: str
    set: tuple[str, ...] = ()
    lifted: tuple[str, ...] = ()
    later: tuple[tuple[str, str], ...] = ()

    @property
    def ring_push(self) -> bool:
        """Whether targets of this channel are due again."""
        return bool(self.lifted)


def halt(
    engine: Engine,
    *,
    channel: str,
    sku: str,
    reason: str,
    by: str,
    now: datetime,
    until_at: datetime | None = None,
) -> tuple[int, bool]:
    """Take a SKU off sale on one channel, as a person or a program outside the rule.

    reason, by    not empty; both are kept in the trail
    until_at      lifted by itself then
    returns       (halt id, True when this call set it; False when a halt stood already)
    raises        NothingToHalt when the SKU is not bound on the channel
    """
    with transaction(engine) as connection:
        return halt_store.set_halt(connection, channel, sku, reason, by, now, until_at=until_at)


def lift(
    engine: Engine, *, channel: str, sku: str, reason: str, by: str, now: datetime
) -> tuple[int, bool]:
    """Put a halted SKU back on sale, whoever halted it.

    returns    (halt id, True when this call began the lifting; False when it was being lifted already, or stays because
               a scope holds it)
    raises     NothingToLift when no halt is open
    """
    with transaction(engine) as connection:
        return halt_store.lift_halt(connection, channel, sku, by, reason, now)


def work_halts(engine: Engine, client: Channel, *, channel: str, now: Clock) -> HaltsReport:
    """Carry out halts of a channel that wait for a worker, until none is left or the go has lasted long enough.

    returns    what was done; an error of the channel puts the halt off and never loses it. After an error that
               concerns the whole channel the rest waits for the next round.
    """
    round_ = _Round(engine, client, channel, now)
    until = now() + timedelta(seconds=GO_S)
    while now() <= until and (round_.one() or round_.batch()):
        if round_.stopped:
            break
    return HaltsReport(channel, tuple(round_.set), tuple(round_.lifted), tuple(round_.later))


@dataclass
class _Round:
    engine: Engine
    client: Channel
    channel: str
    now: Clock
    set: list[str] = field(default_factory=list)
    lifted: list[str] = field(default_factory=list)
    later: list[tuple[str, str]] = field(default_factory=list)
    before: dict[tuple[str, str], int] = field(default_factory=dict)
    stopped: bool = False

    def one(self) -> bool:
        """Work the next halt that is wanted for itself; False when there is none."""
        return self._go(self._taken(1, own=True))

    def batch(self) -> bool:
        """Work the next halts of scopes; False when there are none."""
        return self._go(self._taken(BATCH, own=False))

    def _taken(self, at_most: int, *, own: bool) -> list[OpenHalt]:
        with transaction(self.engine) as connection:
            return halt_store.take_halts(
                connection, self.channel, self.now(), LEASE_S, at_most, own=own
            )

    def _go(self, wishes: Sequence[OpenHalt]) -> bool:
        bindings: dict[int, list[Binding]] = {}
        with transaction(self.engine) as connection:
            for wish in wishes:
                bindings[wish.halt_id] = pages.bindings_of(connection, self.channel, wish.sku)
        refuse_inside_transaction(f"halts of {len(wishes)} SKUs on {self.channel}")
        setting = [wish for wish in wishes if wish.state == "setting"]
        if len(setting) > 1:
            wishes = self._zeros(wishes, [b for wish in setting for b in bindings[wish.halt_id]])
        worked = []
        for place, wish in enumerate(wishes):
            try:
                self._call(wish, bindings[wish.halt_id])
                worked.append(wish)
            except ChannelError as error:
                self._put_off(wish, error)
                if not isinstance(error, Refused):
                    self._leave(wishes[place + 1 :], error)
                    break
        self._prove(worked, bindings)
        return bool(wishes)

    def _zeros(self, wishes: Sequence[OpenHalt], places: Sequence[Binding]) -> Sequence[OpenHalt]:
        """Zeros for all of them at once; what is refused is left to the stop of each. Returns what is left to do."""
        try:
            self.before |= show_zeros(self.client, places)
        except Refused as error:
            log.warning("halts.zeros.refused", channel=self.channel, why=str(error))
        except ChannelError as error:
            self._leave(wishes, error)
            return ()
        return wishes

    def _call(self, wish: OpenHalt, bindings: Sequence[Binding]) -> None:
        """Everything but the proof of one halt."""
        if wish.state == "setting":
            for binding in bindings:
                if binding.location not in wish.undo:
                    self._remember_before(wish, binding)
                self.client.stop_sale(binding)
        else:
            for binding in bindings:
                if binding.location in wish.undo:
                    self.client.resume_sale(binding, wish.undo[binding.location])

    def _remember_before(self, wish: OpenHalt, binding: Binding) -> None:
        units = self.before.get((binding.sku, binding.location))
        before = before_a_stop(self.client, binding, units)
        with transaction(self.engine) as connection:
            halt_store.keep_undo(connection, wish.halt_id, binding.location, before)

    def _prove(self, wishes: Sequence[OpenHalt], bindings: dict[int, list[Binding]]) -> None:
        """Read back what was changed, all at once, and say of each halt what came of it."""
        changed = {
            wish.halt_id: [
                binding
                for binding in bindings[wish.halt_id]
                if wish.state == "setting" or binding.location in wish.undo
            ]
            for wish in wishes
        }
        asked = [binding for of_one in changed.values() for binding in of_one]
        try:
            read = newest(self.client.snapshot(asked)) if asked else {}
        except Refused as error:
            # One of them is the trouble: each is read by itself.
            if len(wishes) == 1:
                self._put_off(wishes[0], error)
            else:
                for wish in wishes:
                    self._prove([wish], bindings)
            return
        except ChannelError as error:
            self._put_off(wishes[0], error)
            self._leave(wishes[1:], error)
            return
        for wish in wishes:
            mine = {place: reading for place, reading in read.items() if place[0] == wish.sku}
            if wish.state == "setting":
                self._stopped(wish, changed[wish.halt_id], mine)
            else:
                self._resumed(wish, mine)

    def _stopped(
        self, wish: OpenHalt, bindings: Sequence[Binding], read: dict[tuple[str, str], Reading]
    ) -> None:
        still = still_shown(bindings, read)
        with transaction(self.engine) as connection:
            at = self.now()
            pages.note_readings(connection, self.channel, list(read.values()))
            if still:
                self._later(connection, wish, f"not stopped yet: {still}", at)
            elif backlog.is_on_its_way(connection, self.channel, wish.sku, at):
                # Claimed before the halt, it may come after the stop by a slow way: then it is stopped again.
                self._later(connection, wish, "stopped, while a number of ours is on its way", at)
            elif halt_store.mark_set(connection, wish.halt_id, at):
                self.set.append(wish.sku)
            else:
                halt_store.release(connection, wish, at)

    def _resumed(self, wish: OpenHalt, read: dict[tuple[str, str], Reading]) -> None:
        with transaction(self.engine) as connection:
            at = self.now()
            if halt_store.mark_lifted(connection, wish.halt_id, at):
                self.lifted.append(wish.sku)
            else:
                halt_store.release(connection, wish, at)
            # The push that follows compares before it sets: it must expect what the channel shows now.
            pages.note_readings(connection, self.channel, list(read.values()))

    def _put_off(self, wish: OpenHalt, error: ChannelError) -> None:
        words = f"{type(error).__name__}: {error}"
        at = self.now()
        with transaction(self.engine) as connection:
            if isinstance(error, Throttled):
                self._wait(connection, wish, words, at, error.retry_after_s)
                self.later.append((wish.sku, words))
            else:
                self._later(connection, wish, words, at)

    def _leave(self, wishes: Sequence[OpenHalt], error: ChannelError) -> None:
        """The channel does not let us go on: these wait for the next round, at no cost."""
        self.stopped = True
        wait_s = error.retry_after_s if isinstance(error, Throttled) else _FIRST_WAIT_S
        words = f"{type(error).__name__}: {error}"
        with transaction(self.engine) as connection:
            for wish in wishes:
                self._wait(connection, wish, words, self.now(), wait_s)
                self.later.append((wish.sku, words))

    def _wait(
        self, connection: Connection, wish: OpenHalt, words: str, at: datetime, wait_s: float
    ) -> None:
        run_at = at + timedelta(seconds=wait_s)
        halt_store.work_later(
            connection, wish, error=words, now=at, run_at=run_at, costs_an_attempt=False
        )

    def _later(self, connection: Connection, wish: OpenHalt, words: str, at: datetime) -> None:
        wait_s = min(_FIRST_WAIT_S * 2 ** min(wish.attempts - 1, 10), _LONGEST_WAIT_S)
        halt_store.work_later(
            connection, wish, error=words, now=at, run_at=at + timedelta(seconds=wait_s)
        )
        self.later.append((wish.sku, words))
        log.warning(
            "halts.work.put_off", channel=self.channel, sku=wish.sku, state=wish.state, why=words
        )
