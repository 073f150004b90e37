"""Where something stands in a JSON document: names, and places in lists. Pure.

values.energy_import_kwh      names of nested objects
emeters[0].power              the first of a list
params."a.b/c".voltage        a name with a dot in it, quoted
[0].power                     the document itself is a list
$                             the document itself is the value
"""

import re
from functools import lru_cache

Step = str | int
"""A name of an object, or a place in a list, from 0."""
Path = tuple[Step, ...]

MOST_STEPS = 16
MOST_PLACE = 999

_STEP = re.compile(
    r"""
      (?P<index> \[ (?P<place> \d{1,4} ) \] )
    | (?P<dot> \. )? (?: " (?P<quoted> (?: [^"\\] | \\["\\] )+ ) "
                       | (?P<bare> [^."\[\]]+ ) )
    """,
    re.VERBOSE,
)


@lru_cache(1024)  # simulators lay out the same few for every reading
def parse_path(text: str) -> Path:
    r"""Read a path as a person writes it.

    Raises
    ------
    ValueError
        If it is none, in words that follow "is".

    Examples
    --------
    >>> parse_path('params."em.0".power[2]')
    ('params', 'em.0', 'power', 2)
    >>> parse_path("$")
    ()

    """
    if text == "$":
        return ()
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or bool(found["dot"]) != bool(at and not found["index"]):
            raise _no_path(text)
        if found["index"]:
            steps.append(int(found["place"]))
        else:
            name = found["bare"] or re.sub(r"\\(.)", r"\1", found["quoted"])
            steps.append(name)
        at = found.end()
    if not steps or len(steps) > MOST_STEPS:
        raise _no_path(text)
    if any(isinstance(step, int) and step > MOST_PLACE for step in steps):
        raise _no_path(text)
    return tuple(steps)


def show_path(path: Path) -> str:
    """Inverse of `parse_path`.

    Examples
    --------
    >>> show_path(("a.b", 0, "c"))
    '"a.b"[0].c'

    """
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
            continue
        if set(step) & set('."[]\\') or step == "$":
            escaped = step.replace("\\", "\\\\").replace('"', '\\"')
            step = f'"{escaped}"'  # noqa: PLW2901 - as it is written
        shown += f".{step}" if shown else step
    return shown or "$"


def _no_path(text: str) -> ValueError:
    return ValueError(
        f"is {text!r}, not a path (names joined by dots, list places such as [0], "
        'a name with a dot in "quotes")'
    )
