"""A local stack: the right processes, told the right things, and nothing left of them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from sqlalchemy import create_engine, text

from console.local import layout
from console.local.errors import AlreadyRunning, LocalError
from console.local.layout import LAPTOP, Worker, environment
from console.local.stack import Stack, attached, dashboard_of, forget, played_in
from console.local.supervisor import State
from tests.servers import Database
from workers.settings import Settings

# Stands where `python -m console` stands: says and answers what the real processes say when they are ready.
PUPPET = """
import http.server, json, os, sys, time
door = {"relay": "LOCKSTEP_RELAY_PORT", "api": "LOCKSTEP_API_PORT", "flower": "LOCKSTEP_FLOWER_PORT"}
words = {"worker": "celery@here ready.", "beat": "beat: Starting...", "sim": ""}
print(json.dumps({k: v for k, v in os.environ.items() if k.startswith("LOCKSTEP_")}), flush=True)
class Yes(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
named = sys.argv[2] if sys.argv[1] == "serve" else sys.argv[1]
if named in door:
    port = int(os.environ[door[named]])
    http.server.HTTPServer(("127.0.0.1", port), Yes).serve_forever()
if sys.argv[1] == "sim":
    names = [name for flag, name in zip(sys.argv, sys.argv[1:]) if flag == "--name"]
    told = ("kind", "base_url", "account", "control_url", "token", "webhook_secret", "control_token")
    with open(sys.argv[sys.argv.index("--facts") + 1], "w") as facts:
        json.dump({name: {what: f"{name} {what}" for what in told} for name in names}, facts)
print(words[sys.argv[1]], flush=True)
time.sleep(60)
"""


@pytest.fixture
def puppet(scratch: Path) -> tuple[str, ...]:
    program = scratch / "puppet.py"
    program.write_text(PUPPET)
    return (sys.executable, str(program))


@pytest.fixture
def wishes(scratch: Path) -> Settings:
    return Settings(home=scratch / "my home", relay_port=0, flower_port=0)


@pytest.fixture
def stack(wishes: Settings, puppet: tuple[str, ...]) -> Iterator[Stack]:
    with Stack(wishes, entry=puppet) as stack:
        yield stack


def read_back(heard: dict[str, str]) -> Settings:
    return Settings.model_validate(
        {name.removeprefix("LOCKSTEP_").lower(): value for name, value in heard.items()}
    )


def told(stack: Stack, name: str) -> dict[str, str]:
    log = (stack.home / "logs" / f"{name}.log").read_text()
    values: dict[str, str] = json.loads(log.splitlines()[0])
    return values


def test_every_process_of_the_laptop_profile_comes_up(stack: Stack) -> None:
    stack.up(simulators=["shopify", "outlet"])

    assert {status.name for status in stack.supervisor.status()} == {
        "postgres", "valkey", "simulators", "relay", "flower", "beat",
        "worker-threads", "worker-prefork",
    }  # fmt: skip
    assert {status.state for status in stack.supervisor.status()} == {State.READY}


def test_the_processes_are_told_where_everything_is(stack: Stack) -> None:
    stack.up()

    heard = told(stack, "worker-prefork")

    assert read_back(heard) == stack.settings
    assert stack.postgres is not None
    assert heard["LOCKSTEP_DATABASE_URL"] == stack.postgres.app_url
    assert heard["LOCKSTEP_DATABASE_ADMIN_URL"] == stack.postgres.admin_url
    assert heard["LOCKSTEP_FLOWER_PASSWORD"]


def test_the_schema_is_there_for_the_application_role(stack: Stack) -> None:
    stack.start_servers()

    stack.migrate()

    engine = create_engine(stack.settings.database_url)
    with engine.connect() as connection:
        tables = connection.execute(
            text("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
        ).scalar_one()
    engine.dispose()
    assert tables > 0


def test_given_servers_are_used_and_left_running(
    database: Database, valkey: str, scratch: Path, puppet: tuple[str, ...]
) -> None:
    given = Settings(
        home=scratch / "home",
        database_url=database.app_url,
        database_admin_url=database.admin_url,
        redis_url=valkey,
    )

    with Stack(given, entry=puppet) as stack:
        stack.start_servers()
        stack.migrate()
        assert stack.supervisor.status() == []
        assert (stack.settings.database_url, stack.settings.redis_url) == (database.app_url, valkey)

    with redis.Redis.from_url(valkey) as client:
        assert client.ping()


def test_a_killed_server_comes_back_at_the_same_address(stack: Stack) -> None:
    stack.start_servers()

    for name in ("postgres", "valkey"):
        stack.supervisor.kill(name)
        stack.supervisor.wait_ready(name)

    engine = create_engine(stack.settings.database_url)
    with engine.connect() as connection, redis.Redis.from_url(stack.settings.redis_url) as client:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
        assert client.ping()
    engine.dispose()


def test_an_ephemeral_stack_leaves_no_file_and_no_process(puppet: tuple[str, ...]) -> None:
    with Stack(Settings(relay_port=0, flower_port=0), ephemeral=True, entry=puppet) as stack:
        stack.up(simulators=["shopify", "outlet"])
        assert stack.postgres is not None
        folders = [stack.home, *stack.postgres.folders()]
        family = [psutil.Process(status.pid) for status in stack.supervisor.status()]

    assert not [process for process in family if process.is_running()]
    assert not [folder for folder in folders if folder.exists()]


def test_a_home_holds_one_stack(stack: Stack, wishes: Settings) -> None:
    with pytest.raises(AlreadyRunning, match="my home"):
        Stack(wishes)


def test_two_stacks_with_two_homes_do_not_meet(scratch: Path, puppet: tuple[str, ...]) -> None:
    with (
        Stack(Settings(home=scratch / "one"), entry=puppet) as one,
        Stack(Settings(home=scratch / "two"), entry=puppet) as two,
    ):
        for stack in (one, two):
            stack.start_servers()
            stack.start_doors()

        addresses = [
            (
                stack.settings.database_url,
                stack.settings.redis_url,
                stack.relay_url,
                stack.flower_url,
            )
            for stack in (one, two)
        ]

    assert not set(addresses[0]) & set(addresses[1])


def test_another_command_finds_the_running_stack(stack: Stack, wishes: Settings) -> None:
    stack.start_servers()
    stack.start_doors()

    found = attached(wishes)

    assert found.database_url == stack.settings.database_url
    assert found.database_admin_url == stack.settings.database_admin_url
    assert found.redis_url == stack.settings.redis_url
    assert found.relay_port == stack.settings.relay_port
    assert stat.S_IMODE((stack.home / "stack.json").stat().st_mode) == 0o600


def test_another_command_knows_the_secrets_of_the_channels_unless_it_has_its_own(
    puppet: tuple[str, ...], wishes: Settings
) -> None:
    theirs = Settings(home=wishes.home, channel_secrets='{"shop": {"token": "mine"}}')
    with Stack(wishes.model_copy(update={"env": "peak"}), entry=puppet) as stack:
        stack.start_servers(["outlet"])
        stack.start_doors()

        found = attached(wishes)

        assert json.loads(found.channel_secrets.get_secret_value())["outlet"]["token"]
        assert (found.env, found.channels) == ("peak", stack.settings.channels)
        assert attached(theirs).channel_secrets == theirs.channel_secrets


def test_another_command_knows_the_dashboard_and_who_is_played(
    stack: Stack, wishes: Settings
) -> None:
    stack.start_servers(["outlet"])
    stack.start_doors()

    stack.start_dashboard()

    assert dashboard_of(wishes.home) == stack.dashboard_url
    assert played_in(wishes.home) == stack.simulators


def test_a_house_that_shall_go_takes_no_home_of_somebody_else(
    wishes: Settings, puppet: tuple[str, ...]
) -> None:
    wishes.home.mkdir()
    (wishes.home / "certificate.key").write_text("of a house that stands")

    with pytest.raises(LocalError, match=r"certificate\.key.*LOCKSTEP_HOME"):
        Stack(wishes, ephemeral=True, in_its_home=True, entry=puppet)

    assert [entry.name for entry in wishes.home.iterdir() if entry.name != "lock"] == [
        "certificate.key"
    ]


def test_a_house_that_shall_go_leaves_nothing_in_its_home(
    wishes: Settings, puppet: tuple[str, ...]
) -> None:
    with Stack(wishes, ephemeral=True, in_its_home=True, entry=puppet) as stack:
        stack.start_servers()
        found = attached(wishes).database_url

    assert found == stack.settings.database_url
    assert not wishes.home.exists()


def test_without_a_stack_another_command_is_told_what_to_do(
    wishes: Settings, puppet: tuple[str, ...]
) -> None:
    with pytest.raises(LocalError, match="lockstep up"):
        attached(wishes)
    with Stack(wishes, entry=puppet):
        pass
    with pytest.raises(LocalError, match="lockstep up"):
        attached(wishes)


def test_given_addresses_need_no_stack(wishes: Settings) -> None:
    given = wishes.model_copy(
        update={"database_url": "postgresql://db/x", "redis_url": "redis://r"}
    )

    assert attached(given) is given


def test_a_forgotten_home_is_gone_with_its_data_elsewhere(
    scratch: Path, puppet: tuple[str, ...]
) -> None:
    private = scratch / "private"
    private.mkdir(mode=0o700)
    with Stack(Settings(home=private / "home"), entry=puppet) as stack:
        stack.start_servers()
        assert stack.postgres is not None
        folders = [stack.home, *stack.postgres.folders()]

        with pytest.raises(AlreadyRunning):
            forget(stack.home)

    forget(stack.home)
    forget(stack.home)
    assert not [folder for folder in folders if folder.exists()]


def test_the_settings_survive_the_way_through_the_environment() -> None:
    wishes = Settings(
        env="peak",
        channels=("shop-eu", "shop-us"),
        relay_token="s3cret",
        channel_secrets='{"shop": {"token": "t"}}',
        reconcile_s=10,
        pg_bin=Path("/opt/pg/bin"),
    )

    heard = environment(wishes)

    assert read_back(heard) == wishes
    assert heard["LOCKSTEP_RELAY_TOKEN"] == "s3cret"
    assert "LOCKSTEP_REDIS_BIN" not in heard


def test_each_worker_of_the_laptop_profile_takes_from_every_queue() -> None:
    commands = [layout.worker(Settings(), worker).command for worker in LAPTOP]

    assert len(commands) == 2
    assert not [command for command in commands if "--queues" in command]


def test_a_worker_is_told_its_queues_and_its_pool() -> None:
    worker = Worker("push", ("push.shopify", "push.edi"), "threads", 8)

    service = layout.worker(Settings(), worker, ("lockstep",))

    assert service.command == (
        "lockstep", "worker", "--name", "push", "--queues", "push.shopify,push.edi",
        "--pool", "threads", "--concurrency", "8",
    )  # fmt: skip


def test_make_clean_forgets_the_home(scratch: Path) -> None:
    home = scratch / "home"
    (home / "logs").mkdir(parents=True)

    answer = subprocess.run(
        [sys.executable, "-m", "console.local", "forget"],
        cwd=layout.ROOT,
        env={"LOCKSTEP_HOME": str(home)},
        check=False,
    )

    assert answer.returncode == 0
    assert not home.exists()
