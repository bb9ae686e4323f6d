"""A door whose machine's clock is wrong goes by the database's, and says so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from console.local.layout import ROOT
from console.local.ports import free_port
from tests.console.command import surroundings
from tests.servers import Database

TOKEN = "relay-token"
FACT = {
    "kind": "receipt", "source": "wms", "id": "r1", "occurred_at": "2026-11-01T10:00:00Z", "sku": "TEA",
    "location": "WH", "units": 1,
}  # fmt: skip


@pytest.mark.parametrize("hours", [1, -1])
def test_a_relay_that_is_an_hour_off_dates_what_it_takes_by_the_database(
    database: Database, tmp_path: Path, hours: int
) -> None:
    offset, port = tmp_path / "offset", free_port()
    offset.write_text(str(hours * 3600))
    said = surroundings(
        database,
        LOCKSTEP_RELAY_TOKEN=TOKEN,
        LOCKSTEP_RELAY_PORT=str(port),
        LOCKSTEP_HOME=str(tmp_path),
    )
    command = [sys.executable, "-m", "console.faults.shifted", str(offset), "serve", "relay"]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **said}) as relay:
        try:
            ready = answered(f"{url}/readyz")
            posted = requests.post(
                f"{url}/events", json=FACT, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
            )
        finally:
            relay.terminate()

    assert posted.status_code == 200
    assert ready["clock_ahead_s"] == pytest.approx(hours * 3600, abs=60)
    with database.owner.connect() as connection:
        received_at = connection.exec_driver_sql("SELECT received_at FROM inbox").scalar_one()
        named = connection.exec_driver_sql("SELECT process FROM clock_off").scalar_one()
    assert abs(received_at - datetime.now(UTC)) < timedelta(minutes=10)
    assert named.startswith("relay ")


@pytest.mark.parametrize("hours", [1, -1])
def test_a_command_at_a_machine_that_is_an_hour_off_is_dated_by_the_database(
    database: Database, tmp_path: Path, hours: int
) -> None:
    offset = tmp_path / "offset"
    offset.write_text(str(hours * 3600))
    with database.owner.begin() as connection:
        connection.exec_driver_sql("INSERT INTO heartbeat (queue, seen_at) VALUES ('drain', now())")
    said = surroundings(database, LOCKSTEP_HOME=str(tmp_path))
    command = ["queue", "pause", "drain", "--reason", "storm"]

    subprocess.run(
        [sys.executable, "-m", "console.faults.shifted", str(offset), *command],
        cwd=ROOT,
        env={**os.environ, **said},
        check=True,
    )

    with database.owner.connect() as connection:
        right = "SELECT paused_at BETWEEN now() - interval '10 minutes' AND now() FROM queue_pause"
        assert connection.exec_driver_sql(right).scalar_one()


def answered(url: str) -> dict[str, float]:
    """What a door that is starting answers once it does."""
    while True:
        try:
            said: dict[str, float] = requests.get(url, timeout=30).json()
            return said
        except requests.ConnectionError:
            time.sleep(0.1)
