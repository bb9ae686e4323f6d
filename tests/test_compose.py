"""docker-compose.yml says what it means: what the compose schema cannot see, checked without an engine."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from click.testing import CliRunner

from console.cli import cli
from console.local.binaries import postgres_bin
from console.local.postgres import RunningPostgres, start_postgres
from ledger.migrate import upgrade
from workers.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "docker-compose.yml"
Services = dict[str, dict[str, Any]]

# Fields that only the laptop profile reads, or that a container has no use for.
NOT_IN_A_CONTAINER = {"pg_bin", "redis_bin", "channel_secrets_file", "url", "token"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return read


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> Services:
    found: Services = compose["services"]
    return found


def ours(services: Services) -> Services:
    return {name: service for name, service in services.items() if "build" in service}


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def declared_queues() -> list[str]:
    """The queues of `celeryconfig.task_queues`: names, or Queue objects that have one."""
    queues = importlib.import_module("celeryconfig").task_queues
    return [getattr(queue, "name", queue) for queue in queues]


def test_the_file_follows_the_compose_specification() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert answer.returncode == 0, answer.stdout


def test_whatever_is_waited_for_exists_and_can_tell_that_it_is_ready(services: Services) -> None:
    wrong = [
        f"{name} waits for {target}"
        for name, service in services.items()
        for target, wait in service.get("depends_on", {}).items()
        if target not in services
        or (wait["condition"] == "service_healthy" and "healthcheck" not in services[target])
        or (
            wait["condition"] == "service_completed_successfully"
            and services[target]["restart"] == "always"
        )
    ]

    assert not wrong


def test_everything_of_ours_waits_for_the_schema(services: Services) -> None:
    early = [
        name
        for name, service in ours(services).items()
        if name != "migrate" and "migrate" not in service["depends_on"]
    ]

    assert not early


def test_every_volume_is_declared_and_every_mounted_file_exists(
    compose: dict[str, Any], services: Services
) -> None:
    sources = [
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
    ]

    missing = [
        source
        for source in sources
        if not (
            (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]
        )
    ]

    assert sources
    assert not missing


def test_every_image_has_a_tag(services: Services) -> None:
    loose = [
        service["image"]
        for service in services.values()
        if not re.search(r":[\w.${}:-]+$", service["image"]) or service["image"].endswith(":latest")
    ]

    assert not loose


def test_every_variable_stands_in_the_example() -> None:
    text = COMPOSE.read_text()
    example = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"(?<!\$)\$\{(\w+)", text)) | set(
        re.findall(r"^  ((?:LOCKSTEP|OTEL)_\w+):$", text, re.M)
    )
    offered = set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.M))

    assert named == offered


def test_the_example_holds_no_password() -> None:
    example = (ROOT / ".env.example").read_text()

    filled = re.findall(r"^(\w*(?:PASSWORD|TOKEN)=.+)$", example, re.M)

    assert not filled


def test_every_setting_reaches_the_containers(services: Services) -> None:
    passed = {
        name.removeprefix("LOCKSTEP_").lower()
        for service in ours(services).values()
        for name in service["environment"]
    }

    assert set(Settings.model_fields) - NOT_IN_A_CONTAINER - passed == set()


def test_only_the_migration_holds_the_owners_password(services: Services) -> None:
    holders = [
        name
        for name, service in ours(services).items()
        if "OWNER_PASSWORD" in str(service["environment"])
    ]
    superusers = [
        name for name, service in ours(services).items() if "POSTGRES_PASSWORD" in str(service)
    ]

    assert (holders, superusers) == (["migrate"], [])


def test_every_queue_has_one_worker_service(services: Services) -> None:
    consumed = [
        queue
        for service in services.values()
        if service.get("command", [""])[0] == "worker"
        for queue in option(service["command"], "--queues").split(",")
    ]

    assert sorted(consumed) == sorted(declared_queues())


def test_every_command_is_one_of_ours(services: Services) -> None:
    commands = {name: service["command"] for name, service in ours(services).items()}

    answers = {
        name: CliRunner().invoke(cli, [*command, "--help"]) for name, command in commands.items()
    }

    assert {name: answer.output for name, answer in answers.items() if answer.exit_code} == {}
    assert not [name for name, answer in answers.items() if "Usage: " not in answer.output]


def test_a_door_is_asked_for_its_health_where_it_listens(services: Services) -> None:
    doors = {"relay": "RELAY", "api": "API", "metrics": "METRICS", "flower": "FLOWER"}

    for name, setting in doors.items():
        service = services[name]
        port = service["environment"][f"LOCKSTEP_{setting}_PORT"]
        asked = re.findall(
            r"http://127\.0\.0\.1:(\d+)/(\w+)", " ".join(service["healthcheck"]["test"])
        )

        assert asked == [(port, "healthcheck" if name == "flower" else "healthz")]
        # What is published leads to that port too, and the door listens beyond the container's own loopback.
        assert [p.rpartition(":")[2] for p in service.get("ports", [])] in ([], [port])
        hosts = {key: said for key, said in service["environment"].items() if key.endswith("_HOST")}
        assert "0.0.0.0" in hosts.values()


def test_a_worker_is_asked_by_the_name_that_it_has(services: Services) -> None:
    for name, service in services.items():
        if service.get("command", [""])[0] != "worker":
            continue
        assert option(service["command"], "--name") == name
        # `--name` makes name@host; the answer of `inspect ping` begins with that host in a container of its own.
        assert 'grep -q "@$$HOSTNAME: OK"' in service["healthcheck"]["test"][1]
        assert "celery -A workers.app inspect ping" in service["healthcheck"]["test"][1]


def test_what_runs_for_long_is_started_again_and_given_time_to_end(services: Services) -> None:
    hasty = [
        name
        for name, service in services.items()
        if name != "migrate"
        and (service["restart"], service["stop_grace_period"]) != ("always", "60s")
    ]

    assert not hasty


def test_nothing_listens_beyond_this_host(services: Services) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]

    assert ports
    assert not [port for port in ports if not port.startswith("127.0.0.1:")]


def test_redis_refuses_rather_than_forgets(services: Services) -> None:
    command = services["redis"]["command"]

    kept = [
        option(command, name) for name in ("--appendonly", "--appendfsync", "--maxmemory-policy")
    ]

    assert kept == ["yes", "everysec", "noeviction"]


def test_the_image_is_made_of_files_that_exist_and_are_let_in() -> None:
    recipe = (ROOT / "workers" / "Dockerfile").read_text()
    let_in = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.M))
    copied = {
        source
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", recipe, re.M)
        for source in sources.split()
    }

    assert copied == let_in
    assert not [source for source in copied if not (ROOT / source).exists()]


@pytest.fixture
def new_server(scratch: Path) -> Iterator[RunningPostgres]:
    """A server without our roles and database, as the postgres image first starts it."""
    server = start_postgres(scratch, durable=False)
    with closing(server.connect()) as connection:
        connection.execute("DROP DATABASE lockstep")
        connection.execute("DROP ROLE lockstep")
        connection.execute("DROP ROLE lockstep_app")
    yield server
    server.discard()


def login(server: RunningPostgres, role: str) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1", port=server.port, user=role, password=f"pass of {role}", dbname="lockstep"
    )


def test_the_first_start_of_the_database_makes_an_owner_and_a_lesser_login(
    new_server: RunningPostgres,
) -> None:
    psql = postgres_bin()
    superuser_password = new_server.superuser_url.split("@")[0].rsplit(":", 1)[1]
    environment = {
        "PATH": f"{psql}:/usr/bin:/bin",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(new_server.port),
        "PGPASSWORD": superuser_password,
        "LOCKSTEP_OWNER_PASSWORD": "pass of lockstep",
        "LOCKSTEP_APP_PASSWORD": "pass of lockstep_app",
    }

    subprocess.run([ROOT / "workers" / "postgres-roles.sh"], env=environment, check=True)
    upgrade(
        f"postgresql+psycopg://lockstep:pass%20of%20lockstep@127.0.0.1:{new_server.port}/lockstep"
    )

    with closing(login(new_server, "lockstep")) as owner:
        rights = owner.execute(
            "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    with closing(login(new_server, "lockstep_app")) as app:
        limit = app.execute("SHOW statement_timeout").fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM event")
    assert (rights, limit) == ((False, True), ("30s",))


def test_who_only_looks_on_gets_no_rights_and_no_secret_of_ours(services: Services) -> None:
    for name in ("prometheus", "grafana"):
        service = services[name]
        ours_held = re.findall(r"LOCKSTEP_(?!GRAFANA|PROMETHEUS)\w+", str(service))

        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "healthcheck" in service
        assert not ours_held
        assert all(
            volume.endswith(":ro") for volume in service["volumes"] if volume.startswith(".")
        )


def test_what_is_exported_is_asked_for_inside_only(services: Services) -> None:
    assert "ports" not in services["metrics"]
