"""What `keywatt profile check` prints of a profile."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from meters.lint import Doubt, doubts_about
from meters.modbus_profile import ModbusProfile
from meters.profile import Profile
from meters.request_plan import PlannedRequest, poll_s, polls_of

_TITLES = {
    "whole": "A poll",
    "fast": "A poll of the fast registers alone",
    "identity": "Who the meter is, asked once",
    "ratios": "Transformer ratios, asked once",
    "pointers": "Where the newest record is, asked to fill a gap",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wire:
    """On what a poll's time depends, beside the profile."""

    pause_ms: float | None
    """None: the profile's."""
    answer_ms: float
    baud: int | None


def check_profile(profile: Profile, wire: Wire) -> dict[str, object]:
    """Return everything about a profile, as plain JSON."""
    doubts = doubts_about(profile)
    found: dict[str, object] = {
        "name": profile.name,
        "title": profile.title,
        "transport": profile.transport,
        "warnings": [_told(doubt) for doubt in doubts if not doubt.is_note],
        "notes": [_told(doubt) for doubt in doubts if doubt.is_note],
    }
    if isinstance(profile, ModbusProfile):
        found["rounds"] = {
            name: {
                "requests": [asdict(request) for request in requests],
                "seconds": round(_seconds(profile, requests, wire), 4),
            }
            for name, requests in _rounds(profile).items()
        }
    return found


def print_check(profile: Profile, wire: Wire, console: Console) -> None:
    """Print it for people."""
    console.print(f"[bold]{escape(profile.title)}[/bold] ({profile.name})")
    if isinstance(profile, ModbusProfile):
        for name, requests in _rounds(profile).items():
            console.print(_table(profile, name, requests, wire))
    doubts = doubts_about(profile)
    if doubts:
        console.print(Group(*map(_line, doubts)))
    else:
        console.print("[green]Nothing seems wrong with it.[/green]")


def _rounds(profile: ModbusProfile) -> dict[str, Sequence[PlannedRequest]]:
    """Return the kinds of rounds that the meter is asked in."""
    polls = polls_of(profile)
    rounds = {name: getattr(polls, name) for name in _TITLES}
    return {name: requests for name, requests in rounds.items() if requests}


def _seconds(
    profile: ModbusProfile, requests: Sequence[PlannedRequest], wire: Wire
) -> float:
    pause_ms = profile.pause_ms if wire.pause_ms is None else wire.pause_ms
    return poll_s(requests, pause_ms=pause_ms, answer_ms=wire.answer_ms, baud=wire.baud)


def _table(
    profile: ModbusProfile,
    name: str,
    requests: Sequence[PlannedRequest],
    wire: Wire,
) -> Table:
    seconds = _seconds(profile, requests, wire)
    on = "" if wire.baud is None else f" at {wire.baud} baud"
    table = Table(
        title=f"{_TITLES[name]}: {len(requests)} "
        f"request{'s' * (len(requests) > 1)}, about {seconds:.2f} s{on}",
        title_justify="left",
    )
    table.add_column("table")
    for heading in ("address", "registers", "unused"):
        table.add_column(heading, justify="right")
    table.add_column("what is in it")
    for request in requests:
        last = request.address + request.count - 1
        table.add_row(
            request.function,
            f"{request.address} to {last}" if request.count > 1 else f"{last}",
            str(request.count),
            str(request.wasted or ""),
            _names(request.holds),
        )
    return table


def _names(labels: Sequence[str]) -> str:
    """Name what is there, repeated names once."""
    runs = [(label, len(list(run))) for label, run in groupby(labels)]
    return ", ".join(f"{n} x {label}" if n > 1 else label for label, n in runs)


def _told(doubt: Doubt) -> dict[str, str]:
    return {"code": doubt.code, "text": doubt.text}


def _line(doubt: Doubt) -> RenderableType:
    colour = "cyan" if doubt.is_note else "yellow"
    return f"[{colour}]{doubt.code}[/{colour}]  {escape(doubt.text)}"
