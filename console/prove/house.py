"""The house of the proof: the flows as the tasks ring them, on PostgreSQL, at the moments of the clockwork.

One worker does everything, one thing after the other; so what really runs side by side waits here for each other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Engine

from allocation import backlog, store
from allocation.document import read
from channels import bindings
from channels.base import Channel
from channels.lane import Lane as Vendor
from channels.registry import LANES
from channels.simulators.memory import Wire
from console.prove import book
from console.prove.accounts import MARKET, SHOP, TILLS, Accounts, hook_of
from console.prove.bells import found
from console.prove.clients import Clients
from console.prove.clockwork import Clockwork
from console.prove.demand import HOME
from console.prove.door import Door
from console.prove.partner import LOOKS_S, PARTNER
from console.prove.windows import between, quarter_hour
from ledger import catalogue
from ledger.context import Catalogue
from ledger.db import transaction
from workers.flows import (
    early_reads,
    edi_desk,
    edi_exchange,
    edi_work,
    halts,
    ingest,
    mapping,
    measure,
    orders,
    sweep,
)
from workers.flows.allocate import allocate
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.receipts import work_receipts
from workers.flows.verify import verify
from workers.settings import Settings
from workers.wiring import proof_of

#: From a bell to the task it rings. What arrives is taken up once a second, so that a simulated month ends in minutes;
#: the workers are faster.
_HOP_S: Final = 0.01
_TAKEN_UP_S: Final = 1.0
#: Sweeps in a row that find the same overdue: each later one waits twice as long, up to some minutes.
_MOST_IN_VAIN: Final = 10
_MEASURE_S: Final = 60.0


class House:
    """Flows and what they need; bells as the tasks ring them."""

    def __init__(
        self, engine: Engine, settings: Settings, accounts: Accounts, works: Clockwork, seed: int
    ) -> None:
        self.engine, self.works = engine, works
        self._settings, self._accounts = settings, accounts
        self._dice = random.Random(f"{seed}:house")
        self._drain = ingest.House(
            engine, LANES, Catalogue(), self._dice.randbytes, rows=settings.drain_rows
        )
        self._keys: dict[str, random.Random] = {}
        self._lanes: dict[str, Lane] = {}
        #: Clients that leave half of each limit to pushes, as `Wiring.reader` makes them.
        self._readers: dict[str, Channel] = {}
        self._swallowed: dict[str, int] = {}
        self._lost_at: dict[str, float] = {}
        self._in_vain = 0
        self.door = Door(engine, accounts, works, self._arrived)
        #: Called when orders of the partner were worked.
        self.when_promised: Callable[[], object] = lambda: None

    # -- opening ------------------------------------------------------------------------------------------------------

    def open(self, skus: Mapping[str, Mapping[str, int]], wire: Callable[..., Wire]) -> None:
        """Rules, SKUs, stock, listings bound, vendors told to call us, first numbers shown.

        skus    SKU -> location -> units
        wire    makes what carries calls from then on
        """
        self._set_up(list(skus))
        lying = [(sku, at, units) for sku, of in skus.items() for at, units in of.items()]
        for sku, location, units in lying:
            if units > 0:
                self.door.tell("opening", sku, location, units)
        while self._one_go():
            self.works.on_the_way(30.0)
        for channel in sorted(set(self._lanes) - {PARTNER}):
            client = self._lanes[channel].client
            mapping.subscribe(self.engine, client, channel=channel, uri=hook_of(channel))
        self._accounts.partner.when_put(self._look_into_mailbox)
        # From now on a call takes its time, and nobody waits for a limit.
        known = Clients(self.engine, self._accounts, self.works, wire)
        for channel in self._accounts.selling:
            self._lanes[channel] = self._lane(channel, known.client(channel))
            self._readers[channel] = known.reader(channel)
        self.works.forget_once()

    def _set_up(self, skus: Sequence[str]) -> None:
        rules = self._accounts.rules()
        now = self.works.now()
        with transaction(self.engine) as connection:
            catalogue.add_skus(connection, dict.fromkeys(skus, ""))
            store.apply_rules(connection, rules, read(rules), "prove", "the proof", now)
            for channel in self._accounts.selling:
                backlog.allow_writes(connection, channel)
        known = Clients(self.engine, self._accounts, self.works, Wire, patient=True)
        for channel in self._accounts.selling:
            self._lanes[channel] = self._lane(channel, known.client(channel))
            if channel != PARTNER:
                self._map(channel)
        with transaction(self.engine) as connection:
            bindings.bind(connection, self._accounts.partner.bindings(HOME), now=now)

    def _one_go(self) -> bool:
        """Everything that waits, once; whether there may be more."""
        self.door.take_up()
        ingest.drain(self._drain, now=self.works.now())
        allocate(self.engine, now=self.works.now, rise_wait_s=0.0)
        for lane in self._lanes.values():
            push(lane)
            work_receipts(lane)
            verify(lane)
        if PARTNER in self._lanes:
            self._exchange()
            self._trade()
        return book.next_at(self.engine, self.works.now()) is not None

    def _lane(self, channel: str, client: Channel) -> Lane:
        # One row of keys for all lanes of a channel: a vendor remembers a key that it has seen.
        numbers = self._keys.setdefault(channel, random.Random(f"{channel}:keys"))
        return Lane(
            engine=self.engine,
            client=client,
            now=self.works.now,
            chance=self._dice.random,
            new_key=lambda: f"{numbers.getrandbits(128):032x}",
            rise_wait_s=self._settings.rise_wait_s,
            verify_after_s=self._settings.verify_after_s,
            lease_s=self._settings.push_lease_s,
            proof=proof_of(self._settings),
        )

    def _map(self, channel: str) -> None:
        client = self._lanes[channel].client
        mapped = mapping.map_channel(
            self.engine,
            client,
            channel=channel,
            now=self.works.now(),
            dry_run=False,
            add_skus=False,
        )
        if mapped.problems:
            raise AssertionError(f"{channel}: {mapped.problems[:3]}")

    # -- what the world asks and tells ---------------------------------------------------------------------------------

    def promised(self, orders: Sequence[str]) -> dict[str, dict[int, int]]:
        """What the partner was promised of these orders, as far as they were worked: order -> line -> units."""
        return book.promised(self.engine, PARTNER, orders)

    def lost_a_message(self, channel: str) -> None:
        """A message of this channel will never come: a window's poll of its orders finds what it told.

        The poll of a window that nothing lost can be found in is left out.
        """
        self._lost_at[channel] = self.works.now_s
        self._at_window(f"hear:{channel}")

    def _at_window(self, bell: str) -> None:
        window_s = float(self._settings.reconcile_s)
        since_s = self.works.now().timestamp() % window_s
        # A moment later: rounded down, the clock would still stand in the window before.
        self.ring(bell, after_s=window_s - since_s + _HOP_S)

    def _arrived(self) -> None:
        self.ring("drain", after_s=_TAKEN_UP_S)

    # -- work ---------------------------------------------------------------------------------------------------------

    def ring(self, bell: str, after_s: float = _HOP_S) -> None:
        """Have a task run, once for many bells: at the earliest moment that any of them asks for."""
        self.works.house_once(bell, after_s, partial(self._answer, bell))

    def _answer(self, bell: str) -> None:
        task, _, channel = bell.partition(":")
        tasks: dict[str, Callable[[], None]] = {
            "drain": self._drained,
            "allocate": self._allocate,
            "push": lambda: self._push(channel),
            "verify": lambda: self._verify(channel),
            "receipts": lambda: self._ask_receipts(channel),
            "poll": lambda: self._poll(channel, self._lanes[channel].client),
            "hear": lambda: self._hear(channel),
            "early": self._read_early,
            "window": lambda: self._window(channel),
            "halts": lambda: self._work_halts(channel),
            "exchange": self._exchange,
            "trade": self._trade,
            "measure": self._measure,
            "sweep": self._sweep,
        }
        tasks[task]()

    def _drained(self) -> None:
        self.door.take_up()
        if ingest.drain(self._drain, now=self.works.now(), batches=10).entries:
            self.ring("allocate")
            self.ring("early", after_s=self._settings.sweep_s)
        self._look_soon()

    def _allocate(self) -> None:
        rise_wait_s = self._settings.rise_wait_s
        found = allocate(self.engine, now=self.works.now, rise_wait_s=rise_wait_s)
        for channel in sorted(found & set(self._accounts.selling)):
            self.ring(f"push:{channel}")
        if found:
            self._look_soon()

    def _verify(self, channel: str) -> None:
        report = verify(self._lanes[channel])
        if report.ring_push:
            self.ring(f"push:{channel}")
        if report.let_go:
            self.ring("allocate")

    def _ask_receipts(self, channel: str) -> None:
        if work_receipts(self._lanes[channel]).ring_push:
            self.ring(f"push:{channel}")

    def _measure(self) -> None:
        if measure.measure(self.engine, now=self.works.now()):
            self.ring("allocate")
            self.ring("measure", after_s=_MEASURE_S)

    def _push(self, channel: str) -> None:
        report = push(self._lanes[channel])
        if report.let_go:
            self.ring("allocate")
        if channel == PARTNER:
            self.ring("exchange")
        elif report.confirmed:
            self.ring(f"verify:{channel}", after_s=self._settings.verify_after_s)
            self.ring("measure", after_s=_MEASURE_S)
            self._at_window(f"window:{channel}")
        if report.retry_after_s is not None:
            self.ring(f"push:{channel}", after_s=report.retry_after_s)
        # Else what is overdue and stays so would be looked at for ever so often: a look that finds it rings for a push.
        if report.skus or report.stale or report.accepted or report.not_sent:
            self._look_soon()

    def _window(self, channel: str) -> None:
        """The quarter hour: what the channel shows is read back.

        Where no write was swallowed since the last one it would find what is expected, and is left out.
        """
        swallowed = self._accounts.swallowed(channel)
        if swallowed == self._swallowed.get(channel, 0):
            return
        self._swallowed[channel] = swallowed
        report = quarter_hour(
            self.engine, self._lanes[channel].client, self._settings, **self._reading(channel)
        )
        if report.ring_push:
            self.ring(f"push:{channel}")
        if report.ring_halts:
            self.ring(f"halts:{channel}")
        if report.state == "later":
            self._swallowed[channel] = -1
            self._at_window(f"window:{channel}")
        self._look_soon()

    def _read_early(self) -> None:
        """What may sell out before its window. Where nothing was read, only a sale can change that."""
        busy = False
        for channel in early_reads.waiting(self.engine, now=self.works.now()):
            if channel in self._lanes:
                reader = self._readers[channel]
                report = between(
                    self.engine,
                    reader,
                    self._settings,
                    **self._reading(channel),
                    hear_ahead=partial(self._poll, channel, reader),
                )
                busy = busy or report.looked + report.read > 0
                if report.ring_push:
                    self.ring(f"push:{channel}")
                if report.ring_halts:
                    self.ring(f"halts:{channel}")
        if busy:
            self.ring("early", after_s=self._settings.sweep_s)

    def _reading(self, channel: str) -> dict[str, Any]:
        return {
            "channel": channel,
            "orders_lag_s": self._vendor(channel).orders_lag_s,
            "now": self.works.now,
            "hear": partial(self._poll, channel, self._lanes[channel].client),
        }

    def _work_halts(self, channel: str) -> None:
        client = self._lanes[channel].client
        report = halts.work_halts(self.engine, client, channel=channel, now=self.works.now)
        if report.ring_push:
            self.ring(f"push:{channel}")

    def _look_into_mailbox(self) -> None:
        """The partner put a file there: it is found when the mailbox is looked into next."""
        self.ring("exchange", after_s=LOOKS_S - self.works.now_s % LOOKS_S + _HOP_S)

    def _exchange(self) -> None:
        """A visit to the mailbox."""
        with transaction(self.engine) as connection:
            partner = edi_desk.partner(connection, PARTNER)
        mailbox = self._accounts.partner.mailbox
        done = edi_exchange.visit(self.engine, partner, mailbox, now=self.works.now)
        if done.stopped or done.refused:
            raise AssertionError(f"{PARTNER}: {done.stopped or done.refused}")
        if done.kept:
            self.ring("trade")

    def _trade(self) -> None:
        """Interchanges are worked: promised, committed and answered."""
        done = edi_work.work(self._drain, now=self.works.now())
        if any(each.applied for each in done):
            self.when_promised()
            self.ring("allocate")
            self.ring("early", after_s=self._settings.sweep_s)
        if done:
            self.ring("exchange")
            self._look_soon()

    def _vendor(self, channel: str) -> Vendor:
        kinds = {SHOP: "shopify", TILLS: "square", MARKET: "amazon", PARTNER: "edi"}
        return LANES[kinds[channel]]

    def _hear(self, channel: str) -> None:
        """The quarter hour's poll of orders; once more where the vendor does not tell of the last one lost yet."""
        self._poll(channel, self._lanes[channel].client)
        lag_s = self._vendor(channel).orders_lag_s
        if self.works.now_s - self._lost_at[channel] <= lag_s:
            self._at_window(f"hear:{channel}")

    def _poll(self, channel: str, client: Channel) -> None:
        report = orders.poll_orders(
            self.engine,
            client,
            channel=channel,
            now=self.works.now,
            overlap_s=self._settings.orders_overlap_s,
            lag_s=self._vendor(channel).orders_lag_s,
        )
        if report.fresh:
            self.ring("drain")

    def _look_soon(self) -> None:
        self.ring("sweep", after_s=self._settings.sweep_s)

    def _sweep(self) -> None:
        if self._due_in_s() == 0.0:
            self._swept()
        ahead_s = self._due_in_s()
        if ahead_s is not None:
            step = self._settings.sweep_s
            # What is overdue and stays so is not looked at for ever so often.
            self._in_vain = 0 if ahead_s else min(self._in_vain + 1, _MOST_IN_VAIN)
            self.ring("sweep", after_s=step * (2.0 ** max(0, self._in_vain - 3) + ahead_s // step))

    def _due_in_s(self) -> float | None:
        """Seconds until something is due that no bell rings for; None when nothing ever is."""
        at = book.next_at(self.engine, self.works.now())
        return None if at is None else max(0.0, self.works.seconds(at) - self.works.now_s)

    def _swept(self) -> None:
        waiting = sweep.sweep(self.engine, now=self.works.now())
        for bell in found(waiting, self._accounts.selling):
            self.ring(bell)
