"""Tells people and scripts what edits change, and which there are."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import tzinfo
from math import fsum

from rich.console import Console
from rich.table import Table

from analytics.settlement.verdict import Verdict
from keywatt.edit_made import Outcome
from meters.reading import from_utc_us
from reports.billed_difference import Believed
from reports.edit_trial import EditedInterval, Foreseen
from reports.ledger_wording import facts_told
from reports.writing import Reader
from storage.edit_records import EditSummary

MOST_SHOWN = 24
MOST_RULES = 12
_COLOURS = {"WARN": "yellow", "FAIL": "bold red"}
_OTHERS = ("export_kwh", "lagging_kvarh", "leading_kvarh")


def tell_foreseen(console: Console, foreseen: Foreseen) -> None:
    """Print what would change."""
    zone = foreseen.account.time_zone
    _table(console, foreseen.intervals[:MOST_SHOWN], zone)
    if len(foreseen.intervals) > MOST_SHOWN:
        more = len(foreseen.intervals) - MOST_SHOWN
        console.print(f"and {more} more; --json lists them all.")
    before, after = (_sum(foreseen, when) for when in ("before", "after"))
    count = _counted(len(foreseen.intervals), "quarter-hour")
    where = f"{foreseen.account.name}, {foreseen.point.name}"
    if not foreseen.tried:
        console.print(
            f"{count} of {where}, with {before:,.4f} kWh now. These are too many days "
            "to settle on trial: the rules judge them when they are settled.",
            markup=False,
        )
        return
    console.print(
        f"{count} of {where}: {before:,.4f} kWh become {after:,.4f} kWh "
        f"({after - before:+,.4f}).",
        markup=False,
    )
    _tell_rules(console, foreseen, zone)
    if foreseen.beside:
        beside = _counted(len(foreseen.beside), "quarter-hour")
        kwh = fsum(one.import_kwh for one in foreseen.beside)
        console.print(f"{beside} beside would change with it ({kwh:+,.4f} kWh).")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _sum(foreseen: Foreseen, when: str) -> float:
    believed = (getattr(one, when) for one in foreseen.intervals)
    return fsum(one.import_kwh or 0.0 for one in believed if one is not None)


def _table(console: Console, intervals: Sequence[EditedInterval], zone: tzinfo) -> None:
    others = [name for name in _OTHERS if any(_differs(one, name) for one in intervals)]
    table = Table(box=None, header_style="bold", padding=(0, 2))
    table.add_column("quarter-hour")
    for name in ("kWh", "becomes", *others):
        table.add_column(name, justify="right")
    table.add_column("was")
    table.add_column("becomes")
    for one in intervals:
        table.add_row(
            f"{one.start.astimezone(zone):%a %d %b %Y %H:%M %Z}",
            _figure(one.before, "import_kwh"),
            _figure(one.after, "import_kwh"),
            *(
                f"{_figure(one.before, name)} -> {_figure(one.after, name)}"
                for name in others
            ),
            _known(one.before),
            _known(one.after),
        )
    console.print(table)


def _differs(one: EditedInterval, name: str) -> bool:
    return _figure(one.before, name) != _figure(one.after, name)


def _figure(believed: Believed | None, name: str) -> str:
    figure = None if believed is None else getattr(believed, name)
    return "-" if figure is None else f"{figure:,.4f}"


def _known(believed: Believed | None) -> str:
    if believed is None:
        return "-"
    method = believed.method
    is_said = method and method != believed.quality
    return f"{believed.quality}, {method}" if is_said else believed.quality


def _tell_rules(console: Console, foreseen: Foreseen, zone: tzinfo) -> None:
    if not foreseen.broken:
        console.print("No rule warns or fails.")
        return
    said = _joined(zip(foreseen.broken, foreseen.new, strict=True))
    for verdict, is_new in said[:MOST_RULES]:
        name = verdict.status.name
        figures = ", ".join(facts_told(verdict.figures, Reader(zone=zone)))
        start, stop = (
            f"{from_utc_us(us).astimezone(zone):%d %b %H:%M}"
            for us in (verdict.start_us, verdict.stop_us)
        )
        as_before = "" if is_new else " (as before)"
        console.print(
            f"[{_COLOURS[name]}]{name.lower():5}[/]{verdict.rule:12} "
            f"{start} to {stop}: {figures}{as_before}",
            soft_wrap=True,
        )
    if len(said) > MOST_RULES:
        console.print(f"and {len(said) - MOST_RULES} more; --json lists them all.")


def _joined(
    said: Iterable[tuple[Verdict, bool]],
) -> list[tuple[Verdict, bool]]:
    """Join what is said of days one after the other in the same words."""
    joined: list[tuple[Verdict, bool]] = []
    for verdict, is_new in said:
        if joined:
            before, was_new = joined[-1]
            longer = replace(before, stop_us=verdict.stop_us)
            follows = before.stop_us == verdict.start_us and was_new == is_new
            if follows and longer == replace(verdict, start_us=before.start_us):
                joined[-1] = (longer, is_new)
                continue
        joined.append((verdict, is_new))
    return joined


def foreseen_as_json(foreseen: Foreseen) -> dict[str, object]:
    """Return what would change, for scripts."""
    return {
        "account": foreseen.account.code,
        "point": foreseen.point.name,
        "intervals": [
            {
                "start": one.start.isoformat(),
                "before": None if one.before is None else asdict(one.before),
                "after": None if one.after is None else asdict(one.after),
            }
            for one in foreseen.intervals
        ],
        "beside": [
            {"start": one.start.isoformat(), "import_kwh": one.import_kwh}
            for one in foreseen.beside
        ],
        "tried": foreseen.tried,
        "rules": [
            _rule(verdict) | {"new": is_new}
            for verdict, is_new in zip(foreseen.broken, foreseen.new, strict=True)
        ],
    }


def _rule(verdict: Verdict) -> dict[str, object]:
    return {
        "rule": verdict.rule,
        "status": verdict.status.name.lower(),
        "start": from_utc_us(verdict.start_us).isoformat(),
        "stop": from_utc_us(verdict.stop_us).isoformat(),
        "figures": dict(verdict.figures),
    }


def outcome_as_json(outcome: Outcome) -> dict[str, object]:
    """Return what became of an order, for scripts."""
    settled = outcome.settled
    return foreseen_as_json(outcome.foreseen) | {
        "stored": outcome.edit_id is not None,
        "edit_id": outcome.edit_id,
        "intervals_settled": None if settled is None else settled.intervals_changed,
    }


def summary_as_json(edit: EditSummary) -> dict[str, object]:
    """Return one edit, for scripts."""
    times = {"start", "stop", "edited_at", "undone_at"}
    return {
        name: value.isoformat() if name in times and value is not None else value
        for name, value in asdict(edit).items()
    }


def tell_edits(console: Console, edits: Sequence[EditSummary], zone: tzinfo) -> None:
    """Print a table of edits."""
    table = Table(header_style="bold")
    for column in ("edit", "point", "from", "to", "kWh before", "kWh set", "reason"):
        table.add_column(column, overflow="fold")
    table.add_column("by", overflow="fold")
    table.add_column("undone", overflow="fold")
    for one in edits:
        since, until = (
            f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (one.start, one.stop)
        )
        before = "-" if one.was_import_kwh is None else f"{one.was_import_kwh:,.4f}"
        missing = f" ({one.was_missing} missing)" if one.was_missing else ""
        undone = f"by {one.undone_by}: {one.undone_why}" if one.undone_by else ""
        table.add_row(
            str(one.edit_id),
            one.point,
            since,
            until,
            before + missing,
            f"{one.import_kwh:,.4f}",
            one.reason,
            f"{one.edited_by}, {one.edited_at.astimezone(zone):%Y-%m-%d %H:%M}",
            undone,
        )
    console.print(table)
