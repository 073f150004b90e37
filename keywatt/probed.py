"""What `keywatt probe` found, for people and for scripts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from collector.modbus.probing import Found
from meters.candidates import Candidate
from meters.plausibility import Remark
from meters.quantity import Quantity

_MOST_SHOWN = 3
"""Profiles of one unit; those below explain it worse still."""
Q = Quantity
_SHOWN = (
    *((Q.VOLTAGE_L1_V, "V"), (Q.FREQUENCY_HZ, "Hz"), (Q.ACTIVE_POWER_KW, "kW")),
    (Q.ENERGY_IMPORT_KWH, "kWh"),
)


@contextmanager
def bar(
    address: str, total: int
) -> Iterator[tuple[Callable[[int], None], Callable[[], None]]]:
    """Show how far the probe is, on standard error.

    Gives what to call when a unit's turn comes, and what to call for every request.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(f"Asking {escape(address)}", total=total)
        requests = 0
        unit_now = 0

        def asked() -> None:
            nonlocal requests
            requests += 1
            text = f"Unit {unit_now} of {escape(address)}, request {requests}"
            progress.update(task, description=text)

        def begin(unit: int) -> None:
            nonlocal requests, unit_now
            progress.update(
                task, completed=progress.tasks[0].completed + (requests > 0)
            )
            requests, unit_now = 0, unit

        yield begin, asked


def show(address: str, found: Sequence[Found]) -> None:
    """Print a table of the units, the profiles that explain them, and why."""
    console = Console(highlight=False)
    table = Table("unit", "profile", "points", "values", "why")
    for one in found:
        _add(table, one)
    console.print(table)
    silent = [one.unit for one in found if not one.answers]
    if silent:
        ids = ", ".join(map(str, silent))
        console.print(escape(f"No answer from {address} as unit {ids}."))


def _add(table: Table, found: Found) -> None:
    """Add the rows of one unit."""
    if not found.answers:
        return
    shown = [*found.fits[:_MOST_SHOWN]]
    for at, candidate in enumerate(shown):
        unit = str(found.unit) if at == 0 else ""
        is_best = candidate.score == shown[0].score
        why = _why(candidate) if is_best else _why_not(candidate)
        _row(table, unit, candidate, _name(shown, at), why)
    if not shown and found.turned:
        best = found.turned[0]
        name = f"{best.profile.name}, but {orders(best)}"
        _row(table, str(found.unit), best, name, _why(best))
    elif not shown:
        table.add_row(str(found.unit), "none fits", "", "", escape(_none_fits(found)))
    if found.unasked:
        note = f"{found.unasked} requests were left unasked: its time was over"
        table.add_row("", "", "", "", note)


def _name(shown: Sequence[Candidate], at: int) -> str:
    """Name a profile, and say if another explains the unit as well."""
    name, score = shown[at].profile.name, shown[at].score
    others = [
        one.profile.name
        for one in shown
        if one.score == score and one.profile.name != name
    ]
    return f"{name} (as well as {', '.join(others)})" if others else name


def orders(candidate: Candidate) -> str:
    """Say in which order a layout fits."""
    profile = candidate.profile
    return f'word_order = "{profile.word_order}", byte_order = "{profile.byte_order}"'


def _row(table: Table, unit: str, candidate: Candidate, name: str, why: str) -> None:
    values = "\n".join(
        f"{candidate.values[quantity]:.6g} {symbol}"
        for quantity, symbol in _SHOWN
        if quantity in candidate.values
    )
    table.add_row(unit, escape(name), f"{candidate.score:g}", values, escape(why))


def _why(candidate: Candidate) -> str:
    return "\n".join(_told(remark) for remark in candidate.verdict.remarks)


def _why_not(candidate: Candidate) -> str:
    """Say what speaks against a profile that is not the best."""
    against = [r for r in candidate.verdict.remarks if r.points < 0]
    return "\n".join(map(_told, against)) or "nothing against it, but it explains less"


def _told(remark: Remark) -> str:
    return f"{'+' if remark.points >= 0 else '-'} {remark.text}"


def _none_fits(found: Found) -> str:
    """Say what comes nearest, and what is wrong with it."""
    if found.candidates:
        best = found.candidates[0]
        worst = min(best.verdict.remarks, key=lambda remark: remark.points)
        return f"nearest is {best.profile.name}, but {worst.text}"
    return f"it answers {', '.join(found.objections) or 'nothing we asked'}"


def as_record(found: Found) -> dict[str, object]:
    """Return what scripts are told of one unit."""
    return {
        "unit": found.unit,
        "answers": found.answers,
        "fits": [_record(one) for one in found.fits],
        "other_orders": [_record(one) for one in found.turned],
        "rejected": [_record(one) for one in found.candidates if not one.fits],
        "objections": list(found.objections),
        "requests": found.requests,
        "unasked": found.unasked,
    }


def _record(candidate: Candidate) -> dict[str, object]:
    return {
        "profile": candidate.profile.name,
        "title": candidate.profile.title,
        "score": candidate.score,
        "word_order": candidate.profile.word_order,
        "byte_order": candidate.profile.byte_order,
        "told": dict(candidate.told),
        "values": {str(quantity): v for quantity, v in candidate.values.items()},
        "reasons": [
            {"points": remark.points, "text": remark.text}
            for remark in candidate.verdict.remarks
        ],
    }
