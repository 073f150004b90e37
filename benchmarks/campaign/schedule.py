"""Which meter of the fleet has which fault, from when to when."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulators.meter_fleet.fault_request import FaultRequest
from simulators.meter_fleet.faults import KINDS, Fault
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.plan import can_have

HOUR_S, DAY_S, QUARTER_S = 3600, 86_400, 900
_INSTANT_S = (QUARTER_S, QUARTER_S)
LENGTHS_S: Mapping[Fault, tuple[int, int]] = {
    Fault.DEAD: (HOUR_S, 2 * DAY_S),
    Fault.SLOW: (6 * HOUR_S, DAY_S),
    Fault.LATE_REPLY: (HOUR_S, DAY_S),
    Fault.GARBAGE: (HOUR_S, DAY_S),
    Fault.ENDLESS: (HOUR_S, DAY_S),
    Fault.OVERSIZE: (HOUR_S, 3 * HOUR_S),
    Fault.EXCEPTION: (HOUR_S, DAY_S),
    Fault.WRONG_UNIT_ECHO: (HOUR_S, DAY_S),
    Fault.STUCK: (90 * 60, 12 * HOUR_S),
    Fault.COUNTER_GLITCH: (12 * HOUR_S, DAY_S),
    Fault.ZERO: (QUARTER_S, 6 * HOUR_S),
    Fault.ROLLOVER: _INSTANT_S,
    Fault.SWAP: _INSTANT_S,
    Fault.CLOCK_DRIFT: (3 * HOUR_S, 8 * HOUR_S),
    Fault.SUMMER_CLOCK: (6 * HOUR_S, 2 * DAY_S),
    Fault.HOLE: (6 * HOUR_S, DAY_S),
    Fault.WORD_ORDER: (HOUR_S, DAY_S),
    Fault.HASTE: (6 * HOUR_S, DAY_S),
    Fault.DUPLICATE: (HOUR_S, DAY_S),
    Fault.OUT_OF_ORDER: (2 * HOUR_S, DAY_S),
    Fault.BURST: (2 * HOUR_S, 2 * DAY_S),
    Fault.RETAINED: (HOUR_S, DAY_S),
    Fault.LAST_WILL: (HOUR_S, DAY_S),
    Fault.LEAP: _INSTANT_S,
    Fault.STALLED: (2 * HOUR_S, 12 * HOUR_S),
    Fault.REVERSED: (DAY_S, 3 * DAY_S),
    Fault.RATIO_CHANGE: _INSTANT_S,
}
"""Shortest and longest; the restart of a broker is of no meter, and not among them."""
CAMPAIGN = tuple(LENGTHS_S)
_LEAST_APART_S = DAY_S
_NOT_FIRST_S = 6 * HOUR_S


@dataclass(frozen=True, kw_only=True, slots=True)
class Injected:
    """One fault of one meter, [from_s, until_s) after the start."""

    fault: Fault
    size: float
    from_s: int
    until_s: int
    is_told: bool = True
    """Of a swap: whether somebody entered it."""

    @property
    def name(self) -> str:
        """As it is called in the table."""
        return str(self.fault) if self.is_told else f"{self.fault}, not entered"

    def request(self, serial: str) -> FaultRequest:
        """Return it as it is asked of the fleet."""
        return FaultRequest(
            fault=self.fault,
            size=self.size,
            serial=serial,
            from_s=self.from_s,
            until_s=self.until_s,
        )


def schedule(
    fleet: Sequence[LightMeter],
    contract_kw: Mapping[str, float],
    *,
    length_s: int,
    each: int,
    seed: int,
) -> dict[str, list[Injected]]:
    """Give every meter faults, each fault about as often as any other.

    Parameters
    ----------
    fleet : sequence of LightMeter
    contract_kw : mapping
        By serial: what is sized by how much a point draws.
    length_s : int
        Of the campaign. [s]
    each : int
        Faults of a meter.
    seed : int

    """
    rng = np.random.default_rng([seed, 4711])
    given: Counter[tuple[str, Fault]] = Counter()
    swaps = 0
    found: dict[str, list[Injected]] = {}
    for meter in fleet:
        able = [fault for fault in CAMPAIGN if can_have(meter, fault)]
        order = rng.permutation(len(able))
        able = sorted(
            (able[i] for i in order), key=lambda f: given[str(meter.transport), f]
        )[:each]
        given.update((str(meter.transport), fault) for fault in able)
        placed = _placed([able[i] for i in rng.permutation(len(able))], length_s, rng)
        found[meter.serial] = []
        for fault, from_s, until_s in placed:
            swaps += fault is Fault.SWAP
            found[meter.serial].append(
                Injected(
                    fault=fault,
                    size=_size(fault, meter, contract_kw[meter.serial], rng),
                    from_s=from_s,
                    until_s=until_s,
                    is_told=fault is not Fault.SWAP or swaps % 2 == 1,
                )
            )
    return found


def _placed(
    faults: Sequence[Fault], length_s: int, rng: np.random.Generator
) -> list[tuple[Fault, int, int]]:
    """Give each fault a window of its own, at least a day from the next."""
    room_s = (length_s - _NOT_FIRST_S) // max(len(faults), 1)
    placed = []
    for number, fault in enumerate(faults):
        shortest, longest = LENGTHS_S[fault]
        longest = max(min(longest, room_s - _LEAST_APART_S), shortest)
        took_s = int(rng.integers(shortest, longest + 1))
        free_s = max(room_s - took_s - _LEAST_APART_S, 1)
        # At any second: faults know nothing of quarter-hours.
        from_s = _NOT_FIRST_S + number * room_s + int(rng.integers(free_s))
        placed.append((fault, from_s, from_s + took_s))
    return placed


def _size(
    fault: Fault, meter: LightMeter, contract_kw: float, rng: np.random.Generator
) -> float:
    """Return how much: fitting the register where the usual size is of other plants."""
    register_kw = contract_kw / meter.ratio
    if fault is Fault.COUNTER_GLITCH:
        # Less than an hour too little, up to a lifetime too much.
        hours = float(rng.choice([-1.0, -0.5, 4.0, 50.0, 10_000.0]))
        return round(hours * register_kw, 1)
    if fault is Fault.LEAP:
        return round(float(rng.uniform(5, 50)) * register_kw, 1)
    if fault is Fault.RATIO_CHANGE:
        # To whole numbers, as those on the transformers are.
        return float(rng.choice([2.0, 3.0] if meter.ratio % 2 else [0.5, 1.5, 2.0]))
    return KINDS[fault].size or 0.0
