"""How an interval's energy is known, with the codes of the market operator. Pure."""

from enum import IntEnum, StrEnum


class Method(IntEnum):
    """How an interval came to its energy; from 11 on AEMO's codes of NEM12 files.

    docs/methods.md, Registers names them; 0 to 2 are ours.
    """

    NONE = 0
    """Measured, or missing."""
    INTERPOLATED = 1
    """Counted between readings near its boundaries, not on them. AEMO has no code
    for it but 17."""
    EDITED = 2
    """Set by a person, with a reason."""
    CHECK = 11
    """By the check meter of the same supply."""
    CALCULATED = 12
    """From the meter's own momentary power."""
    LIKE_DAY = 14
    """As one like day was."""
    AVERAGE_LIKE_DAY = 15
    """As the mean of like days was."""
    AGREED = 16
    """As was agreed with the customer."""
    LINEAR = 17
    """On a straight line."""
    ZERO = 19
    """Nothing: the supply was off."""
    PREVIOUS_YEAR = 23
    """As the like days of a year ago were."""
    SCALED = 24
    """Shaped by like days and what is known around it; its sum by the register."""

    @property
    def aemo(self) -> int:
        """Code for a NEM12 file; 0 where none is needed."""
        return _AEMO.get(self, self.value)

    @property
    def text(self) -> str:
        """Name for tables and files: lower case, stable."""
        return "" if self is Method.NONE else self.name.lower().replace("_", "-")


_AEMO = {Method.INTERPOLATED: 17, Method.EDITED: 18}
"""17 is linear, 18 another way than AEMO's own."""


class State(IntEnum):
    """How an interval is known; the order is from the best to the worst."""

    EDITED = 0
    MEASURED = 1
    ESTIMATED = 2
    MISSING = 3


class Missing(StrEnum):
    """Why an interval has no energy."""

    NO_READING = "no-reading"
    IMPLAUSIBLE_REGISTER = "implausible-register"
    NOT_INSTALLED = "not-installed"
    NOT_ESTIMABLE = "not-estimable"
    """There is nothing to estimate it from."""
