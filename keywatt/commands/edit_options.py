"""The options of `keywatt edit`, those of every change in one place.

A command that changes something takes a `Manner`; `with_manner` gives it the options.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from keywatt.commands.common import AsJson
from keywatt.commands.entering import By

PointName = Annotated[str, typer.Argument(metavar="POINT", help="The point's name.")]
Start = Annotated[
    str, typer.Argument(metavar="START", help="Of a quarter-hour: 2026-03-02T10:15.")
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="STOP", help="Where a run of them ends."),
]
Kwh = Annotated[
    str | None,
    typer.Option("--kwh", metavar="KWH", help="Import of each quarter-hour."),
]
TotalKwh = Annotated[
    str | None,
    typer.Option(
        "--total-kwh",
        metavar="KWH",
        help="Import of all together, shared out evenly to the last decimal.",
    ),
]
ExportKwh = Annotated[
    str | None,
    typer.Option("--export-kwh", metavar="KWH", help="Of each; else as settled."),
]
Lagging = Annotated[
    str | None,
    typer.Option(
        "--lagging-kvarh",
        "--kvarh-lagging",
        metavar="KVARH",
        help="Of each; else as settled.",
    ),
]
Leading = Annotated[
    str | None,
    typer.Option(
        "--leading-kvarh",
        "--kvarh-leading",
        metavar="KVARH",
        help="Of each; else as settled.",
    ),
]
File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="CSV with the columns start and import_kwh; also export_kwh, "
        "lagging_kvarh, leading_kvarh.",
    ),
]
AccountOption = Annotated[str, typer.Option("--account", metavar="CODE", help="Whose.")]
PointOption = Annotated[
    str | None,
    typer.Option("--point", metavar="NAME", help="Needed where it has several."),
]
OnlyPoint = Annotated[
    str | None, typer.Option("--point", metavar="NAME", help="Only this point's.")
]
Number = Annotated[int, typer.Argument(metavar="EDIT_ID", help="As the list has it.")]
Why = Annotated[str, typer.Option("--why", help="Why it counts no longer.")]
BilledToo = Annotated[
    bool, typer.Option("--billed-too", help="Also what a bill pins; it will differ.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Store it without asking.")]
Settle = Annotated[bool, typer.Option("--settle", help="Settle the days at once.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """In whose name a change is made, how far it may go, how it is talked about."""

    by: By = None
    billed_too: BilledToo = False
    yes: Yes = False
    settle: Settle = False
    as_json: AsJson = False


def with_manner(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Manner`, which it takes as `manner`.

    The library reads a command's options from its signature.
    """
    options = {each.name: (each.type, each.default) for each in fields(Manner)}

    @wraps(command)
    def given(**values: Any) -> None:  # noqa: ANN401  whatever options there are
        manner = Manner(**{name: values.pop(name) for name in options})
        command(**values, manner=manner)

    signature = inspect.signature(command)
    own = [one for name, one in signature.parameters.items() if name != "manner"]
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
        )
        for name, (kind, default) in options.items()
    ]
    given.__signature__ = signature.replace(parameters=own + shared)  # type: ignore[attr-defined]
    given.__annotations__ = {one.name: one.annotation for one in own + shared}
    return given
