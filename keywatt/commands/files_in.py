"""`keywatt import`: files of intervals or registers, seen before they are stored."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from keywatt.commands import imports
from keywatt.commands.common import AsJson, epilogue, print_json, settings_of

if TYPE_CHECKING:
    from reports.exchange.content import Content
    from reports.exchange.form import FileForm
    from reports.exchange.importing import Order
    from reports.exchange.preview import Preview
    from reports.exchange.text_table import Tell

_HELP = "Show what files would change, store them, list imports, and undo one."
_EPILOGUE = epilogue(
    "Without --apply nothing is changed: rows that are new, changed or the same are "
    "told, energy by day, what is refused with its line and why, and which days would "
    "be settled again. With --apply all files are stored in one transaction, or none.",
    "Delimiter, encoding, decimal mark, thousands separators, order and the form of "
    "times are recognised. A time without a zone is the account's, and the hour that "
    "autumn repeats is told apart by the order of the rows. Energy is that of the "
    "point: CT and PT are in it. A register is what the meter shows, without them.",
    "Exit code 2: rows are refused or contradict what is stored.",
    "“keywatt import list” tells what was imported, and “keywatt import undo NUMBER” "
    "takes it back. A file that is called list is ./list.",
    examples=(
        "keywatt import exported.csv --account steel",
        "keywatt import a.csv --account steel --column time=Date --column net_kwh=P",
        "keywatt import a.csv --account steel --point Hall --unit kW --apply",
        "keywatt import dials.csv --account steel --kind registers --apply",
        "keywatt import undo 3 --reason 'It was of another plant'",
    ),
)
_REFUSED_CODE = 2
_FILES = "file"

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="CSV or Parquet, also gzipped.")
]
AccountCode = Annotated[str, typer.Option("--account", metavar="CODE", help="Whose.")]
PointName = Annotated[
    str | None,
    typer.Option("--point", metavar="NAME", help="Needed where it has several."),
]
MeterSerial = Annotated[
    str | None,
    typer.Option(
        "--meter",
        metavar="SERIAL",
        help="Whose rows they are, as a check meter's; otherwise the main meter's of "
        "that time.",
    ),
]
KindName = Annotated[
    str, typer.Option("--kind", metavar="intervals|registers", help="What a row is.")
]
ZoneName = Annotated[
    str | None,
    typer.Option("--zone", help="Of times without one; the account's if not given."),
]
UnitName = Annotated[
    str, typer.Option("--unit", metavar="kWh|kW|Wh|W|MWh|MW", help="Of the energy.")
]
Ends = Annotated[
    bool, typer.Option("--interval-ends", help="A time names its interval's end.")
]
LengthMin = Annotated[
    int | None,
    typer.Option("--length-min", help="Of an interval; found out if not given."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="ROLE=NAME",
        help="Which column is what: time, import_kwh, export_kwh, net_kwh (signed), "
        "lagging_kvarh, leading_kvarh, net_kvarh; of registers, a quantity such as "
        "energy_import_kwh. Repeatable. time=DATE+CLOCK joins two columns.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=TEXT", help="Only rows with this text in that column; repeatable."
    ),
]
TimeFormat = Annotated[
    str | None, typer.Option(metavar="FORMAT", help="As in strptime, if it is unusual.")
]
Decimal = Annotated[
    str | None, typer.Option(metavar=".|,", help="The decimal mark, if not plain.")
]
Delimiter = Annotated[
    str | None, typer.Option(metavar="CHAR", help="Between fields, if not plain.")
]
Apply = Annotated[bool, typer.Option("--apply", help="Store it.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Let the files win over what is stored.")
]
SkipRefused = Annotated[
    bool, typer.Option("--skip-refused", help="Store the rows that are not refused.")
]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who imports; else the login."),
]


class FilesOrCommand(TyperGroup):
    """Takes what is no command for files."""

    usual = _FILES
    """The command that need not be named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Name the usual command where no other one is."""
        is_named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if is_named else [self.usual, *args])


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(cls=FilesOrCommand, help=_HELP, epilog=_EPILOGUE)
    app.add_typer(family, name="import")
    imports.add_to(family)

    @family.command(_FILES, epilog=_EPILOGUE)
    def import_(  # one parameter an option, as the library wants it
        ctx: typer.Context,
        files: Files,
        *,
        account: AccountCode,
        point: PointName = None,
        meter: MeterSerial = None,
        kind: KindName = "intervals",
        zone: ZoneName = None,
        unit: UnitName = "kWh",
        interval_ends: Ends = False,
        length_min: LengthMin = None,
        column: Columns = None,
        where: Where = None,
        time_format: TimeFormat = None,
        decimal: Decimal = None,
        delimiter: Delimiter = None,
        apply: Apply = False,
        replace: Replace = False,
        skip_refused: SkipRefused = False,
        by: By = None,
        as_json: AsJson = False,
    ) -> None:
        """Show what files of intervals or registers would change, and store them."""
        from keywatt.import_told import as_json as shown
        from keywatt.import_told import tell
        from reports.exchange.importing import Order

        settings = settings_of(ctx)
        order = Order(
            account=account,
            point=point,
            meter=meter,
            apply=apply,
            replace=replace,
            skip_refused=skip_refused,
            by=by or getpass.getuser(),
            now=settings.site_clock().now(),
        )
        entered: dict[str, object] = {
            "kind": kind,
            "zone": zone,
            "unit": unit,
            "interval_ends": interval_ends,
            "length_min": length_min,
            "columns": _pairs(column, "--column"),
            "where": _pairs(where, "--where"),
            "time_format": time_format,
            "decimal": decimal,
            "delimiter": delimiter,
        }
        preview, billed = _import(settings.database(), files, entered, order)
        if as_json:
            print_json(shown(preview))
        else:
            tell(preview)
            print(billed.lstrip(), end="\n" if billed else "")
        if preview.why_not or preview.refused:
            raise typer.Exit(_REFUSED_CODE)


def _pairs(entered: Sequence[str] | None, option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in entered or ()]
    for left, sign, right in pairs:
        if not (left and sign and right):
            given = f"{left}{sign}{right}"
            raise typer.BadParameter(f"{option} {given!r} should be NAME=VALUE.")
    return {left: right for left, _, right in pairs}


def _import(
    url: str, files: Sequence[Path], entered: dict[str, object], order: "Order"
) -> "tuple[Preview, str]":
    """Import, and name the bills that cover what was stored."""
    from keywatt.commands.entering import bills_told
    from reports.exchange.form import make_form
    from reports.exchange.importing import find_point, import_files
    from storage.database import connect

    with connect(url) as conn:
        account, point = find_point(conn, order.account, order.point)
        conn.rollback()
        if entered["zone"] is None:
            entered["zone"] = str(account.time_zone)
        given = {key: value for key, value in entered.items() if value is not None}
        form = make_form(given, "command line")
        contents = [_read(file, form, point.name) for file in files]
        preview = import_files(conn, contents, order)
        stored = preview.settle if preview.applied else ()
        return preview, bills_told(conn, account, stored)


def _read(file: Path, form: "FileForm", point: str) -> "Content":
    from reports.exchange.reading import read_content

    with _bar(f"Reading {file.name}") as tell:
        return read_content(file, form, point=point, tell=tell)


@contextmanager
def _bar(title: str) -> "Iterator[Tell]":
    """Show a bar where somebody looks on."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done, _all: None
        return
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task(title)
        yield lambda done, total: progress.update(bar, completed=done, total=total)
