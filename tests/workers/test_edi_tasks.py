"""The tasks of a real process: a folder is visited, its orders are worked, and the answers lie there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.builders import balance
from tests.servers import Clock, Database
from tests.workers.edi_rig import a_grocer, line, po

ROOT = Path(__file__).resolve().parents[2]

STEPS = """
from workers import tasks
tasks.exchange(channel="grocer")
tasks.work_orders()
tasks.sweep()
tasks.exchange(channel="grocer")
tasks.exchange(channel="nobody")
"""


def test_an_order_goes_through_the_tasks_and_its_answers_lie_in_the_folder(
    database: Database, clock: Clock, valkey: str, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, backorder="no")
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 12)))
    for file in (tmp_path / "inbound").iterdir():
        os.utime(file, (1, 1))

    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        env={
            **os.environ,
            "LOCKSTEP_DATABASE_URL": database.app_url,
            "LOCKSTEP_REDIS_URL": valkey,
            "LOCKSTEP_CHANNELS": "grocer",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    assert sorted(type(each).__name__ for each in grocer.found()) == [
        "FunctionalAck",
        "OrderAnswer",
    ]
    assert balance(grocer.engine, "MUG", "WH") == {"committed": 10}
    assert "no channel 'nobody' of kind edi" in done.stderr + done.stdout
