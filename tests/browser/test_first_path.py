"""The README's first path, walked as it stands there: open a house, look, place one order, watch it travel."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.battery, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
PATH = "Watch one order travel"


def section(title: str) -> str:
    (found,) = [
        part for part in re.split(r"^## ", (ROOT / "README.md").read_text(), flags=re.M)
        if part.startswith(f"{title}\n")
    ]  # fmt: skip
    return found


def steps() -> list[str]:
    """What is to be typed, in its order."""
    blocks = re.findall(r"```sh\n(.*?)```", section(PATH), re.S)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def surroundings(scratch: Path) -> dict[str, str]:
    """As in anybody's terminal, but for the home and the ports: somebody else may have a house open here."""
    ports = dict.fromkeys(("RELAY", "FLOWER", "API"), "0")
    return {
        **os.environ,
        "LOCKSTEP_HOME": str(scratch / "home"),
        **{f"LOCKSTEP_{door}_PORT": port for door, port in ports.items()},
    }


@pytest.fixture
def opened(surroundings: dict[str, str]) -> Iterator[list[str]]:
    """What `make play` printed until it was open for business; it goes on until Ctrl-C."""
    command = shlex.split(next(step for step in steps() if step.startswith("make ")))
    house = subprocess.Popen(
        command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert house.stdout is not None
    said = []
    for line in house.stdout:
        said.append(line.rstrip())
        if line.startswith("home"):
            break
    family = psutil.Process(house.pid).children(recursive=True)
    yield said
    os.killpg(house.pid, signal.SIGINT)
    house.communicate(timeout=120)
    assert [process.pid for process in family if process.is_running()] == []
    assert not Path(surroundings["LOCKSTEP_HOME"]).exists()


def test_a_newcomer_sees_one_order_travel(
    opened: list[str], surroundings: dict[str, str], chromium: Browser
) -> None:
    clone, enter, make, order = steps()
    token = found(r"log in with (lockstep_\S+)", opened)
    dashboard = found(r"dashboard +(http://\S+)", opened)

    # The house itself says the same as the README.
    assert found(r"(sim order .*)", opened) == order.partition("lockstep ")[2]
    placed = subprocess.run(
        shlex.split(order), cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False
    )
    page = chromium.new_page()
    page.goto(f"{dashboard}/login")
    page.fill("input[name=token]", token)
    page.click("main button")
    page.wait_for_url(f"{dashboard}/")
    page.goto(found(r"watch it: (http://\S+)", placed.stdout.splitlines()))
    page.wait_for_selector("#chart canvas")
    timeline = page.inner_text("table.timeline")
    page.click("table.timeline tr.k-event a >> nth=0")
    event = page.inner_text("main")

    assert (clone.split()[:2], enter.split()[0], make) == (["git", "clone"], "cd", "make play")
    assert placed.returncode == 0, placed.stderr
    assert "every channel shows what it should" in placed.stdout
    assert "order 2 from WH-MAIN available (298 left) to WH-MAIN committed" in timeline
    for channel, units in (("outlet", 283), ("amazon", 285), ("grocer", 268)):
        assert f"{channel}\ttold to show {units} at WH-MAIN: confirmed" in timeline
    assert "shows 283 at WH-MAIN" in timeline
    assert "order" in event


def found(pattern: str, lines: list[str]) -> str:
    (match,) = [match for line in lines if (match := re.search(pattern, line))]
    return match[1]
