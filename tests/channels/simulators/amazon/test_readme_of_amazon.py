"""The README's examples of the Amazon account run, and name every operation there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import channels.simulators
from tests.channels.simulators.amazon.seller import Seller

README = (Path(channels.simulators.__file__).parent / "README.md").read_text()
EXAMPLES = re.findall(r"`amazon (\w+) '(\{.*?\})'`", README)


def test_every_example_of_the_control_plane_runs_in_its_order() -> None:
    seller = Seller(stocked=False)

    for verb, text in EXAMPLES:
        newest = next(reversed(seller.account.orders), "")
        seller.do(verb, **json.loads(text.replace("ORDER", newest)))

    assert seller.account.listings == {}, "the last example resets"
    seller.close()


def test_every_operation_is_in_the_readme(seller: Seller) -> None:
    assert {verb for verb, _ in EXAMPLES} == set(seller.control.verbs())
