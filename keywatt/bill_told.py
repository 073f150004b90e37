"""Tells people and scripts what bills say, and what is different since."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from accounts.account import Account
from reports.bill_figures import BillFigures, TariffPart
from reports.billed_difference import (
    BilledDifference,
    ChangedInterval,
    PointDifference,
)
from reports.writing import money
from storage.bill_changes import BillChange
from storage.bills import Bill, BilledEnergy

MOST_SHOWN = 24
_COUNTS = ("measured", "estimated", "edited", "missing")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A bill as the list has it."""

    bill: Bill
    account: Account
    import_kwh: float | None
    """As it was pinned."""
    change: BillChange | None
    """None = it is what is believed now, or is withdrawn."""
    days_waiting: int
    """Point-days of it that wait to be settled: more may be different then."""


def _wall(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def tell_figures(console: Console, figures: BillFigures) -> None:
    """Print a bill's energy and cost."""
    bill, zone = figures.bill, figures.account.time_zone
    note = f", {bill.note}" if bill.note else ""
    console.print(
        f"Bill {bill.bill_id} of {figures.account.name}, {bill.first_day} to "
        f"{bill.last_day}, as believed at {_wall(bill.as_of, zone)}{note}.",
        markup=False,
    )
    if bill.withdrawn_at is not None:
        at = _wall(bill.withdrawn_at, zone)
        why = f": {bill.withdrawn_why}" if bill.withdrawn_why else ""
        console.print(
            f"It was withdrawn at {at} by {bill.withdrawn_by}{why}.", markup=False
        )
    _tell_points(console, figures)
    for part in figures.parts:
        _tell_part(console, part, zone)
    for line in figures.demand:
        console.print(
            f"Highest quarter-hour of {line.month:%B %Y}: {line.peak_kw:,.3f} kW at "
            f"{_wall(line.peak_at, zone)}, at {line.price}: {line.charge:,.2f}",
        )
    _tell_charge(console, figures)


def _tell_points(console: Console, figures: BillFigures) -> None:
    table = Table(box=None, header_style="bold", padding=(0, 2))
    table.add_column("point")
    for name in ("import kWh", "export kWh", "lagging kvarh", "highest kW", *_COUNTS):
        table.add_column(name, justify="right")
    for point in figures.points:
        energy = point.energy
        shown = (
            energy.import_kwh,
            energy.export_kwh,
            energy.lagging_kvarh,
            energy.max_import_kw,
        )
        table.add_row(
            point.name,
            *("-" if one is None else f"{one:,.4f}" for one in shown),
            *(f"{getattr(energy, name):,}" for name in _COUNTS),
        )
    console.print(table)
    for point in figures.points:
        if not point.as_pinned:
            console.print(
                f"[bold red]{point.name} was pinned with other sums than these; "
                "versions of it are lost.[/]"
            )


def _tell_part(console: Console, part: TariffPart, zone: tzinfo) -> None:
    start, stop = _wall(part.start, zone), _wall(part.stop, zone)
    console.print(
        f"{part.name} (version {part.version}), {start} to {stop}, in {part.currency}",
        markup=False,
    )
    table = Table(box=None, header_style="bold", padding=(0, 2))
    for name in ("period", "kWh", "price", "charge"):
        table.add_column(name, justify="left" if name == "period" else "right")
    for line in part.lines:
        cells = (f"{line.kwh:,.4f}", str(line.price), f"{line.charge:,.2f}")
        table.add_row(line.period.value, *cells)
    console.print(table)


def _tell_charge(console: Console, figures: BillFigures) -> None:
    if figures.missing:
        is_one = figures.missing == 1
        console.print(
            f"{figures.missing:,} quarter-hour{' is' if is_one else 's are'} missing "
            "and not billed."
        )
    if figures.unpriced_kwh:
        console.print(
            f"{figures.unpriced_kwh:,.4f} kWh have no price: no tariff was in force."
        )
    total = f"{figures.import_kwh:,.4f} kWh"
    if figures.charge is not None and figures.currency is not None:
        total += f", {money(figures.charge, figures.currency)}"
    console.print(f"[bold]In all {total}[/bold]")


def tell_waiting(days: int) -> None:
    """Warn that a bill was pinned while days waited to be settled."""
    if days:
        is_one = days == 1
        print(
            f"{days} point-day{' of it waits' if is_one else 's of it wait'} to be "
            "settled again: the bill may differ at once. Withdraw it and pin it again "
            "when the worker is done."
        )


def tell_bills_waiting(waiting: Mapping[int, int]) -> None:
    """Say of which bills days wait to be settled, so that more may be different."""
    for bill_id, days in waiting.items():
        is_one = days == 1
        print(
            f"{days} point-day{' waits' if is_one else 's wait'} to be settled of bill "
            f"{bill_id}: more may be different once the worker is done."
        )


def figures_as_json(figures: BillFigures) -> dict[str, object]:
    """Return a bill's energy and cost, for scripts; money as text, to the cent."""
    return _bill(figures.bill, figures.account) | {
        "import_kwh": figures.import_kwh,
        "points": [
            {"point": one.name, "as_pinned": one.as_pinned} | _sums(one.energy)
            for one in figures.points
        ],
        "tariffs": [
            asdict(part) | {"charge": part.charge} | _times(part.start, part.stop)
            for part in figures.parts
        ],
        "demand": [
            asdict(one) | {"peak_at": one.peak_at.isoformat()} for one in figures.demand
        ],
        "unpriced_kwh": figures.unpriced_kwh,
        "missing": figures.missing,
        "currency": figures.currency,
        "charge": figures.charge,
    }


def _times(start: datetime, stop: datetime) -> dict[str, str]:
    return {"start": start.isoformat(), "stop": stop.isoformat()}


def _sums(energy: BilledEnergy) -> dict[str, Any]:
    sums = asdict(energy)
    del sums["point_id"]
    return sums


def _bill(bill: Bill, account: Account) -> dict[str, object]:
    told = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(bill).items()
    }
    del told["account_id"]
    days = {"first_day": str(bill.first_day), "last_day": str(bill.last_day)}
    return {"account": account.code} | told | days


def listed_as_json(one: Listed) -> dict[str, object]:
    """Return a bill of the list, for scripts."""
    change = one.change
    return _bill(one.bill, one.account) | {
        "import_kwh": one.import_kwh,
        "intervals_changed": change.intervals if change else 0,
        "change_kwh": change.change_kwh if change else 0.0,
        "days_waiting": one.days_waiting,
    }


def tell_bills(console: Console, listed: Sequence[Listed]) -> None:
    """Print a table of bills."""
    table = Table(box=None, header_style="bold", padding=(0, 2))
    for name in ("bill", "account", "from", "to", "as of"):
        table.add_column(name)
    table.add_column("kWh", justify="right")
    for name in ("note", "by", "now"):
        table.add_column(name, overflow="fold")
    for one in listed:
        bill, zone = one.bill, one.account.time_zone
        table.add_row(
            str(bill.bill_id),
            one.account.code,
            str(bill.first_day),
            str(bill.last_day),
            _wall(bill.as_of, zone),
            "-" if one.import_kwh is None else f"{one.import_kwh:,.4f}",
            bill.note,
            bill.pinned_by,
            _state(one),
        )
    console.print(table)


def _state(one: Listed) -> str:
    if one.bill.withdrawn_by is not None:
        why = f": {one.bill.withdrawn_why}" if one.bill.withdrawn_why else ""
        return escape(f"withdrawn by {one.bill.withdrawn_by}{why}")
    told = "as billed"
    if one.change is not None:
        told = f"[yellow]{one.change.change_kwh:+,.4f} kWh[/]"
        told += f" in {one.change.intervals:,}"
    if one.days_waiting:
        days = "day waits" if one.days_waiting == 1 else "days wait"
        told += f", [yellow]{one.days_waiting} {days} to be settled[/]"
    return told


def tell_difference(
    console: Console, found: BilledDifference, account: Account
) -> None:
    """Print what is different of a bill."""
    bill = found.bill
    console.print(
        f"Bill {bill.bill_id} of {account.name}, {bill.first_day} to {bill.last_day}: "
        f"{found.import_kwh:+,.4f} kWh since {_wall(bill.as_of, account.time_zone)}.",
        markup=False,
    )
    for point in found.points:
        if point.differs:
            _tell_point_difference(console, point, account.time_zone)


def _tell_point_difference(
    console: Console, point: PointDifference, zone: tzinfo
) -> None:
    then, now = point.billed.import_kwh or 0.0, point.now.import_kwh or 0.0
    console.print(
        f"  {point.name}: {then:,.4f} kWh billed, {now:,.4f} kWh now.", markup=False
    )
    table = Table(box=None, header_style="bold", padding=(0, 2))
    table.add_column("quarter-hour")
    for name in ("billed kWh", "kWh now"):
        table.add_column(name, justify="right")
    table.add_column("billed")
    table.add_column("now")
    for one in point.intervals[:MOST_SHOWN]:
        table.add_row(
            f"{one.start.astimezone(zone):%a %d %b %Y %H:%M %Z}", *_sides(one)
        )
    console.print(table)
    if len(point.intervals) > MOST_SHOWN:
        more = len(point.intervals) - MOST_SHOWN
        console.print(f"  and {more:,} more; --json lists them all.")


def _sides(one: ChangedInterval) -> tuple[str, ...]:
    sides = (one.billed, one.now)
    kwh = (None if side is None else side.import_kwh for side in sides)
    return (
        *("-" if figure is None else f"{figure:,.4f}" for figure in kwh),
        *("-" if side is None else side.quality for side in sides),
    )


def difference_as_json(found: BilledDifference, account: Account) -> dict[str, object]:
    """Return what is different of a bill, for scripts."""
    return _bill(found.bill, account) | {
        "change_kwh": found.import_kwh,
        "points": [
            {
                "point": point.name,
                "billed": _sums(point.billed),
                "now": _sums(point.now),
                "intervals": [
                    {
                        "start": one.start.isoformat(),
                        "billed": one.billed and asdict(one.billed),
                        "now": one.now and asdict(one.now),
                    }
                    for one in point.intervals
                ],
            }
            for point in found.points
            if point.differs
        ],
    }
