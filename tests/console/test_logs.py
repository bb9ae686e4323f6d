"""What a process writes into its log: ids of what it is about, and nothing secret, whoever wrote the line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from console.cli.serve import _secrets
from console.logs import HIDDEN
from workers.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SECRET = 'shpat_0"123456789'


def lines_of(program: str, *secrets: str, level: str = "DEBUG") -> list[dict[str, Any]]:
    """What a process of its own writes, whose logs are configured as ours are."""
    begin = f"import logging, structlog\nfrom console import logs\nlogs.configure({level!r}, {secrets!r})\n"
    answer = subprocess.run(
        [sys.executable, "-c", begin + program], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    return [json.loads(line) for line in answer.stderr.splitlines()]


def test_a_line_is_one_object_with_its_event_and_its_ids() -> None:
    (line,) = lines_of(
        "structlog.contextvars.bind_contextvars(task_id='t-1', channel='shop')\n"
        "structlog.get_logger('x').warning('push.refused', sku='MUG', push=7)"
    )

    said = {name: line[name] for name in ("event", "task_id", "channel", "sku", "push", "level")}
    assert said == {
        "event": "push.refused", "task_id": "t-1", "channel": "shop", "sku": "MUG", "push": 7, "level": "warning",
    }  # fmt: skip


def test_no_secret_is_written_even_inside_other_words() -> None:
    said = lines_of(
        "structlog.get_logger().error('x', why='refused: ' + SECRET)\n"
        "logging.getLogger('urllib3').warning('GET /?key=%s', SECRET)\n".replace(
            "SECRET", repr(SECRET)
        ),
        SECRET,
    )

    assert len(said) == 2
    assert not [line for line in said if "0123456789" in json.dumps(line).replace('\\"', "")]
    assert [HIDDEN in json.dumps(line) for line in said] == [True, True]


def test_fields_named_after_buyers_and_payloads_are_hidden() -> None:
    (line,) = lines_of(
        "structlog.get_logger().info('x', email='a@b.example', shipping_address={'city': 'Oslo'},"
        " payload='{}', order='1001', detail={'buyer': 'Ann', 'sku': 'MUG'})"
    )

    assert line["order"] == "1001"
    assert line["detail"] == {"buyer": HIDDEN, "sku": "MUG"}
    assert {line[name] for name in ("email", "shipping_address", "payload")} == {HIDDEN}


def test_a_row_that_the_database_refused_is_not_in_the_words_of_its_error() -> None:
    (line,) = lines_of(
        "try:\n"
        "    raise ValueError('violates check\\nDETAIL:  Failing row contains (Ann Buyer).\\n"
        '[SQL: INSERT]\\n[parameters: {"body": "Ann Buyer"}]\\n(see below)\')\n'
        "except ValueError:\n"
        "    logging.getLogger('celery').exception('Task raised')\n"
    )

    assert "Ann Buyer" not in json.dumps(line)
    assert "violates check" in line["exception"]
    assert "[SQL: INSERT]" in line["exception"]


def test_a_message_that_celery_cannot_read_is_not_written_out() -> None:
    (line,) = lines_of(
        "logging.getLogger('celery').error('Received unregistered task.\\n"
        "The full contents of the message body was:\\n[Ann Buyer] (77b)\\n\\n"
        "The full contents of the message headers:\\n{argsrepr: Ann Buyer}')"
    )

    assert "Ann Buyer" not in json.dumps(line)
    assert "unregistered task" in line["event"]


def test_a_password_in_an_address_is_not_written() -> None:
    (line,) = lines_of("structlog.get_logger().info('x', url='redis://:hunter22@redis:6379/0')")

    assert line["url"] == f"redis://{HIDDEN}@redis:6379/0"


def test_every_secret_of_the_settings_is_known_to_the_logs(tmp_path: Path) -> None:
    secret = {
        name: f"value-of-{name}"
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation) and name != "channel_secrets"
    }
    channels = json.dumps({"shop": {"token": "value-of-token-1", "webhook_secrets": ["hook-new"]}})
    here = Settings.model_validate(
        secret
        | {
            "channel_secrets": channels,
            "database_url": "postgresql+psycopg://app:pass%20word@host/lockstep",
            "redis_url": "redis://:red1s-word@host/0",
        }
    )

    known = set(_secrets(here))

    assert secret
    wanted = {"value-of-token-1", "hook-new", "pass word", "pass%20word", "red1s-word"}
    assert (set(secret.values()) | wanted) - known == set()


def test_no_line_of_ours_names_what_must_not_be_written() -> None:
    forbidden = re.compile(
        r"\blog\.(?:debug|info|warning|error|exception)\([^)]*\b(?:payload|body|headers|token|secret|email|buyer)=",
        re.DOTALL,
    )

    found = [
        str(path.relative_to(ROOT))
        for room in ("ledger", "allocation", "channels", "reconcile", "workers", "console")
        for path in (ROOT / room).rglob("*.py")
        if forbidden.search(path.read_text())
    ]

    assert found == []


def test_who_configures_again_reaches_loggers_that_wrote_before() -> None:
    (line,) = lines_of(
        "log = structlog.get_logger('x')\n"
        "from structlog.testing import capture_logs\n"
        "import os\n"
        "with open(os.devnull, 'w') as nowhere:\n"
        "    logging.getLogger().handlers[0].setStream(nowhere)\n"
        "    log.warning('first')\n"
        "logs.configure('INFO')\n"
        "with capture_logs() as said:\n"
        "    log.warning('second')\n"
        "structlog.get_logger('y').warning('seen', lines=[each['event'] for each in said])\n"
    )

    assert line["lines"] == ["second"]
