"""Numbers that come as texts. Pure."""

import re

_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,3})?")


def number_in(value: object) -> object:
    """Return the number that a text is; anything else as it came.

    Examples
    --------
    >>> number_in(" 230.10")
    230.1
    >>> number_in("1671433604")
    1671433604
    >>> number_in("0x10")
    '0x10'

    """
    if type(value) is not str:
        return value
    found = _DECIMAL.fullmatch(value.strip(" "))
    if found is None:
        return value
    is_whole = found[1] is None and found[2] is None
    return int(found[0]) if is_whole else float(found[0])
