"""The room's page names every finding and every set."""

from __future__ import annotations

from pathlib import Path

from channels.edi.findings import KINDS
from channels.edi.sets import LAYOUTS

README = Path(__file__).parents[3] / "channels" / "edi" / "README.md"


def test_every_finding_has_its_row() -> None:
    rows = README.read_text(encoding="utf-8").splitlines()

    for kind in KINDS.values():
        row = f"| `{kind.code}` | {kind.severity} | {kind.scope} | {kind.acknowledged} | {kind.meaning} |"
        assert row in rows


def test_every_set_is_named() -> None:
    text = README.read_text(encoding="utf-8")

    assert not [set_id for set_id in LAYOUTS if f"| {set_id} |" not in text]
