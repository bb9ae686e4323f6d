"""The demo in real processes: it passes, ends at a signal, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests

from console.demo import checks
from console.local.layout import played

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def family(home: Path) -> list[psutil.Process]:
    """Every process that was started with this temporary folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def a_command(scratch: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "console", *words],
        cwd=ROOT,
        env={
            **os.environ,
            "TMPDIR": str(scratch),
            "LOCKSTEP_RELAY_PORT": "0",
            "LOCKSTEP_FLOWER_PORT": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def gone(scratch: Path, limit_s: float = 15.0) -> bool:
    until = time.monotonic() + limit_s
    while family(scratch):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return not list(scratch.glob("lockstep-*"))


@pytest.mark.timeout(400)
def test_the_demo_passes_and_leaves_nothing_behind(scratch: Path) -> None:
    outcome = scratch / "outcome.json"
    demo = a_command(scratch, "demo", "--orders", "60", "--json", str(outcome))

    said, _ = demo.communicate(timeout=390)

    assert demo.returncode == 0, said
    told = json.loads(outcome.read_text())
    assert told["passed"] is True
    assert [check["name"] for check in told["checks"] if not check["passed"]] == []
    assert len(told["checks"]) == len(checks.CHECKS)
    assert told["time_to_sync_ms"]["n"] > 20
    assert said.splitlines()[-1] == "PASS"
    assert gone(scratch)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_the_demo_ends_all_of_it(scratch: Path, number: signal.Signals) -> None:
    demo = a_command(scratch, "demo")
    assert demo.stdout is not None
    for line in demo.stdout:
        if "schema" in line:
            break

    demo.send_signal(number)
    demo.communicate(timeout=120)

    assert demo.returncode == 128 + number
    assert gone(scratch)


@pytest.mark.timeout(200)
def test_played_shops_answer_until_they_are_told_to_stop(scratch: Path) -> None:
    facts = scratch / "facts.json"
    sim = a_command(
        scratch, "sim", "up", "--name", "a", "--name", "b", "--facts", str(facts), "--json"
    )
    assert sim.stdout is not None

    line = sim.stdout.readline()

    assert played(line) == played(facts.read_text())
    assert {one.account for one in played(line).values()} == {"a.myshopify.com", "b.myshopify.com"}
    sim.terminate()
    sim.communicate(timeout=60)
    assert sim.returncode == 0
    assert gone(scratch)


@pytest.mark.timeout(200)
def test_up_prints_where_everything_is_until_it_is_told_to_stop(scratch: Path) -> None:
    up = a_command(scratch, "up", "--ephemeral", "--simulators")
    assert up.stdout is not None
    said = []
    for line in up.stdout:
        said.append(line)
        if line.startswith("home"):
            break
    words = [line.split() for line in said]
    url, token = words[1][1], words[2][3]
    opened = requests.post(f"{url}/login", data={"token": token}, timeout=30, allow_redirects=False)
    page = requests.get(
        url,
        cookies=opened.cookies,
        headers={"Accept": "text/html"},
        timeout=30,
        allow_redirects=False,
    )

    up.send_signal(signal.SIGINT)
    up.communicate(timeout=120)

    assert [first for first, *_ in words] == [
        "up", "dashboard", "log", "relay", "Flower", "PostgreSQL", "Valkey", "shopify", "home"
    ]  # fmt: skip
    assert page.status_code == 200
    assert "No channel is set up." in page.text
    assert up.returncode == 0
    assert gone(scratch)
