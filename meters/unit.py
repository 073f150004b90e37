"""Units as devices state them, against those that a profile takes values in. Pure."""

import re
from fractions import Fraction

from meters.payload_error import PayloadError, short
from meters.quantity import Quantity
from meters.refusal import Reason
from meters.registers import exact

_UNIT = re.compile("([mkg]?)(wh|varh|vah|w|var|va|v|a|hz)", re.ASCII | re.IGNORECASE)
_TIMES = {
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(1000),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
}


def known_unit(told: str) -> tuple[str, Fraction] | None:
    """Return a unit's base, in small letters, and how often it holds that.

    None where it is not known, or may be two: `mwh` may be a million Wh or a
    thousandth.

    Examples
    --------
    >>> known_unit("kWh"), known_unit("MWH"), known_unit(" var")
    (('wh', Fraction(1000, 1)), ('wh', Fraction(1000000, 1)), ('var', Fraction(1, 1)))
    >>> known_unit("mwh"), known_unit("EA")
    (None, None)

    """
    found = _UNIT.fullmatch(told.strip())
    if found is None:
        return None
    prefix, base = found.groups()
    if prefix == "m" and base.islower():
        return None
    return base.lower(), _TIMES[{"K": "k", "g": "G"}.get(prefix, prefix)]


def check_unit(told: str, quantity: Quantity, scale: float, path: str) -> None:
    """Refuse a value whose device states another unit than the profile takes it in.

    What is no unit that we know proves nothing.

    Parameters
    ----------
    told : str
        As the device writes it.
    quantity : Quantity
        What the value is of.
    scale : float
        The quantity's unit for one unit of the value, by the profile.
    path : str
        Where the value stands, for the message.

    Raises
    ------
    PayloadError
        If it is another.

    """
    stated, ours = known_unit(told), known_unit(quantity.unit or "")
    if stated is None or ours is None:
        return
    if stated == (ours[0], ours[1] * Fraction(*exact(scale))):
        return
    one = f"{scale:g} {quantity.unit}"
    raise PayloadError(
        Reason.WRONG_UNIT,
        f"{path} is in {short(told)}, but the profile takes one of it for {one}.",
    )
