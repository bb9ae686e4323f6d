"""The look at weights in a real process: the sweep rings, the task of programs looks, and tells an alarm once."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from allocation.fit import WEEK, week_of
from tests.servers import Clock, Database
from tests.workers.fit_rig import a_trade
from workers.flows.sweep import sweep

ROOT = Path(__file__).resolve().parents[2]

STEPS = """
from workers import tasks
tasks.work_programs()
tasks.work_programs()
"""


def test_weights_that_do_not_fit_are_told_once(
    database: Database, clock: Clock, valkey: str
) -> None:
    trade = a_trade(database.engine, clock, monday=week_of(datetime.now(UTC)) - 3 * WEEK)
    trade.receive(5000)
    for week in range(3):
        trade.at(week, hours=10)
        for channel, units in (("web", 42), ("market", 18), ("wholesale", 40)):
            trade.sell(channel, units)
    now = datetime.now(UTC)
    assert sweep(database.engine, now=now).programs

    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        env={
            **os.environ,
            "LOCKSTEP_DATABASE_URL": database.app_url,
            "LOCKSTEP_REDIS_URL": valkey,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count("alarm.raised") == 2
    assert "channel:wholesale" in said
    assert not sweep(database.engine, now=now).programs
