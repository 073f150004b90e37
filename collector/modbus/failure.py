"""Why a poll gave no reading.

Errors
------
MeterError
    The meter could not be read this time.
"""

from enum import StrEnum


class Failure(StrEnum):
    """Why a poll gave no reading: a stable code, counted and shown."""

    NO_CONNECTION = "no-connection"
    """The gateway or serial line cannot be opened: no meter behind it is to blame."""
    NO_ANSWER = "no-answer"
    EXCEPTION = "exception"
    """The meter answered that it will not."""
    WRONG_ANSWER = "wrong-answer"
    """Another unit's, another function's, or no Modbus at all."""
    WRONG_LENGTH = "wrong-length"
    """More or fewer registers than were asked for."""
    BACKING_OFF = "backing-off"
    """It was not asked, since it did not answer a short while ago."""
    NO_TIME = "no-time"
    """Its bus was busy with the other meters for a whole round."""
    FAULT = "fault"
    """A fault of our own."""


class MeterError(Exception):
    """The meter could not be read this time."""

    def __init__(
        self,
        text: str,
        failure: Failure = Failure.NO_ANSWER,
        *,
        exception_code: int | None = None,
    ) -> None:
        super().__init__(text)
        self.failure = failure
        self.exception_code = exception_code
        """Modbus' own, where the meter answered with one."""


_EXCEPTIONS = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway no response",
}


def exception_name(code: int) -> str:
    """Name a Modbus exception answer.

    Examples
    --------
    >>> exception_name(2)
    'exception 2 (illegal address)'

    """
    return f"exception {code} ({_EXCEPTIONS.get(code, 'unknown')})"
