"""One trading partner with its mailbox: it delivers, collects, judges, and answers by 997."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from channels.simulators.agenda import Agenda
from channels.simulators.clock import Clock
from channels.simulators.edi.bodies import functional_ack
from channels.simulators.edi.folders import Folders
from channels.simulators.edi.inspection import GroupVerdict, inspect
from channels.simulators.edi.partner import Partner
from channels.simulators.edi.state import Sent
from channels.simulators.edi.x12 import Address, Way
from channels.simulators.events import EventLog
from channels.simulators.faults import Faults

POLL_S: Final = 1.0
HELD_S: Final = 10
POLICIES: Final = ("judge", "A", "E", "R", "never", "late")
_SET = re.compile(rb"ST[^A-Za-z0-9](\d{3})[^A-Za-z0-9]")


@dataclass(slots=True)
class Acking:
    """How the partner's 997s come about, for groups of one kind (all when ""), `count` times (always when None)."""

    policy: str
    seconds: float = 0.0
    kind: str = ""
    count: int | None = None


class EdiSimulator:
    """A partner whose mailbox lies in `root`; a folder of its own, removed by `stop`, when none is given.

    qualifier, partner_id            the partner's in the ISA; the same id in the GS
    our_qualifier, our_id            the merchant's
    poll_s                           how often it looks into the mailbox, in seconds of its clock
    agenda                           of the same clock, where somebody else does the jobs
    folders                          where the files lie, if not below `root`
    """

    def __init__(
        self,
        clock: Clock | None = None,
        root: Path | None = None,
        *,
        qualifier: str = "ZZ",
        partner_id: str = "NORTHMART",
        our_qualifier: str = "ZZ",
        our_id: str = "LOCKSTEP",
        version: str = "004010",
        control_token: str = "control",
        poll_s: float = POLL_S,
        seed: int = 0,
        agenda: Agenda | None = None,
        folders: Folders | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.control_token, self.poll_s = control_token, poll_s
        self._own_root = root is None
        self.root = Path(tempfile.mkdtemp(prefix="lockstep-edi-")) if root is None else root
        self.folders = folders or Folders(self.root)
        self.log, self.faults = EventLog(), Faults()
        self.agenda = agenda or Agenda(self.clock, threads=1)
        theirs = Address(qualifier, partner_id, partner_id)
        ours = Address(our_qualifier, our_id, our_id)
        self.partner = Partner(self.clock, Way(theirs, ours, version), seed=seed)
        self.way_back = Way(ours, theirs, version)
        self.partner.post = self._post
        self.acking: list[Acking] = []
        self._held: list[Sent] = []
        self._poll_later()

    def reset(self) -> None:
        """Everything forgotten: books, counters, faults, log, and every file of the mailbox."""
        with self.partner.lock:
            self.agenda.clear()
            self.partner.reset()
            self.acking.clear()
            self._held.clear()
            self.faults.clear()
            self.log.clear()
            self.folders.clear()
            self._poll_later()

    def stop(self) -> None:
        """No more polls; a folder of its own goes."""
        self.agenda.stop()
        if self._own_root:
            shutil.rmtree(self.root, ignore_errors=True)

    # -- taking ---------------------------------------------------------------------------------------------------

    def collect(self) -> list[str]:
        """Take what lies in outbound/, judge it and answer it; the names taken, oldest first."""
        with self.partner.lock:
            taken = self.folders.take()
            for name, data in taken:
                self._receive(name, data)
        return [name for name, _ in taken]

    def _poll_later(self) -> None:
        self.agenda.call_at(self.clock.now() + timedelta(seconds=self.poll_s), self._poll)

    def _poll(self) -> None:
        try:
            self.collect()
        finally:
            self._poll_later()

    def _receive(self, name: str, data: bytes) -> None:
        now, books = self.clock.now(), self.partner.books
        kinds = [kind.decode() for kind in _SET.findall(data)]
        topic = kinds[0] if kinds else None
        self._note(
            "file", {"direction": "received", "name": name, "sets": kinds, "bytes": len(data)}
        )
        if self.faults.draw("swallow", now, topic=topic):
            return
        chosen: list[Acking] = []

        def policy(kind: str, honest: str) -> str:
            if kind == "FA":
                return honest
            chosen.append(self._acking_of(kind))
            wish = chosen[-1].policy
            return wish if wish in ("A", "E", "R") else honest

        before = len(books.complaints)
        verdicts = inspect(books, name, data, self.way_back, now, policy)
        for complaint in books.complaints[before:]:
            self._note("complaint", complaint.as_json())
        for verdict, acking in zip(verdicts, chosen, strict=True):
            self._answer(verdict, acking)

    def _acking_of(self, kind: str) -> Acking:
        for one in self.acking:
            if one.kind in ("", kind) and (one.count is None or one.count > 0):
                if one.count is not None:
                    one.count -= 1
                return one
        return Acking("judge")

    def _answer(self, verdict: GroupVerdict, acking: Acking) -> None:
        if acking.policy == "never":
            return
        body = functional_ack(
            verdict.kind, verdict.control, verdict.status, verdict.sets, verdict.claimed
        )

        def send() -> None:
            with self.partner.lock:
                self.partner.send("997", [body])

        if acking.policy == "late":
            self.agenda.call_at(self.clock.now() + timedelta(seconds=acking.seconds), send)
        else:
            send()

    # -- delivering -----------------------------------------------------------------------------------------------

    def _post(self, sent: Sent, skus: Sequence[str]) -> None:
        now, topic = self.clock.now(), sent.sets[0]
        facts: dict[str, object] = {"direction": "sent", "name": sent.name, "sets": list(sent.sets)}
        facts |= {"control": sent.control, "order": sent.order, "bytes": len(sent.data)}
        if self.faults.draw("webhook_drop", now, skus=skus, topic=topic):
            self._note("file", {**facts, "dropped": True})
            return
        self._note("file", facts)
        if late := self.faults.draw("webhook_late", now, skus=skus, topic=topic):
            self.agenda.call_at(now + timedelta(seconds=late.seconds), lambda: self._put(sent))
            return
        if self.faults.draw("webhook_reorder", now, skus=skus, topic=topic):
            self._held.append(sent)
            self.agenda.call_at(now + timedelta(seconds=HELD_S), self._let_go)
            return
        self._put(sent, skus)
        if self.faults.draw("webhook_duplicate", now, skus=skus, topic=topic):
            self._put(sent, skus, name=self.partner.file_name(topic, sent.control))
        self._let_go()

    def _put(self, sent: Sent, skus: Sequence[str] = (), name: str = "") -> None:
        now, topic, data = self.clock.now(), sent.sets[0], sent.data
        if self.faults.draw("truncate", now, skus=skus, topic=topic):
            data = data[: len(data) // 2]
        slow = self.faults.draw("latency", now, skus=skus, topic=topic)
        if slow is not None:
            self.folders.put_slowly(name or sent.name, data, slow.seconds)
        else:
            self.folders.put(name or sent.name, data, now)

    def _let_go(self) -> None:
        with self.partner.lock:
            held, self._held = self._held, []
            for sent in held:
                self._put(sent)

    def _note(self, kind: str, facts: Mapping[str, object]) -> None:
        self.log.append(kind, self.clock.now(), facts)
