"""The sweep as a task of a real process: it finds again what a lost message has left undone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from tests.servers import Database

ROOT = Path(__file__).resolve().parents[2]


def test_a_window_whose_message_was_lost_is_opened_by_the_sweep(
    database: Database, valkey: str
) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO channel (channel, kind, base_url, writes)"
                " VALUES ('shopify', 'shopify', 'http://shop', true)"
            )
        )

    subprocess.run(
        [sys.executable, "-c", "from workers.tasks import sweep; sweep(); sweep()"],
        env={**os.environ, "LOCKSTEP_DATABASE_URL": database.app_url, "LOCKSTEP_REDIS_URL": valkey},
        cwd=ROOT,
        check=True,
        timeout=60,
    )

    with database.engine.connect() as connection:
        windows = connection.execute(
            text("SELECT channel, state, attempts FROM run WHERE job = 'reconcile'")
        ).all()
    assert [tuple(window) for window in windows] == [("shopify", "due", 0)]
