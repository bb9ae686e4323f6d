"""`lockstep edi`: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from console.cli import cli
from tests.channels.edi.shelf import text_of

GOOD = ("BEG*00*SA*PO-1**20261123", "PO1*1*3*EA*9.25", "CTT*1*3")


@pytest.fixture
def order(tmp_path: Path) -> Path:
    file = tmp_path / "order.edi"
    file.write_text(text_of(*GOOD))
    return file


def lockstep(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["edi", *arguments])


def test_parse_shows_segments_and_findings(order: Path) -> None:
    order.write_text(text_of(*GOOD).replace("SE*5*", "SE*6*"))

    result = lockstep("parse", str(order))

    assert result.exit_code == 0
    assert "interchange 000000055 RETAILER > LOCKSTEP 00401" in result.stdout
    assert "      PO1*1*3*EA*9.25" in result.stdout
    assert (
        "error SE-COUNT: SE01 says 6 segments, there are 5; segment 7 (SE01) at byte"
        in result.stdout
    )


def test_parse_prints_json_for_scripts(order: Path) -> None:
    result = lockstep("parse", str(order), "--json")

    said = json.loads(result.stdout)
    (transaction,) = said["interchanges"][0]["groups"][0]["sets"]
    assert result.exit_code == 0
    assert said["findings"] == []
    assert transaction["document"]["number"] == "PO-1"
    assert transaction["document"]["lines"][0]["quantity"] == "3"
    assert transaction["segments"][1] == {
        "id": "BEG", "elements": ["00", "SA", "PO-1", "", "20261123"], "offset": 168, "number": 4,
    }  # fmt: skip


def test_parse_says_in_json_why_a_set_has_no_document(order: Path) -> None:
    order.write_text(text_of("PO1*1*3*EA"))

    said = json.loads(lockstep("parse", str(order), "--json").stdout)

    (transaction,) = said["interchanges"][0]["groups"][0]["sets"]
    assert transaction["unreadable"] == "the set has no BEG"
    assert [finding["code"] for finding in said["findings"]] == ["SEGMENT-MISSING"]


@pytest.mark.parametrize("command", ["parse", "validate"])
def test_what_is_no_x12_ends_with_one(command: str, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear retailer,")

    result = lockstep(command, str(file))

    assert result.exit_code == 1
    assert "no X12" in result.stderr
    assert not result.stdout


def test_validate_is_silent_about_a_good_file(order: Path) -> None:
    result = lockstep("validate", str(order))

    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 sets, 0 errors, 0 warnings" in result.stderr


def test_validate_ends_with_zero_when_there_are_only_warnings(order: Path) -> None:
    order.write_bytes(b"\xef\xbb\xbf" + order.read_bytes())

    result = lockstep("validate", str(order))

    assert result.exit_code == 0
    assert result.stdout.startswith("warning DIRT")


def test_validate_ends_with_three_when_there_are_errors(order: Path) -> None:
    order.write_text(text_of(*GOOD).replace("IEA*1*", "IEA*2*"))

    result = lockstep("validate", str(order))

    assert result.exit_code == 3
    assert result.stdout.startswith("error IEA-COUNT")
