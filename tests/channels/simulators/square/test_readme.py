"""The README's examples of the Square account run, and name every operation there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import channels.simulators
from tests.channels.simulators.square.till import Till

README = (Path(channels.simulators.__file__).parent / "README.md").read_text()
EXAMPLES = re.findall(r"`square (\w+) '(\{.*?\})'`", README)


def test_every_example_of_the_control_plane_runs_in_its_order(till: Till) -> None:
    till.do("reset")

    for verb, text in EXAMPLES:
        sales = [order.id for order in till.merchant.orders.values() if order.lines]
        till.do(verb, **json.loads(text.replace("ORDER", sales[-1] if sales else "")))

    assert till.merchant.orders == {}, "the last example resets"


def test_every_operation_is_in_the_readme(till: Till) -> None:
    assert {verb for verb, _ in EXAMPLES} == set(till.control.verbs())


def test_every_file_is_in_the_readme() -> None:
    folder = Path(channels.simulators.__file__).parent / "square"

    missing = [path.name for path in folder.glob("*.py") if f"`{path.name}`" not in README]

    assert set(missing) <= {"__init__.py"}
