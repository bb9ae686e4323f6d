"""The only reader of the environment: one frozen value, read at the door and passed down."""

from __future__ import annotations

import os
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

CHANNEL_QUEUES = ("shopify", "amazon", "square", "edi")

_NUMBER = r"(0*[1-9]\d{0,5}|0)(\.\d{1,3})?"
_BY_TIER = rf"^A={_NUMBER},B={_NUMBER},C={_NUMBER}$"
_DAYS_BY_TIER = r"^A=[1-9]\d{0,3},B=[1-9]\d{0,3},C=[1-9]\d{0,3}$"


class Settings(BaseSettings):
    """What a process may be told from outside.

    Every field runs on a laptop as it is; `LOCKSTEP_<FIELD>` changes it. Durations end in `_s`, sizes in `_bytes`.
    """

    model_config = SettingsConfigDict(env_prefix="LOCKSTEP_", frozen=True, extra="ignore")

    env: str = Field(
        default="local", description="Name of this installation; prefixes Redis keys and alerts"
    )
    home: Path = Field(
        default=Path(".lockstep"), description="Folder of the local profile: data, logs, state"
    )
    database_url: str = Field(
        default="",
        description="PostgreSQL for the application role; empty means the local profile's own server",
    )
    database_admin_url: str = Field(
        default="",
        description="PostgreSQL for migrations; empty means `LOCKSTEP_DATABASE_URL`",
    )
    redis_url: str = Field(
        default="", description="Redis or Valkey; empty means the local profile's own server"
    )
    broker_url: str = Field(
        default="",
        pattern=r"^((redis|rediss|amqp|amqps)://\S+)?$",
        description="Celery's broker, `redis://` or `amqp://` (RabbitMQ); empty means `LOCKSTEP_REDIS_URL`",
    )
    task_key: SecretStr = Field(
        default=SecretStr(""),
        description="Signs Celery's messages; `new,old` while keys change; empty: nothing is signed",
    )
    inside: Literal["none", "loopback", "private"] = Field(
        default="loopback",
        description="How far into this network calls go: none, loopback (simulators), private",
    )
    pg_bin: Path | None = Field(
        default=None, description="Folder of initdb and postgres for the local profile"
    )
    redis_bin: Path | None = Field(
        default=None, description="valkey-server or redis-server for the local profile"
    )
    database_pool: int = Field(default=8, ge=1, description="Connections one process may hold")

    relay_host: str = Field(default="127.0.0.1", description="Address the relay listens on")
    relay_port: int = Field(
        default=8080, ge=0, le=65535, description="Port the relay listens on; 0 takes a free one"
    )
    relay_body_bytes: int = Field(
        default=1_000_000, ge=1024, description="Largest body the relay reads; more is a 413"
    )
    relay_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token of POST /events; empty closes that door"
    )
    availability_token: SecretStr = Field(
        default=SecretStr(""),
        description="Bearer token of GET /availability; empty closes that door",
    )
    availability_port: int = Field(
        default=8081,
        ge=0,
        le=65535,
        description="Port of GET /availability where it is served alone; 0 takes a free one",
    )
    availability_age_s: float = Field(
        default=5.0,
        ge=0,
        le=60,
        description="Greatest age of an answer about pick-up; 0 asks the database each time",
    )
    channels: Annotated[tuple[str, ...], NoDecode] = Field(
        default=CHANNEL_QUEUES,
        description="Channels that have a push queue, separated by commas",
    )
    channel_secrets: SecretStr = Field(
        default=SecretStr("{}"),
        description='JSON: {"<channel>": {"token": "...", "webhook_secrets": ["new", "old"]}}',
    )
    channel_secrets_file: Path | None = Field(
        default=None,
        description="The same JSON in a file; it is read when `LOCKSTEP_CHANNEL_SECRETS` is empty",
    )

    api_port: int = Field(
        default=8082, ge=0, le=65535, description="Port the API listens on; 0 takes a free one"
    )
    metrics_port: int = Field(
        default=8083, ge=0, le=65535, description="Port of GET /metrics; 0 takes a free one"
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="Bearer token of GET /metrics; empty lets in who reaches the port",
    )
    session_key: SecretStr = Field(
        default=SecretStr(""),
        description="Signs sessions of browsers; empty keeps a key in LOCKSTEP_HOME",
    )
    session_s: int = Field(
        default=43_200, ge=60, le=2_592_000, description="Seconds until a browser logs in again"
    )
    url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Address of an API that commands speak to instead of the database",
    )
    token: SecretStr = Field(
        default=SecretStr(""), description="Token with which commands speak to it"
    )
    role: Literal["viewer", "operator", "lead", "admin"] = Field(
        default="admin", description="What the command line may do: viewer, operator, lead or admin"
    )

    flower_host: str = Field(default="127.0.0.1", description="Address Flower listens on")
    flower_port: int = Field(default=5555, ge=0, le=65535, description="Port Flower listens on")
    flower_user: str = Field(default="lockstep", description="User of Flower's basic auth")
    flower_password: SecretStr = Field(
        default=SecretStr(""),
        description="Password of Flower's basic auth; Flower does not start without one",
    )

    drain_rows: int = Field(
        default=1000, ge=1, le=5000, description="Inbox rows one drain claims in one transaction"
    )
    sweep_s: float = Field(
        default=3.0, gt=0, description="Seconds between sweeps that ring again for waiting work"
    )
    rise_wait_s: float = Field(
        default=1.0, ge=0, description="Seconds an increase waits for orders on their way"
    )
    push_limit_s: float = Field(
        default=60.0, gt=0, description="Age up to which a push counts as in flight"
    )
    verify_after_s: float = Field(
        default=2.0, ge=0, description="Seconds from a confirmed push to its read-back"
    )
    repush_attempts: int = Field(
        default=4,
        ge=2,
        le=12,
        description="Pushes that are taken and do not show before a place goes into quarantine",
    )
    push_lease_s: float = Field(
        default=120.0,
        gt=0,
        description="Seconds until numbers held by a worker that died are looked at again",
    )
    certificate_key: SecretStr = Field(
        default=SecretStr(""),
        description="Signs the certificates of channels; empty keeps a key in LOCKSTEP_HOME",
    )
    halt_percent: float = Field(
        default=10.0, gt=0, description="Drift above this percent may halt a SKU and channel"
    )
    halt_units: int = Field(
        default=3, ge=1, description="Drift of at least this many units may halt"
    )
    halt_ttl_s: float = Field(
        default=14400.0, gt=0, description="The rule's halts that stand for longer call a person"
    )
    fast_per_day: float = Field(
        default=24.0, gt=0, description="Units a day from which a SKU sells fast"
    )
    scarce_units: int = Field(
        default=10, ge=0, description="Up to so many units shown, a write is always read back"
    )
    verify_share: float = Field(
        default=1.0, ge=0, le=1, description="Part of the other writes that is read back"
    )
    verify_rows: int = Field(
        default=250, ge=0, description="Most of these that one look at a channel reads back"
    )
    reconcile_s: int = Field(
        default=900, ge=5, le=86400, description="Length of one reconciliation window"
    )
    orders_overlap_s: float = Field(
        default=60.0, ge=0, description="Seconds that a poll of orders reads again before its mark"
    )
    keep_days: int = Field(
        default=400,
        ge=35,
        description="Days that rows of daily work are kept once they are over; the book is kept for ever",
    )
    keep_bodies_days: int = Field(
        default=60,
        ge=7,
        description="Days that a delivery is kept as it came, customers' names and all, once it is booked",
    )
    truth_hour: int = Field(
        default=3, ge=0, le=23, description="Hour (UTC) from which whole catalogues are read back"
    )
    pull_forward_days: int = Field(
        default=2,
        ge=0,
        le=400,
        description="Days from the oldest order that waits until what it lacks is due",
    )
    alert_s: float = Field(
        default=15.0, gt=0, description="Seconds between looks at the rules of alerts"
    )
    alert_slack_token: SecretStr = Field(
        default=SecretStr(""), description="Slack bot token (`chat:write`); empty tells nothing"
    )
    alert_slack_channel: str = Field(
        default="", description="Id of the Slack channel for alerts (C...); the bot is a member"
    )
    alert_slack_url: str = Field(
        default="https://slack.com/api/", description="Address of Slack's Web API"
    )
    alert_pagerduty_key: SecretStr = Field(
        default=SecretStr(""),
        description="Integration key (Events API v2) of PagerDuty; empty calls nobody",
    )
    alert_pagerduty_url: str = Field(
        default="https://events.pagerduty.com",
        description="Address of PagerDuty's Events API; https://events.eu.pagerduty.com in the EU",
    )
    alert_webhook_url: str = Field(
        default="", description="Address that every alert is posted to as JSON; empty posts nothing"
    )
    alert_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Signs what is posted there (HMAC-SHA256)"
    )
    alert_pages_url: str = Field(
        default="",
        description="Address in front of `docs/runbooks/...` in alerts, ending in a slash",
    )
    case_email_from: str = Field(
        default="service@example.invalid",
        min_length=3,
        pattern=r"^[^\s\x00-\x1f][^\r\n\x00]*$",
        description="Address that drafts to customers of oversold lines are from",
    )
    case_webhook_url: str = Field(
        default="", description="Address that every oversold line is posted to as JSON; empty: none"
    )
    case_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Signs what is posted there (HMAC-SHA256)"
    )
    hook_key: SecretStr = Field(
        default=SecretStr(""),
        description="Derives the secrets of webhooks; empty keeps a key in LOCKSTEP_HOME",
    )
    hook_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Networks inside that webhooks may call, such as 10.1.0.0/16, separated by commas",
    )
    alert_stock_days: float = Field(
        default=2.0,
        gt=0,
        description="Days of cover below which stock is low; twice for best sellers",
    )
    alert_push_age_s: float = Field(
        default=300.0, gt=0, description="Age of the oldest number to be shown that is an alert"
    )
    alert_inbox_age_s: float = Field(
        default=60.0, gt=0, description="Age of the oldest delivery to be booked that is an alert"
    )
    alert_capture_s: float = Field(
        default=60.0, gt=0, description="Seconds from an order to its row in the book; more is late"
    )
    alert_drift_s: float = Field(
        default=300.0,
        gt=0,
        description="Seconds that a small drift may stay open before it is told",
    )
    count_days: str = Field(
        default="A=30,B=90,C=365",
        pattern=_DAYS_BY_TIER,
        description="Days from one count of a place to the next, by tier",
    )
    count_percent: str = Field(
        default="A=1,B=3,C=5",
        pattern=_BY_TIER,
        description="A count is within tolerance up to this percent of the book, by tier",
    )
    count_units: str = Field(
        default="A=0,B=0,C=0",
        pattern=_BY_TIER,
        description="And up to so many units in any case, by tier",
    )
    count_escalate_percent: float = Field(
        default=5.0, gt=0, description="Counts off by more are told at once and counted again"
    )
    traces: bool = Field(
        default=False,
        description="Follow events by OpenTelemetry (extra `otel`); its SDK reads the usual `OTEL_*`",
    )
    log_level: str = Field(
        default="INFO", description="Lowest level written: DEBUG, INFO, WARNING or ERROR"
    )

    @field_validator("log_level")
    @classmethod
    def _a_level(cls, said: str) -> str:
        level = said.upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return level

    @field_validator("hook_networks")
    @classmethod
    def _networks(cls, said: tuple[str, ...]) -> tuple[str, ...]:
        for each in said:
            ip_network(each, strict=False)
        return said

    @field_validator("channels", "hook_networks", mode="before")
    @classmethod
    def _split(cls, said: object) -> object:
        return (
            tuple(filter(None, said.replace(" ", "").split(","))) if isinstance(said, str) else said
        )


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()


def unknown() -> list[str]:
    """Names in the environment that look like settings and are none: a typing error changes nothing, in silence."""
    known = {f"LOCKSTEP_{name.upper()}" for name in Settings.model_fields}
    return sorted(
        name
        for name in map(str.upper, os.environ)
        if name.startswith("LOCKSTEP_") and name not in known
    )
