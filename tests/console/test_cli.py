"""The command line: every command explains itself, starts fast, and fails in sentences."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from console.cli import COMMANDS, cli
from console.cli.handbook import page
from tests.console.command import Said, lockstep

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = {
    "LOCKSTEP_DATABASE_URL": "postgresql+psycopg://lockstep_app@127.0.0.1:1/nowhere",
    "LOCKSTEP_REDIS_URL": "redis://127.0.0.1:1/0",
}


def paths(group: click.Group = cli, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command and sub-command there is."""
    found: list[tuple[str, ...]] = [before]
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        path = (*before, name)
        found += paths(command, path) if isinstance(command, click.Group) else [path]
    return found


# --- help and starting ------------------------------------------------------------------------------------------------


def test_every_command_explains_itself() -> None:
    for path in paths():
        said = lockstep(*path, "--help", environment=NOWHERE)

        assert said.code == 0, path
        assert "Usage: lockstep" in said.out
    assert len(paths()) > 40


def test_every_option_says_what_it_is_for() -> None:
    bare = []
    for path in paths():
        command: click.Command = cli
        for name in path:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), name)
            assert found is not None
            command = found
        options = [each for each in command.params if isinstance(each, click.Option)]
        bare += [(path, each.opts[0]) for each in options if not each.help and not each.hidden]
        bare += [(path, "itself")] if not command.help else []

    assert bare == []


def test_the_table_of_commands_is_the_one_that_the_code_makes() -> None:
    said = (ROOT / "docs" / "commands.md").read_text()

    assert said == page(), "make docs"


def test_a_shell_is_told_how_to_complete_and_is_told_commands_and_choices() -> None:
    script = lockstep("completion", "zsh", environment=NOWHERE)
    words = {"COMP_WORDS": "lockstep failed list --class ", "COMP_CWORD": "4"}
    asked = lockstep(
        "failed", "list", environment=NOWHERE | words | {"_LOCKSTEP_COMPLETE": "zsh_complete"}
    )

    assert script.code == 0
    assert "#compdef lockstep" in script.out
    assert "_LOCKSTEP_COMPLETE=zsh_complete" in script.out
    assert "throttled_out" in asked.out


def test_the_list_shows_every_command() -> None:
    listed = lockstep("--help", environment=NOWHERE).out

    assert all(f"  {name} " in listed for name in COMMANDS)


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from console.cli import cli; cli(['--help'], standalone_mode=False);"
        "print([m for m in ('sqlalchemy', 'celery', 'kombu', 'redis', 'pydantic', 'psycopg', 'uvicorn', 'fastapi',"
        " 'starlette', 'alembic', 'requests', 'structlog') if m in sys.modules], file=sys.stderr)"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert said.stderr.strip() == "[]"


def test_it_says_its_version() -> None:
    assert lockstep("--version", environment=NOWHERE).out.startswith("lockstep, version ")


@pytest.mark.parametrize(
    "command", [["nonsense"], ["alloc", "nonsense"], ["halt", "set"], ["stock", "adjust", "A", "x"]]
)
def test_wrong_usage_is_code_2(command: list[str]) -> None:
    said = lockstep(*command, environment=NOWHERE)

    assert said.code == 2
    assert "Usage: lockstep" in said.err


@pytest.mark.parametrize(
    "command", [["alloc", "history"], ["ledger", "verify"], ["db", "upgrade"], ["channel", "list"]]
)
def test_a_database_that_does_not_answer_is_a_sentence(command: list[str]) -> None:
    said = lockstep(*command, environment=NOWHERE)

    assert said.code == 1
    assert "database" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("command", [["serve", "relay"], ["worker"], ["beat"], ["flower"]])
def test_a_process_without_a_stack_says_how_to_start_one(
    command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    said = lockstep(*command, environment={"LOCKSTEP_HOME": str(tmp_path / "home")})

    assert said.code == 1
    assert "lockstep up" in said.err


def process(*command: str, **more: str) -> Said:
    """The command as a process of its own: those that stay set up the whole process they run in."""
    answer = subprocess.run(
        [sys.executable, "-m", "console", *command],
        env=NOWHERE | more,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Said(answer.returncode, answer.stdout, answer.stderr)


def test_flower_does_not_start_without_a_password() -> None:
    said = process("flower")

    assert said.code == 5
    assert "LOCKSTEP_FLOWER_PASSWORD" in said.err


def test_a_worker_of_an_unknown_queue_does_not_start() -> None:
    said = process("worker", "--queues", "ingest,push.nowhere")

    assert said.code == 1
    assert "no queue push.nowhere" in said.err


def test_a_relay_with_unusable_secrets_does_not_start() -> None:
    said = process("serve", "relay", LOCKSTEP_CHANNEL_SECRETS="hush")

    assert said.code == 1
    assert "LOCKSTEP_CHANNEL_SECRETS must be JSON" in said.err
    assert "hush" not in said.err


@pytest.mark.parametrize(
    ("setting", "value"), [("LOCKSTEP_RELAY_PORT", "eighty"), ("LOCKSTEP_LOG_LEVEL", "LOUD")]
)
def test_a_setting_that_makes_no_sense_is_named(setting: str, value: str) -> None:
    said = lockstep("alloc", "history", environment=NOWHERE | {setting: value})

    assert said.code == 1
    assert setting in said.err
