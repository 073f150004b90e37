"""A measured series as a meter: its energy as cumulative registers.

Registers are shown at the ends of the file's intervals, the opening ones at the start
of the first. In lockstep each display that was read whole makes place for the next; at
a speed the file's own time goes by. The meter's clock shows the file's time.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np

from meters.mqtt_profile import MqttProfile
from meters.profile import Profile
from meters.quantity import REGISTERS, Quantity
from meters.reading import FloatArray, IntArray, from_utc_us, utc_us
from meters.voice import voice_of
from simulators.display import Display, quantities_of
from simulators.mqtt_meter import Publish
from simulators.replay_file import Series
from simulators.replay_form import ENERGY_OF_POWER, ReplayError


class FileClock:
    """The file's own time, going by at a speed from the moment it is made."""

    def __init__(
        self, series: Series, *, speed: float, now: Callable[[], datetime]
    ) -> None:
        self._first = from_utc_us(series.start_us[0])
        self._speed = speed
        self._now = now
        self._began = now()

    def __call__(self) -> datetime:
        """Return the file's time now."""
        return self._first + (self._now() - self._began) * self._speed

    def wait_s(self, until: datetime) -> float:
        """Return how long it takes until the file's time is that."""
        return max((until - self()) / timedelta(seconds=self._speed), 0.0)


class ReplayMeter:
    """Shows one display after the other, each until it has been read.

    Parameters
    ----------
    series : Series
        What was measured.
    profile : Profile
        Of the meter that the file shall appear as.
    clock : FileClock, optional
        Without one the meter goes in lockstep. Displays that nobody reads in their
        time are passed over, as on any meter that is read too seldom.

    Raises
    ------
    ReplayError
        If the profile lacks a register of the file, or a Modbus clock.

    """

    def __init__(
        self, series: Series, profile: Profile, *, clock: FileClock | None = None
    ) -> None:
        _refuse_unfit(series, profile)
        self.sent = 0
        """Displays that were read or published whole."""
        self.clock = clock
        self._times_us, self._energy = _displays(series)
        self._power = _mean_power(series, self._times_us)
        self._shown_quantities = set(quantities_of(profile))
        self._at = 0
        self._display = self._make(0)
        self._finished = asyncio.Event()

    async def finished(self) -> None:
        """Wait until the last display has been read whole."""
        await self._finished.wait()

    def show(self) -> Display:
        """Return the display that is due."""
        if self.clock is not None:
            moment_us = utc_us(self.clock())
            due = int(np.searchsorted(self._times_us, moment_us, side="right")) - 1
            self._move_to(max(due, 0))
        return self._display

    def was_read(self) -> None:
        """Count it, and in lockstep move on to the next display."""
        self.sent += 1
        if self._at + 1 == self._times_us.size:
            self._finished.set()
        elif self.clock is None:
            self._move_to(self._at + 1)

    def following(self, count: int) -> list[Display]:
        """Return the display that is due and those after it; none once all are read."""
        if self._finished.is_set():
            return []
        last = min(self._at + count, self.displays)
        return [self._make(at) for at in range(self._at, last)]

    @property
    def displays(self) -> int:
        """How many displays there are, the opening one included."""
        return int(self._times_us.size)

    def _move_to(self, at: int) -> None:
        if at != self._at:
            self._at = at
            self._display = self._make(at)

    def _make(self, at: int) -> Display:
        values = {
            register: float(energy)
            for register, energy in zip(REGISTERS, self._energy[:, at], strict=True)
        }
        values |= {quantity: float(kw[at]) for quantity, kw in self._power.items()}
        given = {
            quantity: value
            for quantity, value in values.items()
            if quantity in self._shown_quantities and not np.isnan(value)
        }
        return Display(measured_at=from_utc_us(self._times_us[at]), values=given)


async def publish_replay(
    meter: ReplayMeter,
    serial: str,
    profile: MqttProfile,
    publish: Publish,
    *,
    at_once: int = 1,
) -> None:
    """Publish a whole series, every display of it, in order.

    Parameters
    ----------
    meter : ReplayMeter
        At a speed each display is published when its time has come; in lockstep when
        the ones before it are confirmed.
    serial : str
        Of the meter.
    profile : MqttProfile
        What its payload looks like.
    publish : callable
        Takes a topic and a payload; returns when the broker has it.
    at_once : int
        Lockstep only: so many displays are on their way together.

    """
    voice = voice_of(profile, serial)
    clock, meter.clock = meter.clock, None  # here each display moves on the next
    if clock is not None:
        at_once = 1
    while displays := meter.following(at_once):
        if clock is not None:
            await asyncio.sleep(clock.wait_s(displays[0].measured_at))
        messages = [
            message
            for display in displays
            for message in voice.say(display.measured_at, display.values)
        ]
        await asyncio.gather(*(publish(*message) for message in messages))
        for _ in displays:
            meter.was_read()


def _displays(series: Series) -> tuple[IntArray, FloatArray]:
    """Find the times and register readings at which there is something to show.

    Over intervals that the file lacks the registers stand still, since nothing is
    known. Where a single one is missing, its end is not shown either: two readings with
    nothing between them would make a zero of the gap.

    Returns
    -------
    times_us : array, shape (k,)
        Microseconds since 1970 UTC.
    energy : array, shape (4, k)
        Since the opening; a register that the file does not fill is NaN.

    """
    ends_us = series.start_us + series.step_us
    after_one_missing = np.diff(series.start_us, prepend=-1) == 2 * series.step_us
    times_us = np.union1d(series.start_us[~after_one_missing], ends_us)
    added = np.zeros((len(REGISTERS), times_us.size))
    added[:, np.searchsorted(times_us, ends_us)] = series.energy
    energy = added.cumsum(axis=1)
    energy[np.isnan(series.energy).all(axis=1)] = np.nan
    return times_us, energy


def _mean_power(series: Series, times_us: IntArray) -> dict[Quantity, FloatArray]:
    """Mean power of the interval that ended at each display; NaN where none did."""
    ends = np.searchsorted(times_us, series.start_us + series.step_us)
    per_hour = 3_600_000_000 / series.step_us
    result = {}
    for power, (positive, negative) in ENERGY_OF_POWER.items():
        into, out = (series.energy[REGISTERS.index(q)] for q in (positive, negative))
        if np.isnan(into).all():
            continue
        column = np.full(times_us.size, np.nan)
        column[ends] = (into - np.nan_to_num(out)) * per_hour
        result[power] = column
    return result


def _refuse_unfit(series: Series, profile: Profile) -> None:
    given = quantities_of(profile)
    for register, column in zip(REGISTERS, series.energy, strict=True):
        used = not np.isnan(column).all() and column.any()
        if used and register not in given:
            raise ReplayError(
                f"Profile {profile.name} has no {register}, which the file fills; "
                "use another profile or leave the column out."
            )
    if not isinstance(profile, MqttProfile) and profile.clock is None:
        raise ReplayError(
            f"Profile {profile.name} has no clock, so the file's times would be lost; "
            "use one with a clock, such as schneider-iem3155."
        )
