"""The README's examples of the trading partner run, and name every operation, file and dirt there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import channels.simulators
from channels.simulators.edi.dirt import DIRT
from channels.simulators.edi.simulator import POLICIES
from tests.channels.simulators.edi.market import Market

README = (Path(channels.simulators.__file__).parent / "README.md").read_text()
EXAMPLES = re.findall(r"`edi (\w+) '(\{.*?\})'`", README)


def test_every_example_of_the_control_plane_runs_in_its_order(market: Market) -> None:
    market.do("reset")

    for verb, text in EXAMPLES:
        orders = list(market.simulator.partner.books.orders)
        market.do(verb, **json.loads(text.replace("ORDER", orders[0] if orders else "")))

    assert market.simulator.partner.books.orders == {}, "the last example resets"
    assert market.inbox() == []


def test_every_operation_policy_and_dirt_is_in_the_readme(market: Market) -> None:
    assert {verb for verb, _ in EXAMPLES} == set(market.control.verbs())
    assert [kind for kind in DIRT if f"`{kind}`" not in README] == []
    assert f"({', '.join(POLICIES)})" in README


def test_every_file_is_in_the_readme() -> None:
    folder = Path(channels.simulators.__file__).parent / "edi"

    missing = [path.name for path in folder.glob("*.py") if f"`{path.name}`" not in README]

    assert set(missing) <= {"__init__.py"}
