"""The options of `keywatt edit`."""

from pathlib import Path
from typing import Annotated

import typer

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
