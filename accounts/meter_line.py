"""One line of a meter list: its form, and what is wrong with it."""

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

from accounts.form import Code, Moment, Text
from accounts.meter_entry import Entry, Noted, Refused
from accounts.register_note import RegisterNote
from accounts.site import (
    Connection,
    ModbusConnection,
    MqttConnection,
    Ratio,
    RegisterDigits,
    RegisterResolution,
    Serial,
    SerialConnection,
    find_profile,
    twice,
)
from accounts.site_meter import too_many_digits
from meters.form import Form, sentence
from meters.profile import Profile
from meters.quantity import REGISTERS

_CONNECTIONS: dict[str, type[Form]] = {
    "modbus": ModbusConnection,
    "modbus serial": SerialConnection,
    "mqtt": MqttConnection,
}
_COLUMNS_OF = {kind: form.model_fields for kind, form in _CONNECTIONS.items()}
_OF_CONNECTION = {
    name: field for fields in _COLUMNS_OF.values() for name, field in fields.items()
}
NOTE_COLUMNS = {
    f"{when}_{quantity.removeprefix('energy_')}": (when, str(quantity))
    for when in ("opening", "closing")
    for quantity in REGISTERS
}
"""What a display showed: `opening_import_kwh` and so on, by form and register."""
NEEDED = ("account", "point", "serial", "profile", "installed_at")
COLUMNS = (
    "account",
    "point",
    "new_point",
    "serial",
    "profile",
    "transport",
    "framing",
    "host",
    "port",
    "device",
    "baud_rate",
    "parity",
    "stop_bits",
    "unit",
    "poll_every_s",
    "report_every_s",
    "installed_at",
    "removed_at",
    "ratio",
    "register_digits",
    "register_resolution",
    "role",
    *NOTE_COLUMNS,
)
_MOMENTS = ("installed_at", "removed_at")
_NO_MOMENT = (
    "is {!r}, should be a time with its offset, such as 2026-01-01T00:00:00+08:00."
)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_AMOUNT = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")
_SHOWN = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,30})?")
"""What can stand on a display."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class MeterLine(Form):
    """What one line says."""

    account: Code
    point: Text
    new_point: bool = False
    serial: Serial
    profile: Text
    connection: Connection
    installed_at: Moment
    removed_at: Moment | None = None
    ratio: Ratio = 1
    register_digits: RegisterDigits
    register_resolution: RegisterResolution
    role: Literal["main", "check"] = "main"
    opening: RegisterNote = RegisterNote()
    closing: RegisterNote = RegisterNote()

    def as_entry(self, line: int, *, says_notes: bool) -> Entry:
        """Return it as the plan and the database use it.

        Raises
        ------
        ValueError
            A display cannot have shown what was noted: its column, and a sentence.

        """
        reached = self.connection.model_dump()
        if isinstance(self.connection, MqttConnection):
            reached["poll_every_s"] = reached.pop("report_every_s")
        said = self.model_dump(exclude={"connection", "opening", "closing"})
        if says_notes:
            said |= {when: self._noted(when) for when in ("opening", "closing")}
        return Entry(**said, **reached, line=line, says_notes=says_notes)

    def _noted(self, when: str) -> Noted:
        note: RegisterNote = getattr(self, when)
        try:
            counts = note.counts(self.register_digits, self.register_resolution)
        except ValueError as exc:
            name, _, why = str(exc).partition(" ")
            raise ValueError(f"{when}_{name.removeprefix('energy_')}", why) from None
        return tuple(counts.get(quantity) for quantity in REGISTERS)


class LineReader:
    """Makes entries of lines; reads each profile once."""

    def __init__(self, names: Sequence[str], delimiter: str, folder: Path) -> None:
        self._names, self._delimiter, self._folder = names, delimiter, folder
        self._says_notes = any(name in NOTE_COLUMNS for name in names)
        self._profiles: dict[str, tuple[str, Profile] | str] = {}

    def read(self, number: int, line: bytes) -> Entry | Refused | None:
        """Return what a line says, or why it is refused; None where it is empty."""
        cells = self._cells(line)
        if isinstance(cells, str):
            return Refused(line=number, column=None, serial=None, text=cells)
        pairs = zip(self._names, cells, strict=False)
        given = {name: cell for name, cell in pairs if name and cell}
        if not given:
            return None
        made = self._fault_in_profile(given) or self._entry(number, given)
        if isinstance(made, Entry):
            return made
        column, text = made
        serial = given.get("serial")
        return Refused(line=number, column=column, serial=serial, text=text)

    def _entry(self, number: int, given: dict[str, str]) -> Entry | tuple[str, str]:
        """Return what a line says, or the column and the sentence of its fault."""
        entered = _nested(given)
        try:
            line = MeterLine.model_validate(entered)
        except ValidationError as exc:
            told = sentence(exc, entered, name_of=_column)
            column, _, text = told.partition(": ")
            if column in _MOMENTS and column in given:
                text = _NO_MOMENT.format(given[column])
            return column, text
        if line.removed_at is not None and line.removed_at <= line.installed_at:
            return "removed_at", "must be later than installed_at."
        if line.removed_at is None and line.closing.model_fields_set:
            column = next(name for name in given if name.startswith("closing_"))
            return column, "is of a meter that stays; give its removed_at too."
        try:
            return line.as_entry(number, says_notes=self._says_notes)
        except ValueError as exc:
            column, why = exc.args
            return column, f"{why}."

    def _cells(self, line: bytes) -> list[str] | str:
        """Split a line into its cells, or say why that cannot be done."""
        try:
            text = line.decode()
            rows = list(csv.reader([text], delimiter=self._delimiter, strict=True))
        except UnicodeDecodeError:
            return "is not UTF-8 text; save the list as CSV UTF-8."
        except csv.Error as exc:
            return f"cannot be split into columns: {exc}."
        cells = [cell.strip() for cell in rows[0]] if rows else []
        if any(_CONTROL.search(cell) for cell in cells):
            return "holds a control character."
        if len(cells) > len(self._names):
            return (
                f"has {len(cells)} columns, the header {len(self._names)}; put a text"
                f" with {self._delimiter!r} in it between double quotes."
            )
        return cells

    def _fault_in_profile(self, given: dict[str, str]) -> tuple[str, str] | None:
        """Fill in what the profile says; return what is wrong with it."""
        entered = given.get("profile")
        if entered is None:
            return None
        found = self._profile(entered)
        if isinstance(found, str):
            return "profile", found
        given["profile"], profile = found
        transport = given.setdefault("transport", profile.transport)
        if fault := _at_odds(given, entered, profile):
            return fault
        given.setdefault("register_digits", str(profile.register_digits))
        given.setdefault("register_resolution", str(profile.register_resolution))
        is_serial = given.get("framing") == "serial"
        kind = f"{transport} serial" if is_serial else transport
        own = _COLUMNS_OF.get(kind, _OF_CONNECTION)
        for name in given:
            if name in _OF_CONNECTION and name not in own:
                return name, f"must be empty for a meter over {kind}."
        return None

    def _profile(self, entered: str) -> tuple[str, Profile] | str:
        if entered not in self._profiles:
            try:
                self._profiles[entered] = find_profile(entered, self._folder)
            except ValueError as exc:
                self._profiles[entered] = f"{exc}."
        return self._profiles[entered]


def _at_odds(
    given: Mapping[str, str], entered: str, profile: Profile
) -> tuple[str, str] | None:
    """Return what a line says that its profile says otherwise."""
    transport = given["transport"]
    if transport in ("modbus", "mqtt") and transport != profile.transport:
        return "transport", (
            f"is {transport}, but profile {entered} is read over {profile.transport}."
        )
    if profile.ratio_in_meter and given.get("ratio", "1") != "1":
        return "ratio", f"is {given['ratio']}, {twice(entered)}."
    digits = _typed("register_digits", given.get("register_digits", ""))
    if isinstance(digits, int) and (
        complaint := too_many_digits(entered, profile, digits)
    ):
        return "register_digits", f"is {digits}, {complaint}."
    return None


def _nested(given: Mapping[str, str]) -> dict[str, object]:
    """Return the line as its form wants it: with a connection, and with numbers."""
    typed = {name: _typed(name, cell) for name, cell in given.items()}
    to = {name: value for name, value in typed.items() if name in _OF_CONNECTION}
    rest: dict[str, object] = {
        name: value
        for name, value in typed.items()
        if name not in to and name not in NOTE_COLUMNS
    }
    notes: dict[str, dict[str, object]] = {}
    for column, (when, register) in NOTE_COLUMNS.items():
        if column in typed:
            notes.setdefault(when, {})[register] = typed[column]
    rest |= notes
    return rest | {"connection": to} if "profile" in given else rest


def _column(path: str) -> str:
    """Name the column; a connection as a whole is wrong by its framing."""
    if path.startswith(("opening.", "closing.")):
        return path.replace(".energy_", "_")
    return "framing" if path == "connection" else path.removeprefix("connection.")


_FIELDS = MeterLine.model_fields | _OF_CONNECTION
_KINDS = {
    # Of the numbers that a Literal allows, the kind.
    name: {
        kind if isinstance(kind, type) else type(kind)
        for kind in (field.annotation, *get_args(field.annotation))
    }
    for name, field in _FIELDS.items()
}


def _typed(name: str, cell: str) -> object:
    """Return what a cell holds; what cannot be is left for the form to refuse."""
    kinds = _KINDS.get(name, set())
    if name in NOTE_COLUMNS and _SHOWN.fullmatch(cell):
        return Fraction(cell)
    if int in kinds and _WHOLE.fullmatch(cell):
        return int(cell)
    if float in kinds and _AMOUNT.fullmatch(cell):
        return float(cell)
    if name in _MOMENTS:
        return _moment(cell)
    return cell.lower() if bool in kinds else cell


def _moment(cell: str) -> object:
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return cell
