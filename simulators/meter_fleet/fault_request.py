"""A fault as a person asks for it: which, of what size, of whom, from when on. Pure.

SimulatorError
FleetFaultError   a fault that does not exist, or not at such a meter
"""

import re
from dataclasses import dataclass

from simulators.meter_fleet.faults import KINDS, Fault
from simulators.simulator_error import SimulatorError


class FleetFaultError(SimulatorError):
    """A fault was asked for that does not exist, or that no such meter can have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultRequest:
    """What a person asked for, before it is given to meters."""

    fault: Fault
    size: float
    share: float | None = None
    """Of the meters that can have it; None: one meter, by its serial."""
    serial: str | None = None
    from_s: float = 0.0
    """Seconds after the fleet begins."""
    until_s: float | None = None


_FORM = re.compile(
    r"(?P<kind>[a-z-]+)(=(?P<size>[0-9.]+))?(@(?P<who>[A-Za-z0-9._%-]+))?"
    r"(:(?P<begin>[0-9.]+[smh]?)?\.\.(?P<end>[0-9.]+[smh]?)?)?"
)
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PERCENT = 100.0


def parse_fleet_fault(text: str) -> FaultRequest:
    """Read `KIND[=SIZE][@WHO][:FROM..UNTIL]`.

    Raises
    ------
    FleetFaultError
        One sentence: what is wrong with it, and what there is.

    Examples
    --------
    >>> parse_fleet_fault("late-reply@5%:30s..2m").until_s
    120.0
    >>> parse_fleet_fault("counter-glitch=100@F-17").serial
    'F-17'

    """
    found = _FORM.fullmatch(text.strip())
    if not found or found["kind"] not in set(Fault):
        raise FleetFaultError(
            f"There is no fault {text!r}: write KIND[=SIZE][@SHARE% or @SERIAL]"
            f"[:FROM..UNTIL], such as late-reply@5%:30s..2m, with KIND one of "
            f"{', '.join(Fault)}."
        )
    fault = Fault(found["kind"])
    share, serial = _who(text, found["who"])
    begin = seconds(found["begin"] or "0")
    end = seconds(found["end"]) if found["end"] else None
    if end is not None and end <= begin:
        raise FleetFaultError(f"Fault {text!r} ends before it begins.")
    return FaultRequest(
        fault=fault,
        size=_size(text, fault, found["size"]),
        share=share,
        serial=serial,
        from_s=begin,
        until_s=end,
    )


def seconds(text: str) -> float:
    """Read a length of time: `90`, `90s`, `15m` or `2h`.

    Raises
    ------
    FleetFaultError
        It is none.

    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNIT_S else (text, "s")
    try:
        return float(number) * _UNIT_S[unit]
    except ValueError:
        raise FleetFaultError(
            f"{text!r} is no length of time: write such as 90s, 15m or 2h."
        ) from None


def _who(text: str, who: str | None) -> tuple[float | None, str | None]:
    if who is None:
        return 1.0, None
    if not who.endswith("%"):
        return None, who
    try:
        share = float(who.removesuffix("%")) / _PERCENT
    except ValueError:
        share = -1.0
    if not 0.0 < share <= 1.0:
        raise FleetFaultError(f"Fault {text!r}: {who} is no share of 0 to 100 %.")
    return share, None


def _size(text: str, fault: Fault, given: str | None) -> float:
    usual = KINDS[fault].size
    if given is None:
        return usual or 0.0
    if usual is None:
        raise FleetFaultError(f"Fault {text!r}: {fault} has no size.")
    try:
        return float(given)
    except ValueError:
        raise FleetFaultError(f"Fault {text!r}: {given} is no number.") from None
