"""What commands share: their settings, their logs, their output for scripts."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from keywatt.settings import Settings

_WIDE = 140
"""Where it is not a terminal that says how wide it is."""

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, for scripts.")
]


def epilogue(*paragraphs: str, examples: Sequence[str] = ()) -> str:
    """Lay out what stands below a command's help."""
    shown = "\n".join(f"  {example}" for example in examples)
    return "\n\n".join(
        [*paragraphs, *([f"[bold]Examples[/bold]\n{shown}"] * bool(shown))]
    )


def settings_of(ctx: typer.Context) -> "Settings":
    """Read the settings that this call is given."""
    from keywatt.settings import load_settings

    config = ctx.obj
    return load_settings(config if isinstance(config, Path) else None)


def print_json(content: object) -> None:
    """Print one line of JSON."""
    print(json.dumps(content, ensure_ascii=False, default=str))


def console() -> "Console":
    """Return where tables are printed."""
    from rich.console import Console

    made = Console()
    return made if made.is_terminal else Console(width=_WIDE)


def begin_service(settings: "Settings") -> None:
    """Let a service log to standard error; it is not ready yet."""
    if settings.ready_file:
        settings.ready_file.unlink(missing_ok=True)
    logging.basicConfig(
        stream=sys.stderr,
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # It logs the bytes of every cut connection; what matters we are told by exceptions.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


def announce_ready(settings: "Settings") -> None:
    """Tell whoever started this service that it now serves."""
    if settings.ready_file:
        settings.ready_file.touch()
