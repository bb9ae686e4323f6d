"""A process with a calendar of its own writes moments as any other does."""

from __future__ import annotations

import subprocess
import sys

from console.local.layout import ROOT
from tests.servers import Database

_WRITES = """
import sys
from console.faults.shifted import shift
shift(lambda: 3600.0)
from datetime import UTC, datetime
import psycopg
with psycopg.connect(sys.argv[1]) as connection:
    for moment in (datetime.fromisoformat("2026-11-01T10:30:00+00:00"), datetime.now(UTC)):
        print(*connection.execute("SELECT pg_typeof(%(at)s), %(at)s > now()", {"at": moment}).fetchone())
"""


def test_a_process_with_a_calendar_of_its_own_writes_moments_and_not_days(
    database: Database,
) -> None:
    url = database.app_url.replace("+psycopg", "")

    said = subprocess.run(
        [sys.executable, "-c", _WRITES, url], cwd=ROOT, check=True, capture_output=True, text=True
    )

    moment = "timestamp with time zone"
    assert said.stdout.splitlines() == [f"{moment} False", f"{moment} True"]
