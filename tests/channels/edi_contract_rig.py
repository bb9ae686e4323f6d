"""A wholesale partner with its mailbox behind SFTP, our client of it, and the house that carries documents between.

A partner answers nothing at once. Here a call is a document with its whole journey: posted, put into the mailbox by a
visit, taken and judged by the partner, its 997 fetched and worked, as the house's tasks do within minutes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, text

from allocation import store
from allocation.document import read
from channels.base import Binding, Channel, Level, Outcome, Unauthorised, Unavailable
from channels.edi import visits
from channels.edi.client import WholesalePartner
from channels.edi.exchange import Exchange, exchange_of
from channels.edi.partner import Partner
from channels.registry import LANES
from channels.simulators.clock import Clock
from channels.simulators.edi.serving import EdiRunning, start_edi
from ledger.context import Catalogue
from ledger.db import transaction
from tests.builders import balance, book, may_write
from workers.flows import edi_desk, edi_exchange, edi_work
from workers.flows.edi_exchange import Visit
from workers.flows.ingest import House

CHANNEL = "northmart"
PLACE = "DC1"
#: Ours -> the partner's own number.
ITEMS = {"SKU-A": "100-A", "SKU-B": "100-B", "SKU-C": "100-C"}
ACK_DUE_S = 24 * 3600.0
#: The partner looks into its mailbox when it is told to, so that nothing happens between two lines of a test.
NEVER_S = 1e9

RULES = """\
[locations.OSLO]
[channels.northmart]
kind = "edi"
base_url = "{base_url}"
locations = ["OSLO"]
vendor_locations = {{ "DC1" = "OSLO" }}
[channels.northmart.options]
our_id = "{ours}"
partner_id = "{theirs}"
version = "{version}"
places = "{places}"
promise = "available"
"""


class Carried(WholesalePartner):
    """Our client; `carry` takes each of its documents to the partner and the answer back."""

    def __init__(
        self,
        partner: Partner,
        memory: Engine,
        *,
        now: Callable[[], datetime],
        carry: Callable[[], None],
    ) -> None:
        super().__init__(partner, memory, now=now)
        self._carry = carry

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        outcomes = super().push(levels, key=key)
        self._carry()
        return outcomes

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        undo = super().stop_sale(binding)
        self._carry()
        return undo


class EdiRig:
    """One partner that was told 10 units of each item and acknowledged it; see `contract.Rig`."""

    def __init__(self, running: EdiRunning, engine: Engine, *, places: str) -> None:
        assert running.sftp is not None, "the partner's mailbox wants the extra `sftp`"
        self._running, self._face, self.engine = running, running.sftp, engine
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {running.facts.control_token}"
        self.box = self.mailbox(running.facts.password)
        self.clear_faults()
        self.do("reset")
        self.do("store", code="0100")
        self.do("items", items=[{"sku": sku, "ids": {"SK": ITEMS[sku]}} for sku in ITEMS])
        self._open_house(places)
        self.channel: Channel = self.client(self.box)
        self.channel.push([Level(at, 10, 0) for at in self.bindings().values()], key="opening")
        self._told_first = {sku: self._told(sku) for sku in ITEMS}

    def _open_house(self, places: str) -> None:
        facts = self._running.facts
        rules = RULES.format(
            base_url=self._address,
            ours=f"{facts.our_qualifier}:{facts.our_id}",
            theirs=f"{facts.partner_qualifier}:{facts.partner_id}",
            version=facts.version,
            places=places,
        )
        with self.engine.begin() as connection:
            connection.execute(text("INSERT INTO sku (sku) VALUES ('SKU-A'), ('SKU-B'), ('SKU-C')"))
            store.apply_rules(connection, rules, read(rules), "ann", "test", self.now())
            may_write(connection)
            for sku, item in ITEMS.items():
                connection.execute(
                    text("""
                        INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id)
                        VALUES ('northmart', :sku, 'OSLO', :item, 'DC1', :item)
                    """),
                    {"sku": sku, "item": item},
                )
        for sku in ITEMS:
            self._receive(sku, 10)

    def _receive(self, sku: str, units: int) -> None:
        fact = {
            "kind": "receipt",
            "source": "wms",
            "id": f"in:{sku}",
            "occurred_at": self.now().isoformat(),
            "sku": sku,
            "location": "OSLO",
            "units": units,
        }
        book(self.engine, fact, now=self.now())

    # -- our side -------------------------------------------------------------------------------------------------

    @property
    def partner(self) -> Partner:
        with transaction(self.engine) as connection:
            return edi_desk.partner(connection, CHANNEL)

    def mailbox(self, password: str) -> Exchange:
        """The mailbox as somebody with this password reaches it."""
        facts = self._running.facts
        secrets = {"host_key": facts.host_key, "user": facts.user, "password": password}
        return exchange_of(self._address, secrets, quiet_s=0)

    @property
    def _address(self) -> str:
        """Rules name no users."""
        facts = self._running.facts
        return facts.sftp_url.replace(f"{facts.user}@", "")

    def client(self, box: Exchange) -> Carried:
        """A client of ours whose documents travel through this mailbox."""
        return Carried(self.partner, self.engine, now=self.now, carry=lambda: self.carry(box))

    def stranger(self) -> Carried:
        return self.client(self.mailbox("nobody knows"))

    def visit(self, box: Exchange | None = None) -> Visit:
        """One visit of the house to the mailbox; a fault that was set strikes one visit."""
        try:
            return edi_exchange.visit(self.engine, self.partner, box or self.box, now=self.now)
        finally:
            self._mend()

    def carry(self, box: Exchange | None = None) -> None:
        """What is posted goes to the partner, and what it answers is worked.

        raises    Unauthorised, Unavailable when the visit to the mailbox ended so
        """
        self._bring(box)
        self.hear()

    def _bring(self, box: Exchange | None = None) -> None:
        visited = self.visit(box)
        if visited.stopped:
            raise (Unauthorised if visited.person_needed else Unavailable)(visited.stopped)
        self.do("collect")

    def begin(self, levels: Sequence[Level]) -> None:
        """Push, and let the partner answer; the answer is not fetched."""
        client = WholesalePartner(self.partner, self.engine, now=self.now)
        client.push(levels, key="begun")
        self._bring()

    def hear(self) -> None:
        """Fetch what the partner sent and work it; what we answer is put there by the next visit."""
        visited = self.visit()
        assert not visited.stopped, visited.stopped
        edi_work.work(House(self.engine, LANES, Catalogue(), os.urandom), now=self.now())

    def posted(self) -> list[bytes]:
        """Interchanges that wait for the next visit, in the order of their numbers."""
        with transaction(self.engine) as connection:
            return [body for *_, body in visits.unsent(connection, CHANNEL, most=100)]

    def balance(self, sku: str) -> dict[str, int]:
        """The units of a SKU in our ledger, by bucket."""
        return balance(self.engine, sku, "OSLO")

    def bindings(self) -> dict[str, Binding]:
        return {
            sku: Binding(CHANNEL, sku, "OSLO", item, PLACE, item) for sku, item in ITEMS.items()
        }

    def unknown(self, binding: Binding) -> Binding:
        return replace(binding, item_id="999-Z", variant_id="999-Z")

    # -- the partner's side ---------------------------------------------------------------------------------------

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the control plane."""
        url = f"{self._running.facts.control_url}/{verb}"
        answer = self._session.post(url, json=facts, timeout=5)
        assert answer.ok, answer.text
        return answer.json()

    def now(self) -> datetime:
        return self._running.simulator.clock.now()

    def shown(self, sku: str) -> int:
        """What the newest 846 that the partner kept says of an item."""
        return int(self.do("state", sku=sku)["shown"][sku][PLACE]["33"])

    def availabilities(self) -> list[str]:
        """The 846s that the partner kept, as text, oldest first; repeats are not kept."""
        received = self.do("state")["received"]
        kept = [one["name"] for one in received if "846" in one["sets"] and "A" in one["verdicts"]]
        return [str(self.do("document", name=name)["text"]) for name in kept]

    def _told(self, sku: str) -> int:
        return sum(f"*SK*{ITEMS[sku]}~" in said for said in self.availabilities())

    def changes(self, sku: str) -> int:
        return self._told(sku) - self._told_first[sku]

    def complaints(self) -> list[str]:
        """What the partner finds wrong with our documents."""
        found = self.do("complaints")
        return [f"{one['severity']}: {one['text']}" for one in found["complaints"]]

    def sellable(self, sku: str) -> bool:
        """The partner's buyers order what its own catalogue, told by 846, says is there."""
        if self.shown(sku) < 1:
            return False
        return self.promised(self.order(sku, 1)) == [{"IA": 1}]

    def order(self, sku: str, units: int, **more: Any) -> str:
        """A buyer's 850, with our answer to it brought to the partner."""
        placed = self.do("purchase_order", lines=[{"sku": sku, "units": units}], **more)
        self.deal()
        return str(placed["order"])

    def deal(self) -> None:
        """What lies in the mailbox is worked, and our answers are judged."""
        self.hear()
        self.carry()

    def promised(self, order: str) -> list[dict[str, int]]:
        """Units by ACK01 of each line, as our newest answer says."""
        said = self.do("state", order=order)["orders"][order]
        return [line["promised"] for line in said["lines"]]

    def drift(self, sku: str, units: int) -> None:
        simulator = self._running.simulator
        with simulator.partner.lock:
            simulator.partner.books.shown[sku, PLACE].counts["33"] += units

    def advance(self, seconds: float) -> None:
        """Time goes by; what was due is sent by the partner and missed by the house."""
        self.do("advance", seconds=seconds)
        assert self._running.simulator.agenda.settle()
        edi_exchange.find_overdue(self.engine, now=self.now())

    # -- bad luck -------------------------------------------------------------------------------------------------

    def fault(self, kind: str, **how: object) -> None:
        """A vendor's troubles in the shape they have with a mailbox; those of the line strike one visit.

        swallow               the partner loses our file after it took it: no 997 ever comes
        reset_after_apply     our file lies there under its name, and the line is gone before we hear so
        truncate              half of our file is written when the line breaks
        failed_write          the server refuses the file its name
        server_error          the mailbox is not there, as when a share is not mounted
        latency               the line was silent for too long and was cut
        """
        if kind == "swallow":
            self.do("fault", kind=kind, topic="846", count=how.get("count"))
        elif kind == "server_error":
            self._outbound.rename(self._put_aside)
        elif kind == "latency":
            self._face.hang_up()
        else:
            self._face.before_rename = {
                "reset_after_apply": self._move_and_hang_up,
                "truncate": self._cut_and_hang_up,
                "failed_write": _refuse,
            }[kind]

    def clear_faults(self) -> None:
        self.do("clear_faults")
        self._mend()

    def _mend(self) -> None:
        self._face.before_rename = lambda _: None
        if self._put_aside.exists():
            self._put_aside.rename(self._outbound)

    @property
    def _outbound(self) -> Path:
        return self._face.root / "outbound"

    @property
    def _put_aside(self) -> Path:
        return self._face.root / "outbound.unmounted"

    def _move_and_hang_up(self, draft: str) -> None:
        path = self._face.root / draft.lstrip("/")
        # A draft is called `.NAME.RANDOM.tmp`.
        path.rename(path.with_name(path.name.removeprefix(".").rsplit(".", 2)[0]))
        self._face.hang_up()

    def _cut_and_hang_up(self, draft: str) -> None:
        path = self._face.root / draft.lstrip("/")
        os.truncate(path, path.stat().st_size // 2)
        self._face.hang_up()
        raise OSError(5, "the line broke")

    def close(self) -> None:
        """Give the connections back."""
        self.box.close()
        self._session.close()


def _refuse(_: str) -> None:
    raise OSError(28, "no space left")


@contextmanager
def a_partner(version: str) -> Iterator[EdiRunning]:
    """The partner on free ports, its clock held."""
    running = start_edi(clock=Clock.held(), version=version, poll_s=NEVER_S)
    try:
        yield running
    finally:
        running.stop()
