"""A house in front of a simulated shop, by the wall's clock: its workers, its command line, and Slack."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from channels import bindings
from channels.base import ChannelError
from channels.simulators.serve import Running, start
from ledger import inbox
from ledger.db import transaction
from tests.alerts.desk import Desk, a_desk
from tests.alerts.played import text_of
from tests.alerts.runbooks import argv, page_of
from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Clock, Database
from tests.workers import shopify_house
from tests.workers.shelf import apply, list_skus
from tests.workers.shopify_house import SKUS
from workers import chores
from workers.alerts.rules import RULES
from workers.flows import halts, ingest, orders, push, reconcile, verify
from workers.flows.alerts import Watched
from workers.flows.allocate import allocate
from workers.settings import Settings
from workers.wiring import Wiring, now

#: Exit codes of a command that has done its work: 3 says that there are differences.
FINE = (0, 3)
#: Commands that stay: in a drill they do their work once.
STAYING = ("worker", "beat")
#: What a table names as the way out in another case than the one that is drilled.
ONLY_NAMED = ("lockstep channel certify CHANNEL", "lockstep db upgrade")
_MOMENTS = {
    "target": ("set_at",),
    "push": ("sent_at", "answered_at"),
    "shown": ("confirmed_at", "read_at"),
    "drift": ("seen_at", "last_at"),
    "alarm": ("since", "last_at"),
}


@dataclass
class Drill:
    """One drill.

    environment    of the commands
    words          what the words in capitals of a page stand for
    staying        what a worker does that a page starts
    """

    desk: Desk
    house: Wiring
    environment: dict[str, str]
    words: dict[str, str] = field(default_factory=dict)
    staying: Callable[[], None] = lambda: None
    ran: list[str] = field(default_factory=list)

    # --- alerts -------------------------------------------------------------------------------------------------------

    def look(self, after_s: float = 0.0) -> Watched:
        """Look at every rule, so much later than now, and tell all of it."""
        self.desk.clock.now = max(self.desk.clock.now, now()) + timedelta(seconds=after_s)
        return self.desk.round()

    def told(self, rule: str) -> str:
        """What Slack shows of the rule's newest incident; "" when it shows none."""
        mine = [
            text_of(root)
            for root in self.desk.slack.roots
            if root["metadata"]["event_payload"]["incident"] in self._incidents(rule)
        ]
        return mine[-1] if mine else ""

    def is_over(self, rule: str) -> bool:
        """Whether it is resolved, and its thread says so."""
        incidents = self._incidents(rule)
        threads = [
            each
            for each in self.desk.slack.messages.values()
            if each["metadata"]["event_payload"]["part"] == "resolved"
            and each["metadata"]["event_payload"]["incident"] in incidents
        ]
        return "[RESOLVED]" in self.told(rule) and bool(threads)

    def _incidents(self, rule: str) -> list[str]:
        rows = self.desk.rows("SELECT id FROM incident WHERE rule = :rule ORDER BY id", rule=rule)
        return [f"inc-{row[0]}" for row in rows]

    # --- the page -----------------------------------------------------------------------------------------------------

    def follow(self, rule: str, section: str, *, codes: tuple[int, ...] = FINE) -> list[Said]:
        """Run what a section of the rule's page says, one after the other."""
        return [self.run(step, codes=codes) for step in page_of(rule).steps(section)]

    def diagnose(self, rule: str, not_here: tuple[str, ...], codes: tuple[int, ...]) -> None:
        """Run every command of the page's table once."""
        for command in dict.fromkeys(page_of(rule).commands("Diagnose")):
            if command not in (*not_here, *ONLY_NAMED):
                self.run(command, codes=codes)

    def run(self, command: str, *, codes: tuple[int, ...] = FINE) -> Said:
        """Run one command as on-call does."""
        arguments = argv(command, **self.words)
        self.ran.append(" ".join(arguments))
        if arguments[0] in STAYING:
            self.staying()
            return Said(0, "", "")
        said = lockstep(*arguments, environment=self.environment)
        assert said.code in codes, f"{arguments}: {said.code}: {said.out}{said.err}"
        return said

    def drill(
        self,
        rule: str,
        *,
        mend: Callable[[], None] = lambda: None,
        work: Callable[[], None] = lambda: None,
        after_s: float = 0.0,
        sick: tuple[int, ...] = FINE,
        not_here: tuple[str, ...] = (),
    ) -> None:
        """Follow the page from the alert to its end.

        mend       what on-call does elsewhere before the fix
        work       what the house does by itself, after each section
        after_s    how long the rule must be kept before it is over
        sick       exit codes of commands before the fix
        not_here   commands of the table that make no sense in this case
        """
        self.look()
        said = self.told(rule)
        assert page_of(rule).title in said
        assert RULES[rule].runbook in said
        self.follow(rule, "Stop the bleeding", codes=sick)
        work()
        self.follow(rule, "Confirm", codes=sick)
        self.diagnose(rule, not_here, sick)
        mend()
        self.follow(rule, "Fix")
        work()
        for seconds in (0.0, after_s, RULES[rule].every_s, RULES[rule].calm_s):
            self.look(seconds)
        self.follow(rule, "Verify")
        assert self.is_over(rule), self.told(rule)


@dataclass
class ShopDrill(Drill):
    """A drill with a Shopify shop: Oslo and Bergen, three SKUs, shown and certified."""

    rig: ShopifyRig = field(kw_only=True)

    def work(self) -> None:
        """What the workers would do now, each once."""
        self.drain()
        allocate(self.house.engine, now=now, rise_wait_s=0)
        self.halts()
        self.push()
        self.verify()

    def drain(self) -> None:
        ingest.drain(self.house.house, now=now())

    def halts(self) -> None:
        client = self.house.client(CHANNEL)
        halts.work_halts(self.house.engine, client, channel=CHANNEL, now=now)

    def push(self) -> None:
        push.push(self.house.push_lane(CHANNEL))

    def verify(self) -> None:
        time.sleep(0.01)
        with suppress(ChannelError):
            verify.verify(self.house.push_lane(CHANNEL))

    def settle(self, seconds: float = 120) -> None:
        """Two minutes go by: what was pushed is no longer on its way."""
        for table, columns in _MOMENTS.items():
            for column in columns:
                self.older(table, column, seconds)

    def poll(self) -> None:
        """The poll of orders that the clock asks for."""
        orders.poll_orders(
            self.house.engine, self.house.client(CHANNEL), channel=CHANNEL, now=now, overlap_s=60
        )

    def reconcile(self) -> None:
        """The window that is open now, and the second look at what differs; then fifteen minutes are over."""
        windows = reconcile.open_windows(self.house.engine, now=now(), window_s=900)
        for channel, window_at in windows.opened:
            chores.reconcile_channel(self.house, channel, window_at.isoformat())
        for column in ("observed_at", "due_at", "until_at"):
            self.older("second_look", column, 70)
        # What was done, and what the shop says of it, lies further back: nothing was read within seconds of a call.
        self.older("second_look", "updated_at", 85)
        self.settle(85)
        chores.read_early(self.house, CHANNEL)
        # Far away and back, because no two rows may meet on the way.
        for away in ("- interval '100 years'", "+ interval '100 years' - interval '900 s'"):
            self.desk.run(f"UPDATE run SET window_at = window_at {away}")  # noqa: S608 - constants

    def fact(self, **fact: Any) -> None:
        """A fact of the warehouse, booked."""
        body = {"source": "wms", "occurred_at": now().isoformat(), **fact}
        self.deliver("fact", json.dumps(body).encode(), source="wms", name=str(fact["id"]))
        self.drain()

    def deliver(self, topic: str, body: bytes, *, source: str = CHANNEL, name: str = "d-1") -> None:
        """A delivery as the relay keeps it."""
        with transaction(self.house.engine) as connection:
            delivery = inbox.Delivery(source, name, topic, body)
            inbox.keep(connection, [delivery], now=now())

    def older(self, table: str, column: str, seconds: float) -> None:
        """What is in a table has been so for so long."""
        self.desk.as_superuser(
            f"UPDATE {table} SET {column} = {column} - make_interval(secs => :s)",  # noqa: S608 - names from a test
            s=seconds,
        )


@contextmanager
def a_shop() -> Iterator[Running]:
    """The simulator on a free port, by the wall's clock."""
    running = start("shopify")
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def a_drill(database: Database, **wished: Any) -> Iterator[Drill]:
    """A house with nothing in it, and its three doors."""
    with a_desk(database, Clock(datetime.now(UTC))) as desk:
        environment = surroundings(database, **desk.environment())
        house = Wiring(Settings(database_url=database.app_url, **wished))
        yield Drill(desk, house, environment)
        house.close()


@contextmanager
def a_shop_drill(running: Running, database: Database, valkey: str) -> Iterator[ShopDrill]:
    """The shop as new, its SKUs stocked and shown."""
    rig = ShopifyRig(running)
    secrets = {"token": running.facts.token, "webhook_secrets": [running.facts.webhook_secret]}
    said = json.dumps({CHANNEL: secrets})
    settings = Settings.model_validate(
        {
            "database_url": database.app_url,
            "redis_url": valkey,
            "channel_secrets": said,
            "rise_wait_s": 0,
            "verify_after_s": 0,
        }
    )
    with a_desk(database, Clock(datetime.now(UTC))) as desk:
        more = {"LOCKSTEP_REDIS_URL": valkey, "LOCKSTEP_CHANNEL_SECRETS": said}
        environment = surroundings(database, **desk.environment(), **more)
        words = {"CHANNEL": CHANNEL, "SKU": "SKU-A", "LOCATION": "OSLO", "SOURCE": CHANNEL}
        drill = ShopDrill(desk, Wiring(settings), environment, words, rig=rig)
        drill.staying = drill.work
        _furnish(drill, running)
        yield drill
        drill.house.close()
        rig.close()


def _furnish(drill: ShopDrill, running: Running) -> None:
    places = drill.rig.places
    rules = shopify_house.RULES.format(
        channel=CHANNEL, oslo=places["Oslo"], bergen=places["Bergen"]
    )
    with transaction(drill.house.engine) as connection:
        list_skus(connection, SKUS)
        apply(connection, rules, now())
    drill.desk.run("UPDATE channel SET base_url = :url", url=running.facts.base_url)
    with transaction(drill.house.engine) as connection:
        mapped = {places["Oslo"]: "OSLO", places["Bergen"]: "BERGEN"}
        found = list(drill.house.client(CHANNEL).bindings(mapped))
        bindings.bind(connection, found, now=now())
    for sku in SKUS:
        for location, units in (("OSLO", 10), ("BERGEN", 20)):
            drill.fact(
                kind="opening", id=f"{sku}@{location}", sku=sku, location=location, units=units
            )
    drill.work()
    drill.settle()
