"""Why an interval was not measured: of all that holds, what is most specific. Pure.

In this order:

1. `not-installed`        no main meter sat there
2. `planned-outage`, `reported-outage`   the supply was off, as a person entered
3. `implausible-register` the register showed what it cannot, so no reading is believed
4. `between-readings`     nothing is missing: no reading fell near the boundaries
5. `not-believed`         a rule says that what was counted cannot be; which
6. `refused`              what the meter sent was refused at its boundaries; why
7. `collector-down`       in that hour nobody was asked and nobody was heard
8. `gateway-down`         all meters of its line failed alike in that hour
9. `no-register`          the meter was read, but gave no register of import
10. `meter-silent`        nothing came
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from analytics.completeness.circumstances import (
    HOUR_US,
    QUARTER_US,
    BoolArray,
    Circumstances,
    IntArray,
    key_of,
)
from analytics.settlement.method import Method, Missing

TextArray = npt.NDArray[np.str_]

ALIKE = 0.5
"""Of a line that is down every meter fails at least half as often as the one that is
asked about: they are not asked at the same moments of the hour."""


class Cause(StrEnum):
    """Why an interval was not measured."""

    NOT_INSTALLED = "not-installed"
    PLANNED_OUTAGE = "planned-outage"
    REPORTED_OUTAGE = "reported-outage"
    IMPLAUSIBLE_REGISTER = "implausible-register"
    BETWEEN_READINGS = "between-readings"
    NOT_BELIEVED = "not-believed"
    REFUSED = "refused"
    COLLECTOR_DOWN = "collector-down"
    GATEWAY_DOWN = "gateway-down"
    NO_REGISTER = "no-register"
    METER_SILENT = "meter-silent"


@dataclass(frozen=True, order=True, slots=True)
class Why:
    """A cause, and what makes it one."""

    cause: Cause
    detail: str = ""
    """Reason of refusal, name of the rule, or a person's reason for the outage."""


def causes_of(
    start_us: IntArray, method: TextArray, about: Circumstances
) -> tuple[tuple[Why, ...], IntArray]:
    """Say of quarter-hours why they were not measured.

    Parameters
    ----------
    start_us : array, shape (n,)
        Ascending. [microseconds since 1970 UTC]
    method : array, shape (n,)
        What settlement says: `Method.text` of what is estimated, `Missing` of what is
        missing.
    about : Circumstances

    Returns
    -------
    found
        Each cause once.
    place : array, shape (n,)
        Which of them it is.

    """
    asked = _Asked(start_us, about)
    stop_us = start_us + QUARTER_US
    asked.put(asked.meter_id == 0, Why(Cause.NOT_INSTALLED))
    for one in sorted(about.outages, key=lambda one: not one.planned):
        off = (start_us < one.stop_us) & (stop_us > one.start_us)
        cause = Cause.PLANNED_OUTAGE if one.planned else Cause.REPORTED_OUTAGE
        asked.put(off, Why(cause, one.reason))
    broken = method == Missing.IMPLAUSIBLE_REGISTER.value
    asked.put(broken, Why(Cause.IMPLAUSIBLE_REGISTER))
    between = method == Method.INTERPOLATED.text
    asked.put(between, Why(Cause.BETWEEN_READINGS))
    for doubt in about.doubts:
        inside = (start_us >= doubt.start_us) & (stop_us <= doubt.stop_us)
        asked.put(inside, Why(Cause.NOT_BELIEVED, doubt.rule))
    for reason, keys in _refused_by_reason(about).items():
        asked.put(asked.at_boundaries(keys), Why(Cause.REFUSED, reason))
    asked.put(_idle(asked), Why(Cause.COLLECTOR_DOWN))
    asked.put(_line_down(asked), Why(Cause.GATEWAY_DOWN))
    asked.put(_bare(asked), Why(Cause.NO_REGISTER))
    asked.put(np.ones(start_us.shape, dtype=np.bool_), Why(Cause.METER_SILENT))
    return tuple(asked.found), asked.place


class _Asked:
    """Quarter-hours for which causes are sought: the first that is put stays."""

    def __init__(self, start_us: IntArray, about: Circumstances) -> None:
        self.about = about
        self.start_us = start_us
        self.meter_id = about.meters(start_us)
        self.found: list[Why] = []
        self.place: IntArray = np.full(start_us.shape, -1, dtype=np.int64)

    def put(self, rows: BoolArray, why: Why) -> None:
        """Give a cause to those that have none yet."""
        rows = rows & (self.place < 0)
        if not rows.any():
            return
        if why not in self.found:
            self.found.append(why)
        self.place[rows] = self.found.index(why)

    @property
    def hour(self) -> IntArray:
        """Number of the hour, counted from 1970."""
        return self.start_us // HOUR_US

    def at_boundaries(self, keys: IntArray) -> BoolArray:
        """Whether a meter and quarter-hour is among keys, of either boundary.

        What is read at the end of an interval is received in the next.
        """
        quarter = self.start_us // QUARTER_US
        return np.isin(key_of(self.meter_id, quarter), keys) | np.isin(
            key_of(self.meter_id, quarter + 1), keys
        )


def _refused_by_reason(about: Circumstances) -> dict[str, IntArray]:
    """Return keys of meters and quarter-hours by reason, in the order of reasons."""
    by_reason: dict[str, list[tuple[int, int]]] = {}
    for place, reason in about.refused.items():
        by_reason.setdefault(reason, []).append(place)
    keys = {}
    for reason in sorted(by_reason):
        meter_id, quarter_us = np.array(by_reason[reason], dtype=np.int64).T
        keys[reason] = key_of(meter_id, quarter_us // QUARTER_US)
    return keys


def _idle(asked: _Asked) -> BoolArray:
    rows = np.zeros(asked.start_us.shape, dtype=np.bool_)
    for one in asked.about.sittings:
        idle_us = asked.about.idle.get(one.transport, np.zeros(0, np.int64))
        mine = asked.meter_id == one.meter_id
        rows |= mine & np.isin(asked.hour, idle_us // HOUR_US)
    return rows


def _line_down(asked: _Asked) -> BoolArray:
    """Tell where the whole line failed as much as the meter did."""
    hours = asked.about.hours
    asked_for = hours.answered + hours.failed
    share = hours.failed / np.maximum(asked_for, 1)
    down = (hours.on_line > 1) & (hours.failed > 0)
    down &= hours.least_failed >= ALIKE * share
    keys = key_of(hours.meter_id[down], hours.hour_us[down] // HOUR_US)
    return np.isin(key_of(asked.meter_id, asked.hour), keys)


def _bare(asked: _Asked) -> BoolArray:
    rows = np.zeros(asked.start_us.shape, dtype=np.bool_)
    for meter_id, quarters_us in asked.about.bare.items():
        mine = asked.meter_id == meter_id
        rows |= mine & np.isin(asked.start_us, quarters_us)
    return rows
