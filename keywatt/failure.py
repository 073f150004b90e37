"""What a person is told of an error, and the exit code that goes with it."""

import errno

from accounts.site import SiteError
from accounts.tariff import TariffError
from collector.broker import MqttError
from keywatt.clock import ClockError
from keywatt.demo.state import DemoError
from keywatt.embedded import EmbeddedError
from keywatt.pages import PageError
from keywatt.parts import PartError
from keywatt.settings import SettingsError
from meters.profile import ProfileError
from simulators.simulator_error import SimulatorError
from storage.database import DatabaseError

FAILED = 1
REFUSED = 2

_REFUSED: tuple[type[Exception], ...] = (
    ClockError,
    ProfileError,
    SettingsError,
    SimulatorError,
    SiteError,
    TariffError,
)
_FAILED: tuple[type[Exception], ...] = (
    DatabaseError,
    DemoError,
    EmbeddedError,
    MqttError,
    PageError,
    PartError,
)


def explain(exc: Exception) -> tuple[str, int]:
    """Return one sentence for people and the exit code.

    Errors of the rooms are sentences already. One we did not foresee is named as the
    fault in Keywatt that it is.
    """
    if isinstance(exc, _REFUSED):
        return str(exc), REFUSED
    if isinstance(exc, _FAILED):
        return str(exc), FAILED
    if isinstance(exc, OSError) and exc.errno == errno.ENOSPC:
        return (
            f"The disk is full ({exc.filename or exc}): make room, then start again.",
            1,
        )
    if isinstance(exc, OSError) and exc.filename is not None:
        return f"{exc.filename} cannot be used: {exc.strerror}.", FAILED
    what = " ".join(f"{type(exc).__name__}: {exc}".split())
    where = "KEYWATT_LOG_LEVEL=debug shows where"
    return f"This is a fault in Keywatt: {what} ({where}).", FAILED
