"""A wholesale partner in a schedule: its computer, and the mailbox between us, whose files lie in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

from channels.base import Binding, Unavailable
from channels.edi.mailbox import FAILED, INBOUND, OUTBOUND, Entry, Mailbox
from channels.simulators.agenda import Agenda
from channels.simulators.clock import Clock
from channels.simulators.courier import Post
from channels.simulators.edi.app import make_app
from channels.simulators.edi.control import Control
from channels.simulators.edi.folders import Folders
from channels.simulators.edi.partner import Refused
from channels.simulators.edi.simulator import EdiSimulator
from console.chaos.account import Account, by_verb
from console.chaos.casts import Cast
from console.chaos.stage import Stage
from console.chaos.types import Weather

#: What a partner may refuse by itself.
REFUSALS: Final = (Refused,)
#: Its name of the place that serves it, and how often it looks into the mailbox.
_STORE: Final = "0001"
_LOOKS_S: Final = 20.0
_NEXT: Final = 1000
#: What goes wrong with its files. One of ours that it loses is told a day later, when its 997 is overdue.
FAULTS: Final = ("webhook_duplicate", "webhook_late", "webhook_reorder", "webhook_drop")
#: Seconds of one thing done in a mailbox; how long one waits for a server that does not answer.
_WAY_S: Final = (0.02, 0.3)
_GIVES_UP_S: Final = 30.0
#: ACK01 of units that the book commits.
_ACCEPTED: Final = ("IA", "IQ")

T = TypeVar("T")


@dataclass
class Shelves(Folders):
    """The files of a mailbox, as its disk and as the partner see them.

    files    path -> content, and when it was put there
    put_in   control numbers of the interchanges that came into inbound/, and when
    """

    clock: Clock
    files: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    put_in: dict[str, datetime] = field(default_factory=dict)

    # ---- as the partner uses them ----

    def put(self, name: str, data: bytes, at: datetime) -> None:
        """A whole file at once; its name ends with the control number."""
        self.files[f"{INBOUND}/{name}"] = (data, at.timestamp())
        self.put_in.setdefault(name.removesuffix(".edi").rpartition("-")[2], at)

    def take(self) -> list[tuple[str, bytes]]:
        """Every whole file of outbound/, oldest first; they are gone afterwards."""
        found = sorted((e.modified_s, e.name) for e in self.entries(OUTBOUND) if e.name[0] != ".")
        return [(name, self.files.pop(f"{OUTBOUND}/{name}")[0]) for _, name in found]

    def refused(self) -> list[str]:
        """Files that we did not take."""
        return sorted(path for path in self.files if path.startswith(FAILED))

    def clear(self) -> None:
        """Remove every file."""
        self.files.clear()

    # ---- as a disk ----

    def entries(self, folder: str) -> list[Entry]:
        """Files of a folder."""
        return [
            Entry(path.rpartition("/")[2], len(body), at_s)
            for path, (body, at_s) in self.files.items()
            if path.rpartition("/")[0] == folder
        ]

    def find(self, path: str) -> Entry | None:
        """One file."""
        found = self.files.get(path)
        return found and Entry(path.rpartition("/")[2], len(found[0]), found[1])

    def read(self, path: str, most: int) -> bytes | None:
        """What a file holds."""
        found = self.files.get(path)
        return found and found[0][:most]

    def write(self, path: str, body: bytes) -> None:
        """A new file."""
        self.files[path] = (body, self.clock.now().timestamp())

    def move(self, source: str, target: str) -> None:
        """Rename, never over another file."""
        if target in self.files:
            raise FileExistsError(target)
        if source not in self.files:
            raise FileNotFoundError(source)
        self.files[target] = self.files.pop(source)

    def settle(self, source: str, target: str) -> bool:
        """Nothing is ever half moved here: another file lies there."""
        return source not in self.files

    def remove(self, path: str) -> None:
        """Remove a file."""
        self.files.pop(path, None)

    def make_folder(self, path: str) -> None:
        """Folders come with their files."""


class Box:
    """Our side of the mailbox: everything done there is a call that may be lost, late or never answered."""

    def __init__(
        self,
        name: str,
        shelves: Shelves,
        stage: Stage,
        clock: Clock,
        dice: Random,
        weather: Callable[[], Weather],
        taken: Callable[[bytes], bytes],
    ) -> None:
        # The partner renames what it has written: no file of it grows.
        self._mailbox = Mailbox(shelves, name, quiet_s=0.0)
        self._name, self._stage, self._clock = name, stage, clock
        self._dice, self._weather, self._taken = dice, weather, taken

    def inbound(self) -> list[str]:
        """See `channels.edi.mailbox.Exchange`, as of what follows."""
        return self._call(self._mailbox.inbound)

    def take(self, name: str) -> bytes:
        """The whole file."""
        return self._taken(self._call(lambda: self._mailbox.take(name)))

    def archive(self, name: str) -> None:
        """Put away what was kept."""
        self._call(lambda: self._mailbox.archive(name))

    def fail(self, name: str, reason: str) -> None:
        """Put away what cannot be read."""
        self._call(lambda: self._mailbox.fail(name, reason))

    def send(self, name: str, body: bytes) -> None:
        """Put a file where the partner finds it."""
        self._call(lambda: self._mailbox.send(name, body))

    def close(self) -> None:
        """Nothing is held."""

    def _call(self, deed: Callable[[], T]) -> T:
        stage, weather, dice = self._stage, self._weather(), self._dice
        stage.refuse_inside_transaction()
        stage.hand_over(f"calls {self._name}")
        stage.point("before a call")
        if dice.random() < weather.call_lost:
            self._pass(dice.choice((0.05, _GIVES_UP_S)))
            raise Unavailable(f"{self._name}: the server does not answer")
        self._pass(dice.uniform(1.0, 25.0) if dice.random() < weather.call_slow else _WAY_S[0])
        found = deed()
        self._pass(dice.uniform(*_WAY_S))
        stage.point("after a call")
        if dice.random() < weather.answer_lost:
            raise Unavailable(f"{self._name}: the connection broke")
        return found

    def _pass(self, seconds: float) -> None:
        until = self._clock.now() + timedelta(seconds=seconds)
        self._stage.hand_over(f"waits for {self._name}", until=until)


def edi(
    name: str,
    cast: Cast,
    clock: Clock,
    post: Post,
    stock: Mapping[tuple[str, str], int],
    number: int,
) -> Account:
    """A partner that buys what lies at the first place.

    stock    (SKU, location of ours) -> units that the newest 846 told it before the schedule began
    """
    shelves = Shelves(clock)
    simulator = EdiSimulator(
        clock,
        Path(name),
        poll_s=_LOOKS_S,
        seed=number,
        agenda=Agenda(clock, threads=0),
        folders=shelves,
    )
    do = partial(by_verb, Control(simulator).verbs())
    place = cast.places[0]
    # It has sent others while the house was opened.
    do("reset_counters", to=_NEXT if stock else 1)
    do("store", code=_STORE)
    do("items", items=[{"sku": sku} for sku in cast.skus])
    return Account(
        name=name,
        kind="edi",
        base_url=f"file:///{name}",
        simulator=simulator,
        app=make_app(simulator),
        secrets={},
        webhook_secret="",
        do=do,
        places={place: _STORE},
        levels=partial(_levels, do, place, stock),
        listen=lambda topics, uri: None,
        options={"our_id": "ZZ:LOCKSTEP", "partner_id": "ZZ:NORTHMART", "poll_s": "30"},
        listed=tuple(Binding(name, sku, place, sku, _STORE, sku) for sku in cast.skus),
        shelves=shelves,
        faults=FAULTS,
    )


def _levels(
    do: Callable[..., Any], place: str, before: Mapping[tuple[str, str], int]
) -> dict[tuple[str, str], int]:
    shown = do("state")["shown"]
    told = {(sku, place): int(counts["33"]) for sku, at in shown.items() for counts in at.values()}
    return dict(before) | told


def promised(account: Account) -> Counter[tuple[str, str]]:
    """Units that a partner was promised and not yet sent, by SKU and location, as its own books say."""
    (place,) = account.places
    found: Counter[tuple[str, str]] = Counter()
    for order in account.do("state")["orders"].values():
        for line in order["lines"]:
            found[line["sku"], place] += sum(line["promised"].get(code, 0) for code in _ACCEPTED)
    return found
