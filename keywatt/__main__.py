"""The command line: what there is to call, and what a person is told when it fails.

Exit codes: 0 done; 1 something failed (no database, a program that died); 2 something
was asked for or entered that cannot be.
"""

import os
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from keywatt.commands import (
    bill,
    closure,
    completeness,
    database,
    demo,
    doctor,
    edit,
    files_in,
    files_out,
    meters,
    outage,
    probe,
    profiles,
    replay,
    rules,
    services,
    settings,
    simulate,
    simulate_fleet,
    site,
    status,
    trace,
    verdicts,
)
from keywatt.commands.common import epilogue

_EPILOGUE = epilogue(
    "[bold]To see all of it without a meter:[/bold] keywatt demo",
    "[bold]To watch real meters:[/bold] name a database in KEYWATT_DATABASE_URL and a "
    "broker in KEYWATT_BROKER_HOST; then keywatt migrate, keywatt site apply FILE and, "
    "each in a process of its own: keywatt collect, keywatt work, keywatt dashboard.",
    "[bold]To see what becomes of every reading:[/bold] keywatt status; of every "
    "interval: keywatt completeness; which rules failed: keywatt verdicts",
    "[bold]When something seems wrong:[/bold] keywatt doctor",
)

app = typer.Typer(
    name="keywatt",
    help="Watches the meters of a power utility's key accounts.",
    epilog=_EPILOGUE,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
demo.add_to(app)
replay.add_to(app)
services.add_to(app)
simulate.add_to(app)
simulate_fleet.add_to(app)
database.add_to(app)
site.add_to(app)
meters.add_to(app)
outage.add_to(app)
closure.add_to(app)
rules.add_to(app)
files_in.add_to(app)
files_out.add_to(app)
profiles.add_to(app)
probe.add_to(app)
status.add_to(app)
trace.add_to(app)
completeness.add_to(app)
verdicts.add_to(app)
edit.add_to(app)
bill.add_to(app)
doctor.add_to(app)
settings.add_to(app)


def _show_version(wanted: bool) -> None:  # noqa: FBT001  the library calls it so
    if wanted:
        print(f"keywatt {version('keywatt')}")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="TOML file of settings; the environment wins over it.",
        ),
    ] = None,
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    ctx.obj = config


def main() -> None:
    """Run one command; whatever goes wrong is one sentence on standard error."""
    try:
        code = app(standalone_mode=False)
    except TyperException as exc:
        # An empty message: help was shown for want of a command.
        _end(exc.format_message() or None, 2)
    except (KeyboardInterrupt, typer.Abort):
        _end(None, 130)
    except BrokenPipeError:
        sys.stdout = None  # the reader has gone: nothing can be said
        sys.exit(1)
    except Exception as exc:  # noqa: BLE001  the outermost place
        from keywatt.failure import explain  # noqa: PLC0415  seldom needed

        if os.environ.get("KEYWATT_LOG_LEVEL") == "debug":
            traceback.print_exception(exc)
        _end(*explain(exc))
    sys.exit(code if isinstance(code, int) else 0)


def _end(sentence: str | None, code: int) -> None:
    if sentence:
        print(sentence, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
