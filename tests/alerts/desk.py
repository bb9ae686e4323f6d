"""A desk with Slack, PagerDuty and a listener of one's own on it, and the two hands of alerts: looking and telling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from tests.alerts import played
from tests.servers import Clock, Database
from workers.alerts.doors import Door, doors_of
from workers.alerts.types import Delivered, Limits
from workers.flows import alerts
from workers.flows.alerts import Watched
from workers.settings import Settings

_DRIFT = (
    "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at)"
    " VALUES ('shop', :sku, 'WH', :expected, :actual, 'swallowed_update', 're-push', :at, :at)"
)


@dataclass
class Desk:
    """What people see of a house."""

    database: Database
    clock: Clock
    slack: played.Slack
    pagerduty: played.PagerDuty
    listener: played.Listener
    limits: Limits = field(default_factory=Limits)
    wished: dict[str, Any] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        return self.database.engine

    def settings(self) -> Settings:
        """Settings with all three doors."""
        given = {f"alert_{name}": value for name, value in self.addresses().items()}
        return Settings.model_validate(given | self.wished)

    def addresses(self) -> dict[str, str]:
        """The doors as settings."""
        return {
            "slack_token": self.slack.token,
            "slack_channel": played.CHANNEL,
            "slack_url": f"{self.slack.url}/api/",
            "pagerduty_key": played.KEY,
            "pagerduty_url": self.pagerduty.url,
            "webhook_url": f"{self.listener.url}/alerts?from=lockstep",
            "webhook_secret": "hush",
        }

    def environment(self) -> dict[str, str]:
        """The doors as the environment of a command."""
        return {f"LOCKSTEP_ALERT_{name.upper()}": v for name, v in self.addresses().items()}

    @property
    def doors(self) -> list[Door]:
        return doors_of(self.settings())

    def look(self) -> Watched:
        """Look at every rule."""
        return alerts.watch(
            self.engine,
            now=self.clock.now,
            limits=self.limits,
            doors=[door.name for door in self.doors],
            env="prod",
        )

    def tell(self) -> Delivered:
        """Tell the doors what waits now."""
        return alerts.deliver(self.engine, self.doors, now=lambda: self.clock.now)

    def settle(self, most: int = 20) -> None:
        """Tell until nothing waits for less than a minute."""
        for _ in range(most):
            again_s = self.tell().again_s
            if again_s is None or again_s > 60:
                return
            self.clock.advance(again_s)

    def round(self) -> Watched:
        """Look, then tell all of it."""
        done = self.look()
        assert not done.failed, done.failed
        self.settle()
        return done

    def run(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def as_superuser(self, statement: str, **values: object) -> None:
        """Write what no program of ours would."""
        with self.database.superuser.begin() as connection:
            connection.execute(text(statement), values)

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def on(self, rule: str | None = None) -> list[str]:
        """Objects of alarms that are on."""
        found = self.rows(
            "SELECT object FROM alarm WHERE resolved_at IS NULL AND (CAST(:rule AS text) IS NULL OR rule = :rule)"
            " ORDER BY object",
            rule=rule,
        )
        return [row[0] for row in found]

    @property
    def now(self) -> datetime:
        return self.clock.now


@contextmanager
def a_desk(database: Database, clock: Clock) -> Iterator[Desk]:
    """All three listen until the block ends."""
    slack, pagerduty, listener = played.Slack(), played.PagerDuty(), played.Listener()
    with ExitStack() as stack:
        for each in (slack, pagerduty, listener):
            stack.enter_context(played.served(each))
        yield Desk(database, clock, slack, pagerduty, listener)


def drift(desk: Desk, sku: str = "A", expected: int = 30, actual: int = 50) -> None:
    """A drift that reconciliation has found."""
    desk.run(_DRIFT, sku=sku, expected=expected, actual=actual, at=desk.now)


def repaired(desk: Desk, sku: str = "A") -> None:
    """It is over."""
    desk.run("UPDATE drift SET resolved_at = :at WHERE sku = :sku", at=desk.now, sku=sku)


def post_rows(desk: Desk) -> list[tuple[Any, ...]]:
    """(door, part, wanted, told, attempts, error) of the outbox."""
    return desk.rows(
        "SELECT door, part, wanted, told, attempts, error FROM alert_post ORDER BY door, part"
    )


def severity(desk: Desk, rule: str) -> str:
    """What the alarm of a rule says, "" when it is the rule's own."""
    return str(desk.rows("SELECT severity FROM alarm WHERE rule = :rule", rule=rule)[0][0])


def look_later(desk: Desk, seconds: float) -> None:
    """Look at every rule so much later."""
    desk.clock.advance(seconds)
    assert not desk.look().failed
