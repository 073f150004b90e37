"""`keywatt settings`: what can be set, and what is."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from typing import TYPE_CHECKING

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of

if TYPE_CHECKING:
    from keywatt.settings import Settings

_EPILOGUE = epilogue(
    "Each is an environment variable, or a key (without KEYWATT_, in small letters) of "
    "the TOML file that --config names. A secret can also stand in a file of its own: "
    "KEYWATT_BROKER_PASSWORD_FILE=/run/secrets/broker",
    examples=(
        "keywatt settings",
        "KEYWATT_BROKER_PORT=1884 keywatt settings --json",
        "keywatt --config site.toml settings",
    ),
)


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("settings", epilog=_EPILOGUE)
    def show(ctx: typer.Context, *, as_json: AsJson = False) -> None:
        """Show every setting with its value; secrets stay hidden."""
        settings = settings_of(ctx)
        if as_json:
            from keywatt.settings import shown

            print_json(shown(settings))
        else:
            _print_table(settings)


def _print_table(settings: "Settings") -> None:
    from rich.console import Console
    from rich.table import Table

    from keywatt.settings import shown, variable

    table = Table("Variable", "Value", "Meaning", box=None, pad_edge=False)
    for name, value in shown(settings).items():
        meaning = type(settings).model_fields[name].description
        table.add_row(variable(name), "-" if value is None else str(value), meaning)
    Console().print(table)
