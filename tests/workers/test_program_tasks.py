"""The task of programs in a real process: the sweep rings for it, and it frees and warns once."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis

from tests.servers import Clock, Database
from tests.workers.edi_rig import a_grocer, line, po
from tests.workers.program_rig import held, reserve

ROOT = Path(__file__).resolve().parents[2]

STEPS = """
from workers import tasks
tasks.sweep()
tasks.work_programs()
tasks.work_programs(surprise=True)
"""


def test_a_program_that_is_over_is_freed_and_one_that_runs_fast_is_told(
    database: Database, clock: Clock, valkey: str, tmp_path: Path
) -> None:
    clock.now = datetime.now(UTC) - timedelta(days=30)
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=1000)
    reserve(grocer, 100, "OVER", days=1)
    clock.advance(86_400)
    reserve(grocer, 400, "FAST")
    grocer.send(po(line(1, 220)))
    grocer.run()

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

    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert held(grocer) == (600, 220, 180)
    assert said.count("program.released") == 1
    assert said.count("alarm.raised") == 1
    with redis.Redis.from_url(valkey) as client:
        assert client.llen("lockstep:local:ingest") >= 1
