"""Halts carried out at the vendor: stop, prove it by reading back, and later undo exactly what was changed.

The wish is a row; this is the worker that makes it true. What a stop will change is written down before the stop, so
that a worker killed between the call and the commit loses nothing of the undo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog
from sqlalchemy import Connection, Engine

from channels.base import Binding, Channel, ChannelError, Reading, Refused, Throttled
from ledger.db import refuse_inside_transaction, transaction
from reconcile import halt_store, pages
from reconcile.compare import newest
from reconcile.halt_store import NothingToHalt, NothingToLift, OpenHalt

__all__ = ["HaltsReport", "NothingToHalt", "NothingToLift", "halt", "lift", "work_halts"]

#: A worker that is silent for so long has died; longer than the slowest chain of calls for one SKU.
LEASE_S = 120.0
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
    engine: Engine, *, channel: str, sku: str, reason: str, by: str, now: datetime
) -> tuple[int, bool]:
    """Take a SKU off sale on one channel, as a person or a program outside the rule.

    reason, by    not empty; both are kept in the trail
    returns       (halt id, True when this call set it; False when a halt stood already)
    raises        NothingToHalt when the SKU is not bound on the channel
    """
    with transaction(engine) as connection:
        return halt_store.set_halt(connection, channel, sku, reason, by, now)


def lift(
    engine: Engine, *, channel: str, sku: str, reason: str, by: str, now: datetime
) -> tuple[int, bool]:
    """Put a halted SKU back on sale, whoever halted it.

    returns    (halt id, True when this call began the lifting; False when it was being lifted already)
    raises     NothingToLift when no halt is open
    """
    with transaction(engine) as connection:
        return halt_store.lift_halt(connection, channel, sku, by, reason, now)


def work_halts(engine: Engine, client: Channel, *, channel: str, now: Clock) -> HaltsReport:
    """Carry out every halt of a channel that waits for a worker, one SKU after the other.

    returns    what was done; an error of the channel puts the halt off and never loses it. After an error that
               concerns the whole channel the rest waits for the next round.
    """
    round_ = _Round(engine, client, channel, now)
    while round_.one():
        pass
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

    def one(self) -> bool:
        """Work the next halt; False when there is none, or the channel does not answer."""
        with transaction(self.engine) as connection:
            taken = halt_store.take_halts(connection, self.channel, self.now(), LEASE_S)
        for wish in taken:
            try:
                self._work(wish)
            except Refused as error:
                # This SKU's own trouble; the next one may go through.
                self._put_off(wish, error)
            except ChannelError as error:
                self._put_off(wish, error)
                return False
        return bool(taken)

    def _work(self, wish: OpenHalt) -> None:
        with transaction(self.engine) as connection:
            bindings = pages.bindings_of(connection, self.channel, wish.sku)
        refuse_inside_transaction(f"halt of {wish.sku} on {self.channel}")
        if wish.state == "setting":
            self._stop(wish, bindings)
        else:
            self._resume(wish, bindings)

    def _stop(self, wish: OpenHalt, bindings: Sequence[Binding]) -> None:
        for binding in bindings:
            if binding.location not in wish.undo:
                self._remember_before(wish, binding)
            self.client.stop_sale(binding)
        read = newest(self.client.snapshot(bindings))
        still = _still_shown(bindings, read)
        with transaction(self.engine) as connection:
            at = self.now()
            pages.note_readings(connection, self.channel, list(read.values()))
            if not still:
                if halt_store.mark_set(connection, wish.halt_id, at):
                    self.set.append(wish.sku)
                else:
                    halt_store.release(connection, wish, at)
                return
            self._later(connection, wish, f"not stopped yet: {still}", at)

    def _remember_before(self, wish: OpenHalt, binding: Binding) -> None:
        before = self.client.sale_state(binding)
        with transaction(self.engine) as connection:
            halt_store.keep_undo(connection, wish.halt_id, binding.location, before)

    def _resume(self, wish: OpenHalt, bindings: Sequence[Binding]) -> None:
        stopped = [binding for binding in bindings if binding.location in wish.undo]
        for binding in stopped:
            self.client.resume_sale(binding, wish.undo[binding.location])
        read = newest(self.client.snapshot(stopped)) if stopped else {}
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
                wait = timedelta(seconds=error.retry_after_s)
                halt_store.work_later(
                    connection, wish, error=words, now=at, run_at=at + wait, costs_an_attempt=False
                )
                self.later.append((wish.sku, words))
            else:
                self._later(connection, wish, words, at)

    def _later(self, connection: Connection, wish: OpenHalt, words: str, at: datetime) -> None:
        wait_s = min(_FIRST_WAIT_S * 2 ** min(wish.attempts - 1, 10), _LONGEST_WAIT_S)
        halt_store.work_later(
            connection, wish, error=words, now=at, run_at=at + timedelta(seconds=wait_s)
        )
        self.later.append((wish.sku, words))
        log.warning(
            "halts.work.put_off", channel=self.channel, sku=wish.sku, state=wish.state, why=words
        )


def _still_shown(bindings: Sequence[Binding], read: Mapping[tuple[str, str], Reading]) -> str:
    """Which locations are not proven to show nothing, in words; absent or untracked proves nothing."""
    words = []
    for binding in bindings:
        reading = read.get((binding.sku, binding.location))
        if reading is None or reading.units is None:
            words.append(f"{binding.location} is unknown")
        elif reading.units > 0:
            words.append(f"{binding.location} shows {reading.units}")
    return ", ".join(words)
