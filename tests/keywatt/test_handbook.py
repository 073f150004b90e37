"""What the handbook shows can be used as it stands."""

import json
import re
import shlex
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import typer
from pydantic import TypeAdapter
from typer.core import TyperGroup

import meters.profile
from accounts.site import Connection, SiteMeter
from keywatt.__main__ import app
from keywatt.commands.files_in import FilesOrCommand
from meters.modbus_profile import ModbusProfile
from meters.mqtt_profile import MqttProfile
from meters.payload import decode_payload
from meters.presence import PresenceForm
from meters.profile import PROFILES, load_profile
from meters.sunspec_form import SunspecForm
from simulators.replay_form import make_form

PROJECT = Path(meters.profile.__file__).parents[1]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs" / "handbook").glob("*.md"))]
CONNECTION: TypeAdapter[Connection] = TypeAdapter(Connection)
PROFILE: TypeAdapter[ModbusProfile | MqttProfile] = TypeAdapter(
    ModbusProfile | MqttProfile
)


METER = {
    "serial": "ST-1001",
    "profile": "eastron-sdm630",
    "connection": {"transport": "modbus", "host": "192.0.2.10", "unit": 1},
    "installed_at": datetime(2026, 1, 1, tzinfo=UTC),
    "removed_at": datetime(2027, 1, 1, tzinfo=UTC),
}
"""Around what is shown of a meter in part."""

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")


def blocks(language: str) -> list[object]:
    """Return the code blocks of a language on all pages, each under its place."""
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (told, block) in enumerate(BLOCK.findall(page.read_text("utf-8")))
        if told == language
    ]


@pytest.mark.parametrize("payload", blocks("json"))
def test_a_payload_is_what_the_collector_takes(payload: str) -> None:
    profile = load_profile("keywatt-json")
    assert isinstance(profile, MqttProfile)
    schema = json.loads((PROFILES / "keywatt-json.schema.json").read_text("utf-8"))
    jsonschema.validate(json.loads(payload), schema)
    assert decode_payload(profile, payload.encode())


# Of a profile shown in part: what every profile says.
REST = {
    "name": "acme",
    "title": "Acme",
    "manual": {"document": "Acme", "revision": "1"},
    "register_digits": 8,
    "register_resolution": 0.01,
}


@pytest.mark.parametrize("shown", blocks("toml"))
def test_a_form_can_be_read(shown: str) -> None:
    entered = tomllib.loads(shown)
    if "columns" in entered:
        make_form(entered, "shown")
    elif set(entered) == {"connection"}:
        assert CONNECTION.validate_python(entered["connection"])
    elif entered.keys() <= SiteMeter.model_fields.keys() - {"profile"}:
        assert SiteMeter.model_validate(METER | entered)
    elif "layout" in entered:
        assert SunspecForm.model_validate(REST | entered)
    elif set(entered) == {"presence"}:
        assert PresenceForm.model_validate(entered["presence"])
    elif "transport" not in entered:  # some of a profile's tables
        whole = tomllib.loads((PROFILES / "schneider-iem3155.toml").read_text("utf-8"))
        assert PROFILE.validate_python(whole | entered)
    else:
        assert PROFILE.validate_python(REST | entered)


def command_lines() -> list[object]:
    """Return what a reader is told to type, from shell blocks and from sentences."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        shell = [block for told, block in BLOCK.findall(text) if told == "sh"]
        lines = [line for block in shell for line in block.splitlines()]
        lines += [" ".join(span.split()) for span in SPAN.findall(BLOCK.sub("", text))]
        found += [
            pytest.param(line, id=f"{page.name}: {line.partition('  ')[0]}")
            for line in dict.fromkeys(lines)
            if line.startswith("keywatt ")
        ]
    return found


def of_group(group: TyperGroup, arguments: list[str]) -> object:
    """Take the name of one of a group's commands, or the one that needs no name."""
    if isinstance(group, FilesOrCommand) and arguments[0] not in group.commands:
        return group.commands[group.usual]
    return group.commands[arguments.pop(0)]


def parse(line: str) -> None:
    """Read a line as the command line does, to its last option; run nothing."""
    arguments = shlex.split(line, comments=True)[1:]
    command = typer.main.get_command(app)
    while isinstance(command, TyperGroup) and not arguments[0].startswith("-"):
        command = of_group(command, arguments)
    if arguments != ["--help"]:
        command.make_context("keywatt", arguments)


@pytest.mark.parametrize("line", command_lines())
def test_a_command_line_can_be_typed(line: str) -> None:
    parse(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("keywatt site apply", "Missing"),
        ("keywatt replay a.csv --fast", "No such option"),
        ("keywatt profile weave", "weave"),
    ],
)
def test_what_cannot_be_typed_is_noticed(line: str, said: str) -> None:
    with pytest.raises(Exception, match=said):
        parse(line)
