"""The tasks of alerts in a process of their own: they look, they tell, and a broker that is away stops neither."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.alerts.desk import Desk
from tests.workers.shelf import House

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("broker", ["there", "away"])
def test_the_clocks_two_tasks_look_and_tell(
    desk: Desk, house: House, valkey: str, broker: str
) -> None:
    desk.run("UPDATE channel SET paused = true, paused_by = 'ann', paused_why = 'moving'")

    subprocess.run(
        [
            sys.executable,
            "-c",
            "from workers.alert_tasks import send_alerts, watch_alerts\nwatch_alerts()\nsend_alerts()",
        ],
        env={
            **os.environ,
            **desk.environment(),
            "LOCKSTEP_DATABASE_URL": desk.database.app_url,
            "LOCKSTEP_REDIS_URL": valkey if broker == "there" else "redis://127.0.0.1:1/0",
        },
        cwd=ROOT,
        check=True,
        timeout=90,
    )

    assert [root["text"][:6] for root in desk.slack.roots] == ["[NOTE]"]
    assert len(desk.listener.heard) == 1
