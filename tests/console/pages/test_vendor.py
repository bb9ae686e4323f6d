"""What others wrote and we serve is what they published."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import console.pages

VENDOR = Path(console.pages.__file__).parent / "static" / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())


def test_every_vendored_file_is_the_published_one() -> None:
    wrong = [
        row["file"]
        for row in MANIFEST
        if hashlib.sha256((VENDOR / row["file"]).read_bytes()).hexdigest() != row["sha256"]
    ]

    assert wrong == []


def test_every_vendored_file_has_a_package_a_version_and_a_licence() -> None:
    named = {row["file"] for row in MANIFEST} | {row["licence_file"] for row in MANIFEST}

    assert named | {"manifest.json"} == {path.name for path in VENDOR.iterdir()}
    assert all(row["package"] and row["version"] and row["licence"] for row in MANIFEST)
