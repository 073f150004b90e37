"""`keywatt meters`: ten thousand meters in one CSV file."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of
from keywatt.commands.entering import By, who

if TYPE_CHECKING:
    from accounts.meter_change import Change
    from accounts.meter_entry import Entry, Refused
    from accounts.meter_list import MeterList, Tell
    from accounts.meter_plan import Plan

_HELP = "Check, apply and export a list of meters (CSV)."
_EPILOGUE = epilogue(
    "The first line names the columns: account, point, serial, profile and "
    "installed_at are needed; host, port and unit for a meter over Modbus; the "
    "handbook has them all (docs/handbook/meters-and-accounts.md).",
    "A bad line is refused alone: file, line, column and reason are told, the other "
    "lines are applied, and the exit code is 2. Accounts and tariffs come from the "
    "site file. A running collector follows within seconds.",
    examples=(
        "keywatt meters export meters.csv",
        "keywatt meters check meters.csv",
        "keywatt meters apply meters.csv --dry-run",
        "keywatt meters apply meters.csv --remove-missing",
    ),
)
_MOST_TOLD = 20
_REFUSED_CODE = 2
File = Annotated[Path, typer.Argument(metavar="FILE", help="The meter list (CSV).")]
RemoveMissing = Annotated[
    bool,
    typer.Option(
        "--remove-missing",
        help="Meters that are not listed leave the accounts that are; otherwise they "
        "stay.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
]
Ended = Annotated[
    bool, typer.Option("--ended", help="Also meters that have left their point.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(no_args_is_help=True, help=_HELP, epilog=_EPILOGUE)
    app.add_typer(family, name="meters")

    @family.command("check", epilog=_EPILOGUE)
    def check(ctx: typer.Context, file: File, *, as_json: AsJson = False) -> None:
        """Read a list and say what is wrong with it; ask no database."""
        from accounts.meter_clash import refuse_clashes

        listed = _read(file)
        now = settings_of(ctx).site_clock().now()
        clashes = refuse_clashes(listed.entries, (), now)
        refused = sorted([*listed.refused, *clashes], key=lambda one: one.line)
        if as_json:
            print_json({"lines": listed.lines, "refused": _as_json(file, refused)})
        else:
            _tell_refused(file, refused)
            good = listed.lines - len(refused)
            print(f"{good} of {listed.lines} lines of {file} can be used.")
        raise typer.Exit(_REFUSED_CODE if refused else 0)

    @family.command("apply", epilog=_EPILOGUE)
    def apply(
        ctx: typer.Context,
        file: File,
        *,
        remove_missing: RemoveMissing = False,
        dry_run: DryRun = False,
        by: By = None,
        as_json: AsJson = False,
    ) -> None:
        """Enter a list into the database; what is there already is updated."""
        from keywatt.running import migrated
        from storage.database import connect
        from storage.meter_list import apply_meter_list

        listed = _read(file)
        settings = settings_of(ctx)
        url = migrated(settings)
        with _at_work("Entering the list"), connect(url) as conn:
            plan = apply_meter_list(
                conn,
                listed.entries,
                settings.site_clock().now(),
                unread=listed.refused,
                remove_missing=remove_missing,
                dry_run=dry_run,
                by=who(by),
            )
        if as_json:
            print_json(_summary(file, listed, plan, dry_run=dry_run))
        else:
            _tell(file, listed, plan, dry_run=dry_run)
        raise typer.Exit(_REFUSED_CODE if plan.refused else 0)

    @family.command("export", epilog=_EPILOGUE)
    def export(
        ctx: typer.Context, file: File, *, ended: Ended = False, as_json: AsJson = False
    ) -> None:
        """Write the meters of the database as a list that can be applied again."""
        from accounts.meter_list import write_meter_list
        from storage.database import connect
        from storage.meter_list import load_entries

        settings = settings_of(ctx)
        with connect(settings.database()) as conn:
            since = None if ended else settings.site_clock().now()
            entries = load_entries(conn, since)
        file.write_text(write_meter_list(entries), "utf-8")
        if as_json:
            print_json({"file": str(file), "lines": len(entries)})
        else:
            print(f"{len(entries)} lines are in {file}.")


def _read(file: Path) -> "MeterList":
    from accounts.meter_list import read_meter_list

    with _bar() as tell:
        return read_meter_list(file, tell)


@contextmanager
def _bar() -> "Iterator[Tell]":
    """Show a bar where somebody looks on."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done, _all: None
        return
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("Reading the list")
        yield lambda done, total: progress.update(bar, completed=done, total=total)


@contextmanager
def _at_work(text: str) -> Iterator[None]:
    """Show that something goes on, where somebody looks on."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def _summary(
    file: Path, listed: "MeterList", plan: "Plan", *, dry_run: bool
) -> dict[str, object]:
    from accounts.meter_change import What

    changes = [_change_as_json(c) for c in plan.changes if c.what != What.UNCHANGED]
    return {
        "lines": listed.lines,
        "applied": 0 if dry_run else listed.lines - len(plan.refused),
        **{what.value: plan.count(what) for what in What},
        "refused": _as_json(file, plan.refused),
        "removal_held": plan.removal_held,
        "changes": changes,
    }


def _as_json(file: Path, refused: "Sequence[Refused]") -> list[dict[str, object]]:
    return [asdict(one) | {"told": one.told(file)} for one in refused]


def _change_as_json(change: "Change") -> dict[str, object]:
    return {
        "what": change.what.value,
        "serial": change.serial,
        "line": change.line or None,
        "before": asdict(change.before) if change.before else None,
        "after": asdict(change.after) if change.after else None,
    }


def _tell(file: Path, listed: "MeterList", plan: "Plan", *, dry_run: bool) -> None:
    from accounts.meter_change import What

    _tell_refused(file, plan.refused)
    if dry_run:
        _tell_changes(plan)
    counts = ", ".join(f"{plan.count(what)} {what}" for what in What)
    is_there = "would be" if dry_run else "are"
    good = listed.lines - len(plan.refused)
    print(
        f"{good} of {listed.lines} lines of {file} {is_there} in the database:"
        f" {counts}, {len(plan.refused)} refused."
    )
    if plan.removal_held:
        print(
            "No meter was removed: a line that was refused may be that of one which"
            " seems to be missing. Correct it and apply the list again."
        )


def _tell_refused(file: Path, refused: "Sequence[Refused]") -> None:
    for one in refused[:_MOST_TOLD]:
        print(one.told(file), file=sys.stderr)
    if len(refused) > _MOST_TOLD:
        more = len(refused) - _MOST_TOLD
        print(f"and {more} more lines; --json lists them all.", file=sys.stderr)


def _tell_changes(plan: "Plan") -> None:
    from accounts.meter_change import What

    changes = [change for change in plan.changes if change.what != What.UNCHANGED]
    for change in changes[:_MOST_TOLD]:
        print(f"{change.what:8} {change.serial}: {_from_to(change)}")
    if len(changes) > _MOST_TOLD:
        print(f"and {len(changes) - _MOST_TOLD} more; --json lists them all.")


def _from_to(change: "Change") -> str:
    before, after = map(_place, (change.before, change.after))
    if after == before or not (before and after):
        return after or f"{before}, from now on nowhere"
    return f"{before} -> {after}"


def _place(entry: "Entry | None") -> str:
    if entry is None:
        return ""
    at = f" at {entry.address}" if entry.address else ""
    left = f" until {entry.removed_at:%Y-%m-%d %H:%M} UTC" if entry.removed_at else ""
    return f"{entry.account}, {entry.point}{at}{left}"
