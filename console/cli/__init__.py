"""The `lockstep` command. A command's module is imported when it runs, so that `--help` answers at once.

Data goes to stdout, everything else to stderr. Exit codes: 0 done or no difference, 1 error, 2 wrong usage, 3
differences found, 4 some items failed, 5 refused by a guard.
"""

from __future__ import annotations

from importlib import import_module

import click

#: command -> (module in console.cli, one line for the list)
COMMANDS: dict[str, tuple[str, str]] = {
    "alarm": ("alarm", "What somebody should look at, one by one."),
    "alert": ("alert", "What is told: list, doors, test, silence, ack."),
    "alloc": ("alloc", "Rules: check, plan, apply, show, history, rollback."),
    "amazon": ("amazon", "Amazon's own stock, MCF orders, featured offers, IPI."),
    "audit": ("audit", "Who did what, at which door, and how it ended."),
    "beat": ("serve", "Run the clock (any number of copies)."),
    "bench": ("bench", "Measure against floors, in one run."),
    "case": ("case", "Order lines that are not there: list, show, choose, run, close, rate."),
    "catalogue": ("stock", "SKUs and locations."),
    "channel": ("channel", "Channels: list, test, map, subscribe, pause, resume."),
    "chaos": ("chaos", "Play random schedules with everything failing that may."),
    "config": ("config", "Settings: what is in force, what makes no sense, what there is."),
    "completion": ("completion", "Complete commands in bash, zsh or fish."),
    "count": ("count", "Physical counts: plan, submit, recounts, accuracy, shrinkage."),
    "db": ("db", "The schema: upgrade, status."),
    "demo": ("local", "Run a whole house through a day and check it."),
    "edi": ("edi", "Wholesale partners (X12): status, documents, ship, resend, parse."),
    "export": ("export", "Files for other systems: run, verify."),
    "failed": ("failed", "Failed work: list, show, retry, discard, assign, export."),
    "faults": ("faults", "Kill, freeze and cut off real processes under load."),
    "flower": ("serve", "Run Celery's monitor behind a password."),
    "forecast": ("planning", "What will be wanted: run, status, show, backtest."),
    "halt": ("halt", "Stop and resume one SKU on one channel."),
    "history": ("history", "Bring past events in and tie them out."),
    "hook": ("hook", "Addresses outside that are told: add, list, test, remove."),
    "inbox": ("inbox", "Deliveries: list, show, replay."),
    "lag": ("pace", "How far each channel is behind, stage by stage."),
    "ledger": ("ledger", "The book: verify, seal."),
    "op": ("op", "Bulk work on failures: list, show, watch, cancel."),
    "partner": ("partner", "Programs: units held for a wholesale partner."),
    "pace": ("pace", "How fast one SKU sells, by channel and location."),
    "pickup": ("pickup", "What stores may promise for pick-up; report a failed pick."),
    "play": ("local", "Open a house with played shops and keep it up, to try things in."),
    "prove": ("prove", "Prove what is claimed, by playing it: oversell."),
    "push": ("push", "What was pushed, what waits, what was parked: list, show, parked, retry."),
    "queue": ("queue", "Queues of the workers: list, pause, resume."),
    "recon": ("recon", "Compare what channels show with what they should."),
    "reorder": ("reorder", "What to order now, and why: list; by what: terms, set, import."),
    "review": ("review", "What a quarter came to, as one page: quarter, suggestions, dismiss."),
    "serve": ("serve", "Run a door: relay, availability, api."),
    "sim": ("sim", "The vendors, played: accounts on this machine, and buyers in them."),
    "sku": ("stock", "SKUs: search, show, timeline, explain, resync, atp."),
    "stock": ("stock", "Correct stock by hand."),
    "supply": ("supply", "What is to come: expect, list; what was asked to come sooner."),
    "token": ("token", "Tokens of the API and the dashboard: create, list, revoke, rotate."),
    "up": ("local", "Start the local stack and keep it up."),
    "worker": ("serve", "Run a worker."),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"console.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lockstep")
def cli() -> None:
    """Lockstep keeps every sales channel in step with one stock ledger."""


def main() -> None:
    """The console script."""
    cli(prog_name="lockstep")
