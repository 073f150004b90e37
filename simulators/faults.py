"""What can go wrong at a simulated plant, by name. Pure.

Errors: `FaultError`, one sentence with every kind and account there is.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from meters.reading import IntArray, utc_us
from simulators.simulator_error import SimulatorError

_MINUTE_US = 60_000_000


class FaultError(SimulatorError):
    """A fault that does not exist was asked for."""


class FaultKind(StrEnum):
    """What goes wrong."""

    PHASE_LOSS = "phase-loss"
    """Voltage and current of the second phase vanish; machines that need all trip."""
    STUCK_ON = "stuck-on"
    """What should rest at night keeps running."""
    OUTAGE = "outage"
    """The largest equipment stops."""
    OVERLOAD = "overload"
    """Everything takes more than it should."""
    SILENT = "silent"
    """The meter stops answering; the plant goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that goes wrong at one account for a while."""

    kind: FaultKind
    account: str
    """Code of the account."""
    starts_at: datetime
    ends_at: datetime | None = None
    """None: it has not ended yet."""

    def active(self, minute: IntArray) -> npt.NDArray[np.bool_]:
        """Say for each minute since 1970 UTC, shape (n,), whether it is on.

        It begins and ends with the next whole minute, so that one which is made or
        ended now changes nothing that a meter has already shown.
        """
        on = minute >= _next_minute(self.starts_at)
        if self.ends_at is not None:
            on &= minute < _next_minute(self.ends_at)
        return on

    def active_at(self, moment: datetime) -> bool:
        """Say whether it is there at a moment."""
        return bool(self.active(np.array([utc_us(moment) // _MINUTE_US]))[0])


def _next_minute(moment: datetime) -> int:
    """First whole minute since 1970 UTC that is not before a moment."""
    return -(-utc_us(moment) // _MINUTE_US)


def parse_fault(text: str, accounts: Collection[str], starts_at: datetime) -> Fault:
    """Read `KIND@ACCOUNT`, such as `phase-loss@steel`.

    Parameters
    ----------
    text : str
        As typed.
    accounts : collection of str
        Codes of the accounts there are.
    starts_at : datetime
        When it shall begin, aware.

    Raises
    ------
    FaultError
        If there is no such kind or account.

    """
    kind, at, account = text.strip().partition("@")
    if not at or kind not in set(FaultKind) or account not in accounts:
        raise FaultError(
            f"There is no fault {text!r}: write KIND@ACCOUNT with KIND one of "
            f"{', '.join(FaultKind)} and ACCOUNT one of {', '.join(sorted(accounts))}."
        )
    return Fault(kind=FaultKind(kind), account=account, starts_at=starts_at)
