"""The measurement of the read-back measures what the vendor writes, and all of it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from channels.shopify import bulk
from console.bench import readback
from tests.channels.shopify_rig import ShopifyRig


def shape(value: Any) -> Any:
    """A document without its values: names and kinds."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [
            {"name": each["name"], **shape({k: each[k] for k in each if k != "name"})}
            for each in value
        ]
    return bool if isinstance(value, bool) else str if isinstance(value, str) else int


def test_the_file_has_the_form_of_the_vendor_s(rig: ShopifyRig) -> None:
    operation = rig.channel.begin_read_all()
    rig.advance(10)
    number = operation.rpartition("/")[2]
    written = requests.get(f"{rig._running.facts.base_url}/bulk/{number}.jsonl", timeout=5).content
    ours = io.BytesIO()
    readback.write(ours, 6)

    def shapes(text: bytes) -> list[Any]:
        found = []
        for line in text.splitlines():
            document = json.loads(line)
            for quantity in document.get("quantities", ()):
                quantity["updatedAt"] = "at some time"
            found.append(shape(document))
        return found

    theirs = shapes(written)
    assert {json.dumps(each, default=str, sort_keys=True) for each in theirs} == {
        json.dumps(each, default=str, sort_keys=True) for each in shapes(ours.getvalue())
    }
    levels = [each for each in theirs if "quantities" in each]
    assert len(levels) == len(list(bulk.sightings(written.splitlines()))) == 6


def test_every_level_is_read(tmp_path: Path) -> None:
    path = tmp_path / "levels.jsonl"
    with path.open("wb") as file:
        assert readback.write(file, 5000) == 10_000

    levels, seconds, _ = readback.read(path)

    assert levels == 5000
    assert seconds > 0


def test_the_goals_are_judged() -> None:
    result = readback.measure(rows=2000, rounds=1)

    assert result["rows"] == 2000
    assert result["passed"] == (
        result["rows_per_s"] >= 50_000 and result["peak_rss_mb"] <= result["goal_rss_mb"]
    )


@pytest.mark.slow  # a second or two of nothing but reading
def test_memory_does_not_grow_with_the_file() -> None:
    assert readback.measure(rows=100_000, rounds=1)["peak_rss_mb"] <= readback.GOAL_MB
