"""`keywatt doctor`: what is reachable, migrated, late."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of
from keywatt.commands.services import broker_of

if TYPE_CHECKING:
    from keywatt.check import Check

_EPILOGUE = epilogue(
    "Each line is ok, warn or fail, with what to do about it. The exit code is 1 if "
    "something fails. For a demo, give it the demo's database and broker.",
    examples=("keywatt doctor", "keywatt doctor --json"),
)
_COLOUR = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("doctor", epilog=_EPILOGUE)
    def doctor(ctx: typer.Context, *, as_json: AsJson = False) -> None:
        """Say what is reachable, migrated, late or refused."""
        from keywatt.check import Verdict
        from keywatt.doctor import examine

        settings = settings_of(ctx)
        checks = examine(settings, broker_of(settings), settings.site_clock().now())
        failed = any(check.verdict is Verdict.FAIL for check in checks)
        if as_json:
            listed = [asdict(check) for check in checks]
            print_json({"ok": not failed, "checks": listed})
        else:
            _print(checks)
        raise typer.Exit(1 if failed else 0)


def _print(checks: "list[Check]") -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    for check in checks:
        verdict = f"[{_COLOUR[check.verdict]}]{check.verdict:5}[/]"
        line = f"{verdict}{check.subject:11} {escape(check.text)}"
        console.print(line, soft_wrap=True)
        if check.remedy:
            console.print(f"{'':17}{escape(check.remedy)}", soft_wrap=True)
