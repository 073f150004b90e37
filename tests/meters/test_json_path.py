"""Paths as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.json_path import parse_path, show_path

STEPS = st.text(min_size=1, max_size=8) | st.integers(0, 999)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("$", ()),
        ("t", ("t",)),
        ("values.energy_import_kwh", ("values", "energy_import_kwh")),
        ("ENERGY.Power[2]", ("ENERGY", "Power", 2)),
        ("params.em:0.a_voltage", ("params", "em:0", "a_voltage")),
        ("[0].power", (0, "power")),
        ("[0][1]", (0, 1)),
        ('a."b.c/d".e', ("a", "b.c/d", "e")),
        (r'"say \"x\" \\"', (r'say "x" \\'[:-1],)),
        ("a b/c.ü", ("a b/c", "ü")),
        ('"$"', ("$",)),
    ],
)
def test_a_path_is_read(text, path) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a[1000]", "a.[0]"),
        *("[0]a", 'a"b"', '"a', '""', "a]", "a" + ".b" * 16),
    ],
)
def test_what_is_no_path_is_refused(text) -> None:
    with pytest.raises(ValueError, match="not a path"):
        parse_path(text)


@given(st.lists(STEPS, max_size=16))
def test_what_is_shown_is_read_again(steps) -> None:
    assert parse_path(show_path(tuple(steps))) == tuple(steps)


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_none(text) -> None:
    try:
        path = parse_path(text)
    except ValueError:
        return
    assert parse_path(show_path(path)) == path
