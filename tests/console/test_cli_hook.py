"""`lockstep hook`, the API and the dashboard: addresses are added, tried and removed; a secret is shown once."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.access.types import Role
from tests.console.api_door import Api, an_api
from tests.console.command import Said, lockstep, surroundings
from tests.console.pages.test_forms import Writer
from tests.feed.receiver import Receiver, listening
from tests.servers import Clock, Database

Lockstep = Callable[..., Said]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Lockstep:
    def run(*command: str) -> Said:
        here = surroundings(
            database, LOCKSTEP_HOOK_NETWORKS="127.0.0.0/8", LOCKSTEP_HOME=str(tmp_path / "home")
        )
        return lockstep(*command, environment=here)

    return run


def test_an_address_is_added_tried_and_removed(run: Lockstep, receiver: Receiver) -> None:
    made = run("hook", "add", "erp", "--url", receiver.url, "--kind", "halt.set", "--json")
    receiver.secret = made.read["secret"]
    tried = run("hook", "test", "erp", "--json")
    listed = run("hook", "list", "--json")
    receiver.answers = [(500, {})]
    failed = run("hook", "test", "erp")
    gone = run("hook", "remove", "erp", "--json")
    unknown = run("hook", "test", "erp")

    assert len(base64.b64decode(receiver.secret.removeprefix("whsec_"))) == 32
    assert (tried.code, tried.read["told"]) == (0, True)
    assert receiver.kinds == ["test", "test"]
    assert receiver.came[0][0] == tried.read["message"]
    (row,) = listed.read
    assert (row["name"], row["kinds"], row["due"], row["failed"]) == ("erp", ["halt.set"], 0, 0)
    assert receiver.secret not in listed.out
    assert (failed.code, "500" in failed.out) == (3, True)
    assert gone.read == {"name": "erp", "removed": True}
    assert (unknown.code, "there is no hook erp" in unknown.err) == (1, True)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://169.254.169.254/latest", "no address of the internet"),
        ("https://user:pw@example.com/", "leave name and password out"),
        ("ftp://example.com/", "whole address"),
    ],
)
def test_an_address_that_is_not_called_is_refused(run: Lockstep, url: str, says: str) -> None:
    refused = run("hook", "add", "erp", "--url", url)

    assert (refused.code, says in refused.err) == (5, True)
    assert run("hook", "list", "--json").read == []


def test_the_trail_names_the_address_and_not_what_is_behind_its_host(
    run: Lockstep, receiver: Receiver
) -> None:
    run("hook", "add", "erp", "--url", f"{receiver.url}&key=theirs")

    trail = run("audit", "list", "--json")

    assert "hook:erp" in trail.out
    assert "theirs" not in trail.out


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    with an_api(database, clock, tmp_path) as api:
        yield api


def test_a_secret_is_shown_once_by_the_form_and_never_listed(api: Api) -> None:
    admin = Writer(api, Role.ADMIN)

    made = admin.send(
        "hook.add", name="erp", url="https://erp.example/hooks", kinds="halt.set, reorder.needed"
    )
    shown = re.search(r'id="secret">([^<]+)<', made.text)
    assert shown is not None
    page = admin.wire.get(f"{api.url}/settings", timeout=10).text
    listed = api.ask("GET", "/api/v1/hooks", Role.ADMIN)
    hidden = api.ask("GET", "/api/v1/hooks", Role.LEAD)
    removed = admin.on(admin.send("hook.remove", name="erp", confirm="1"))

    assert listed.status_code == 200, listed.text
    assert shown[1].startswith("whsec_")
    assert "https://erp.example/hooks" in page
    assert shown[1] not in page + listed.text
    assert [row["kinds"] for row in listed.json()["items"]] == [["halt.set", "reorder.needed"]]
    assert hidden.status_code == 403
    assert "is told nothing more" in removed


@pytest.mark.parametrize("url", ["http://[", "https://[::1", "https://a.example:x/"])
def test_what_is_no_address_is_refused_with_a_sentence(api: Api, url: str) -> None:
    body = {"name": "erp", "url": url, "kinds": ["halt.set"]}

    answer = api.ask("POST", "/api/v1/hooks", Role.ADMIN, json=body)

    assert 400 <= answer.status_code < 500, answer.text
    assert "this is no address" in answer.text
