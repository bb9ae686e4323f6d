"""The README's examples run, and name every operation and every fault there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import channels.simulators
from channels.simulators.faults import KINDS
from tests.channels.simulators.shopdesk import Desk

README = (Path(channels.simulators.__file__).parent / "README.md").read_text()
EXAMPLES = re.findall(r"`ask (\w+) '(\{.*?\})'`", README)


def test_every_example_of_the_control_plane_runs_in_its_order(desk: Desk) -> None:
    desk.do("reset")

    for verb, facts in EXAMPLES:
        desk.do(verb, **json.loads(facts))

    assert desk.shop.orders == {}, "the last example resets"


def test_every_operation_and_every_fault_is_in_the_readme(desk: Desk) -> None:
    assert {verb for verb, _ in EXAMPLES} == set(desk.control.verbs())
    assert {kind for kind in KINDS if f"`{kind}`" not in README} == set()
