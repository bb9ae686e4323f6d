"""A canary for every credential, a whole house at DEBUG in which much goes wrong, and then a look everywhere."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, LiteralString

import psycopg
import pytest
import redis
import requests

from allocation import document, store
from console.local.stack import Stack
from console.metrics.exporter import Exporter
from ledger.db import connect
from tests.builders import a_fact, deliver, may_write, stock_the_house
from tests.console.door import signed
from tests.servers import FIRST_NOW
from workers.settings import Settings
from workers.wiring import Wiring, now

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: Nobody listens there.
DEAD = "http://127.0.0.1:9"
RULES = f"""\
[locations.OSLO]
[channels.shopify]
kind = "shopify"
base_url = "{DEAD}"
account = "one.example"
locations = ["OSLO"]
vendor_locations = {{ "gid://1" = "OSLO" }}
"""
#: Settings that are JSON, or are used to log in at a server of the stack's own.
MADE_OTHERWISE = {"channel_secrets"}


def a_canary(name: str) -> str:
    return f"canary-{name.replace('_', '-')}-7f3a91"


def the_settings() -> Settings:
    """Every secret is a canary; every door out leads nowhere."""
    secret = {
        name: a_canary(name)
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation) and name not in MADE_OTHERWISE
    }
    channel = {
        "token": a_canary("channel-token"),
        "webhook_secrets": [a_canary("webhook-new"), a_canary("webhook-old")],
    }
    return Settings.model_validate(
        secret
        | {
            "channel_secrets": json.dumps({"shopify": channel}),
            "relay_port": 0,
            "flower_port": 0,
            "channels": ("shopify",),
            "log_level": "DEBUG",
            "alert_s": 1,
            "alert_slack_channel": "C1",
            "alert_slack_url": f"{DEAD}/api/",
            "alert_pagerduty_url": DEAD,
            "alert_webhook_url": f"{DEAD}/alerts",
            "case_webhook_url": f"{DEAD}/cases",
        }
    )


@pytest.fixture
def stack() -> Iterator[Stack]:
    with Stack(the_settings(), ephemeral=True) as stack:
        stack.start_servers()
        stack.migrate()
        stack.start_processes()
        yield stack


def until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 90
    while not done():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.2)


def logs(stack: Stack) -> str:
    return "\n".join(
        p.read_text(errors="replace")
        for p in sorted(stack.supervisor.logs.glob("*"))
        if p.is_file()
    )


def as_owner(stack: Stack, statement: LiteralString) -> None:
    with psycopg.connect(
        stack.settings.database_admin_url.replace("+psycopg", "", 1)
    ) as connection:
        connection.execute(statement)


def everything_in_postgres(stack: Stack) -> str:
    url = stack.settings.database_admin_url.replace("+psycopg", "", 1)
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        said = [
            row[0]
            for (table,) in tables
            for row in connection.execute(f'SELECT t::text FROM "{table}" AS t').fetchall()  # noqa: S608
        ]
        bodies = connection.execute("SELECT body FROM inbox").fetchall()
    return "\n".join([*said, *(bytes(row[0]).decode(errors="replace") for row in bodies)])


def everything_in_valkey(stack: Stack) -> str:
    with redis.Redis.from_url(stack.settings.redis_url) as broker:
        said: list[Any] = []
        for key in broker.scan_iter(count=1000):
            said += [key, broker.dump(key)]
    return b"\n".join(filter(None, said)).decode(errors="replace")


def in_flower(stack: Stack) -> str:
    login = (stack.settings.flower_user, stack.settings.flower_password.get_secret_value())
    pages = (
        "/api/tasks?limit=500",
        "/api/workers?refresh=1",
        "/api/queues/length",
        "/tasks",
        "/workers",
        "/broker",
    )
    answers = [requests.get(f"{stack.flower_url}{page}", auth=login, timeout=30) for page in pages]
    assert answers[0].status_code == 200
    nobody = [requests.get(f"{stack.flower_url}{page}", timeout=30).status_code for page in pages]
    assert set(nobody) == {401}
    return "\n".join(answer.text for answer in answers)


def go_wrong(stack: Stack) -> str:
    """Deliveries good and bad, a vendor that is away, a table that is gone; what the doors answered."""
    body = b'{"id": 1}'
    events = f"{stack.relay_url}/events"
    bearer = {"Authorization": f"Bearer {a_canary('relay_token')}"}
    hook = {"X-Shopify-Topic": "orders/create", "X-Shopify-Access-Token": a_canary("channel-token")}
    marks = [signed(body, a_canary("webhook-new")), signed(body, a_canary("webhook-old")), "wrong"]
    answers = [
        *(requests.post(f"{stack.relay_url}/hooks/shopify", data=body, timeout=30,
                        headers={**hook, "X-Shopify-Hmac-Sha256": each}) for each in marks),
        requests.post(events, json=a_fact("receipt", units=5), headers=bearer, timeout=30),
        requests.post(events, data=b"{", headers=bearer, timeout=30),
        requests.post(events, json={}, headers={"Authorization": f"Bearer {a_canary('relay_token')}x"}, timeout=30),
        requests.get(f"{stack.relay_url}/partners/x/availability", headers=bearer, timeout=30),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200, 200, 401, 200, 400, 401, 401]
    return "\n".join(f"{answer.headers} {answer.text}" for answer in answers)


def around(text: str) -> str:
    """Where a canary is, with its surroundings; "" where none is."""
    at = text.find("canary-")
    return text[max(0, at - 200) : at + 60] if at >= 0 else ""


def test_no_canary_sings_anywhere(stack: Stack) -> None:
    engine = connect(stack.settings.database_url)
    stock_the_house(engine)
    with engine.begin() as connection:
        store.apply_rules(connection, RULES, document.read(RULES), "ann", "test", FIRST_NOW)
        may_write(connection)
        connection.exec_driver_sql(
            "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id)"
            " VALUES ('shopify', 'MUG-RED', 'OSLO', 'gid://shopify/InventoryItem/1', 'gid://1', 'gid://2')"
        )
    said = go_wrong(stack)
    until(
        lambda: "127.0.0.1:9" in logs(stack) + everything_in_postgres(stack),
        "a call to the vendor that is away",
    )
    as_owner(stack, "ALTER TABLE posting RENAME TO gone")
    deliver(engine, a_fact("receipt", id="forced", units=1), now=now())
    until(
        lambda: "UndefinedTable" in logs(stack) + everything_in_postgres(stack),
        "an error that nobody foresaw",
    )
    as_owner(stack, "ALTER TABLE gone RENAME TO posting")
    wiring = Wiring(stack.settings)

    places = {
        "answers": said,
        "logs": logs(stack),
        "PostgreSQL": everything_in_postgres(stack),
        "Valkey": everything_in_valkey(stack),
        "Flower": in_flower(stack),
        "metrics": Exporter(wiring, now).page().decode(),
    }
    wiring.close()
    engine.dispose()

    assert {
        name: text[max(0, at - 200) : at + 60]
        for name, text in places.items()
        if (at := text.find("canary-")) >= 0
    } == {}
    assert '"level": "debug"' in places["logs"]
    assert all(len(text) > 50 for text in places.values())
