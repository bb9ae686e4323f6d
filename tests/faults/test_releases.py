"""An earlier release is taken out of the history and run from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.faults import releases
from console.local.layout import ROOT
from console.local.supervisor import Service

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="no history is here: the source came without it"
)


def test_the_release_before_knows_an_older_schema(tmp_path: Path) -> None:
    commit = releases.commit_before()
    newest = max(each.name for each in (ROOT / "ledger/migrations/versions").glob("[0-9]*.py"))

    source = releases.taken_out(commit, tmp_path / "release")

    assert (source / "console" / "cli" / "serve.py").is_file()
    assert not (source / "ledger" / "migrations" / "versions" / newest).exists()
    assert releases.schema_of(commit) < newest[:4]
    assert list((source / "ledger/migrations/versions").glob(f"{releases.schema_of(commit)}_*.py"))


def test_a_commit_that_is_not_there_has_no_schema() -> None:
    assert releases.schema_of("0" * 40) == ""


def test_a_service_runs_from_where_its_release_stands(tmp_path: Path) -> None:
    usual = Service("beat", ("python", "-m", "console", "beat"), env={"A": "b"}, cwd=ROOT)

    ran = releases.run_from(tmp_path)(usual)

    assert (ran.cwd, ran.command) == (tmp_path, usual.command)
    assert ran.env == {"A": "b", "PYTHONPATH": str(tmp_path)}
