"""How Keywatt looks: one colour for each meaning, wherever it appears."""

from base64 import b64encode
from importlib.resources import files

# Meanings. Everything drawn or written about these uses these and no others.
MEASURED = "#1f5aa8"
ESTIMATED = "#9a6212"
EXPECTED = "#7b8794"
ALERT = "#c2362b"
EDITED = "#2f8f6b"

# Surfaces and ink.
INK = "#16202c"
MUTED = "#5b6875"
LINE = "#dfe4ea"
GRID = "#edf0f3"
PAPER = "#ffffff"
GROUND = "#f6f7f9"
ACCENT = "#0f6b63"
MISSING = "#ddd4ea"
CONTRACT = "#3d4754"
WAITING = "#c3ccd5"

# Days of a calendar: complete, and from a little to all of it estimated or missing.
COMPLETE_DAY = "#8fb1d9"
ESTIMATED_DAY = ("#ecd3a5", "#cb9745", "#9a6212")
MISSING_DAY = ("#d3c3e8", "#9a7cc6", "#59348f")
NOTHING_DAY = "#e9edf1"

# Tariff periods from cheap to dear, one hue.
TARIFF = {"valley": "#b9d8d4", "flat": "#62aaa2", "peak": "#0f6b63"}

LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="132" height="28" '
    'viewBox="0 0 132 28"><rect x="0" y="2" width="24" height="24" rx="6" '
    f'fill="{ACCENT}"/><path d="M4 17h3.2l2.6-8 3.4 12 2.7-8 1.3 4H20" fill="none" '
    'stroke="#fff" stroke-width="2" stroke-linejoin="round" stroke-linecap="round"/>'
    '<text x="33" y="20.5" font-family="Source Sans, Source Sans Pro, Segoe UI, '
    'Helvetica, Arial, sans-serif" font-size="19" font-weight="650" '
    f'letter-spacing="-.2" fill="{INK}">Keywatt</text></svg>'
)
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="28" height="28" '
    'viewBox="0 0 24 24"><rect width="24" height="24" rx="6" '
    f'fill="{ACCENT}"/><path d="M4 15h3.2l2.6-8 3.4 12 2.7-8 1.3 4H20" fill="none" '
    'stroke="#fff" stroke-width="2" stroke-linejoin="round" stroke-linecap="round"/>'
    "</svg>"
)


def rgba(colour: str, share: float) -> str:
    """Make a #rrggbb colour translucent.

    Examples
    --------
    >>> rgba("#1f5aa8", 0.2)
    'rgba(31, 90, 168, 0.2)'

    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {share})"


def css() -> str:
    """Return the style sheet, with the colours of this file."""
    sheet = files("dashboard").joinpath("keywatt.css").read_text("utf-8")
    names = {
        "MEASURED": MEASURED,
        "ESTIMATED": ESTIMATED,
        "EXPECTED": EXPECTED,
        "ALERT": ALERT,
        "EDITED": EDITED,
        "INK": INK,
        "MUTED": MUTED,
        "LINE": LINE,
        "PAPER": PAPER,
        "GROUND": GROUND,
        "ACCENT": ACCENT,
    }
    root = "".join(f"--{name.lower()}:{colour};" for name, colour in names.items())
    return f"<style>:root{{{root}}}\n{sheet}</style>"


def icon() -> str:
    """Return the page's icon as an address that holds it."""
    return f"data:image/svg+xml;base64,{b64encode(ICON.encode()).decode()}"
