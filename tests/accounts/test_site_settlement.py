"""What a site file says for settlement: forms, exact figures, refusals."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.multiplier import MultiplierChange, differing_times
from accounts.register_note import RegisterNote
from accounts.site import Site, SiteError, load_site
from accounts.site_findings import findings_of
from meters.form import Form
from meters.quantity import Quantity
from tests.accounts.site_files import (
    AT_METER,
    EXAMPLE,
    METER,
    again,
    load_changed,
    set_in,
)

MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))


def forms(form: type[Form]) -> set[type[Form]]:
    """Return a form and all that it is made of."""
    found = {form}
    for field in form.model_fields.values():
        text = [field.annotation]
        while text:
            one = text.pop()
            text += getattr(one, "__args__", ())
            if isinstance(one, type) and issubclass(one, Form) and one not in found:
                found |= forms(one)
    return found


def test_the_example_shows_every_key() -> None:
    shown = EXAMPLE.read_text("utf-8")
    keys = {key for form in forms(Site) for key in form.model_fields}
    assert {"closing", "ct", "check_meters", "outages", "last_day"} <= keys
    told = {key for key in keys if re.search(rf"\b{key}\b", shown)}
    assert keys - told == OF_CONNECTIONS


OF_CONNECTIONS = {"framing", "device", "baud_rate", "parity", "stop_bits"}
"""On a page of their own: docs/handbook/meters-and-accounts.md."""


def test_what_the_example_only_hints_at_can_be_used(tmp_path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(re.sub(r"(?m)^#(?=\S)", "", EXAMPLE.read_text("utf-8")), "utf-8")
    steel, _ = load_site(path).accounts
    (main,), (check,) = steel.points[0].meters, steel.points[0].check_meters
    assert check.serial == "ST-1009"
    # 1284066.25 kWh in steps of 0.01.
    assert main.closing_counts[Quantity.ENERGY_IMPORT_KWH] == 128406625
    assert main.opening_counts[Quantity.ENERGY_IMPORT_KWH] == 0
    assert [m.serial for m in load_site(path).meters()] == [
        "ST-1001",
        "ST-1009",
        "CS-2001",
    ]


def test_closures_and_outages_of_the_example() -> None:
    steel, cold_store = load_site(EXAMPLE).accounts
    days = [day for closure in steel.closures for day in closure.days()]
    assert days == [date(2026, 8, n) for n in range(10, 15)] + [date(2026, 9, 25)]
    (outage,) = steel.outages_of("Main supply")
    assert outage.start == datetime(2026, 9, 24, 22, tzinfo=UTC)
    assert list(steel.outages_of("Hall")) == []
    assert cold_store.closures == ()


def test_an_outage_of_no_point_is_of_all(tmp_path) -> None:
    def change(entered) -> None:
        account = entered["accounts"][0]
        del account["outages"][0]["point"]
        account["points"].append({"name": "Hall"})

    steel = load_changed(tmp_path, change).accounts[0]
    assert list(steel.outages_of("Hall")) == list(steel.outages_of("Main supply"))
    assert len(steel.outages) == 1


@pytest.mark.parametrize(
    ("change", "multiplier"),
    [
        pytest.param({"ct": "400/5"}, "80", id="a plate"),
        pytest.param({"ct": "300/5", "pt": "10000/100"}, "6000", id="high voltage"),
        pytest.param({"ct": 60, "constant": 0.1}, "6", id="a broken constant"),
        pytest.param({"ct": "100/3", "pt": "3/8"}, "12.5", id="thirds that cancel"),
        pytest.param({"constant": 0.0625}, "0.0625", id="a sixteenth"),
    ],
)
def test_a_multiplier_is_exact(change, multiplier) -> None:
    made = MultiplierChange.model_validate({"since": MAY} | change)
    assert made.multiplier == Decimal(multiplier)


@given(
    st.fractions(min_value=Fraction(1, 1000), max_value=10**6, max_denominator=1000),
    st.integers(1, 10**6),
)
def test_what_is_stored_of_a_multiplier_is_what_was_entered(ct, pt) -> None:
    plate = f"{ct.numerator}/{ct.denominator}"
    try:
        made = MultiplierChange(since=MAY, ct=plate, pt=pt)
    except ValueError as refused:
        assert "which no decimal number holds" in str(refused)  # noqa: PT017
        assert 10**60 % (ct * pt).denominator != 0
    else:
        assert Fraction(made.multiplier) == ct * pt


@given(st.integers(1, 15), st.data())
def test_what_a_display_shows_is_its_counts(digits, data) -> None:
    """Every count of every register of up to 15 digits comes back from its decimals."""
    places = data.draw(st.integers(0, digits))
    counts = data.draw(st.integers(0, 10**digits - 1))
    shown = float(Decimal(counts).scaleb(-places))  # as TOML is read
    note = RegisterNote(energy_import_kwh=shown)
    resolution = float(Decimal(1).scaleb(-places))
    assert note.counts(digits, resolution) == {Quantity.ENERGY_IMPORT_KWH: counts}


def test_when_one_course_of_multipliers_is_not_another() -> None:
    eighty, hundred = Decimal(80), Decimal(100)
    one = {MAY: eighty, JULY: hundred}
    assert list(differing_times(one, one)) == []
    assert list(differing_times(one, {MAY: eighty})) == [(JULY, None)]
    # From June on, the other says 80 later; from July on, both say 100.
    other = {JUNE: eighty, JULY: hundred}
    assert list(differing_times(one, other)) == [(MAY, JUNE)]
    assert list(differing_times({}, one)) == [(MAY, JULY), (JULY, None)]


CHANGES = (*METER, "multiplier_changes")
CHECK = {
    "serial": "ST-1009",
    "profile": "eastron-sdm630",
    "connection": {"transport": "modbus", "host": "192.0.2.10", "unit": 9},
    "installed_at": datetime(2026, 1, 1, tzinfo=UTC),
}
AT_POINT = ("accounts", 0, "points", 0)
AT_STEEL = r"accounts\[steel\]"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            set_in(*METER, "register_digits", to=10),
            rf"{AT_METER}: register_digits is 10, but the registers of profile"
            r" eastron-sdm630 have 9; leave it out, or name a profile of your own",
            id="more digits than its profile",
        ),
        pytest.param(
            set_in(*CHANGES, to=[{"since": MAY, "ct": 0}]),
            rf"{AT_METER}\.multiplier_changes\[#1\]\.ct: is 0, which would make",
            id="a ratio of zero",
        ),
        pytest.param(
            set_in(*CHANGES, to=[{"since": MAY, "ct": "300/0"}]),
            r"\.ct: is '300/0', which would make nothing of all energy; give a ratio",
            id="a plate of zero",
        ),
        pytest.param(
            set_in(*CHANGES, to=[{"since": MAY, "ct": "300:5"}]),
            r"\.ct: is '300:5', should be a number such as 60, or a text such as",
            id="no ratio",
        ),
        pytest.param(
            set_in(*CHANGES, to=[{"since": MAY}]),
            r"multiplier_changes\[#1\]: says nothing: give at least one of ct, pt",
            id="no factor",
        ),
        pytest.param(
            set_in(*CHANGES, to=[{"since": MAY, "ct": "400/3"}]),
            r"ct x pt x constant is 400/3, which no decimal number holds; check",
            id="no decimal",
        ),
        pytest.param(
            set_in(*CHANGES, to=[{"since": JUNE, "ct": 2}, {"since": MAY, "ct": 3}]),
            rf"{AT_METER}: the multiplier changes at 2026-05-01 00:00 UTC, not later",
            id="changes in disorder",
        ),
        pytest.param(
            lambda entered: (
                set_in(*METER, "removed_at", to=MAY)(entered),
                set_in(*CHANGES, to=[{"since": MAY, "ct": 2}])(entered),
            ),
            "changes at 2026-05-01 00:00 UTC, when the meter has left already; enter",
            id="a change after it left",
        ),
        pytest.param(
            lambda entered: (
                set_in(*METER, "profile", to="siemens-pac2200")(entered),
                set_in(*CHANGES, to=[{"since": MAY, "ct": 2}])(entered),
            ),
            "multiplier_changes is given, but profile siemens-pac2200 says that the",
            id="multiplied twice",
        ),
        pytest.param(
            set_in(*METER, "opening", to={"energy_import_kwh": 12.345}),
            rf"{AT_METER}: opening\.energy_import_kwh is 12\.345 kWh, between two"
            r" counts of a register that shows steps of 0\.01 kWh; write it as the",
            id="no whole count",
        ),
        pytest.param(
            set_in(*METER, "opening", to={"energy_lagging_kvarh": 10000000.0}),
            r"opening\.energy_lagging_kvarh is 10000000 kvarh, but a register of 9"
            r" digits shows 9999999\.99 kvarh at most; correct one of them",
            id="beyond the digits",
        ),
        pytest.param(
            set_in(*METER, "opening", to={"energy_import_kwh": -1}),
            r"opening\.energy_import_kwh: is -1, but a register never shows less",
            id="below nothing",
        ),
        pytest.param(
            set_in(*METER, "opening", to={"import_kwh": 1}),
            r"opening\.import_kwh: is not a known key",
            id="no register",
        ),
        pytest.param(
            set_in(*METER, "closing", to={"energy_import_kwh": 1.0}),
            "closing is what the display showed when the meter left; give its",
            id="closing of one that stays",
        ),
        pytest.param(
            set_in(
                *AT_POINT,
                "check_meters",
                to=[CHECK, CHECK | {"serial": "ST-1010", "installed_at": MAY}],
            ),
            "meter ST-1009 is still installed as check meter when ST-1010 comes;",
            id="two check meters",
        ),
        pytest.param(
            set_in(*AT_POINT, "check_meters", to=[CHECK | {"serial": "ST-1001"}]),
            "meter ST-1001 is entered with two profiles or connections",
            id="main and check at once",
        ),
        pytest.param(
            set_in(*AT_POINT, "contract_kva", to=0),
            r"contract_kva: is 0, should be greater than 0",
            id="no contract",
        ),
        pytest.param(
            set_in(*AT_POINT, "feeds", to="no"),
            r"feeds: is 'no', should be a valid boolean",
            id="a word",
        ),
        pytest.param(
            again("accounts", 0, "outages"),
            rf"{AT_STEEL}: an outage of point Main supply from 2026-09-24 22:00 UTC is"
            " entered 2 times",
            id="an outage twice",
        ),
        pytest.param(
            set_in("accounts", 0, "outages", 0, "point", to="Hall"),
            rf"{AT_STEEL}: an outage names point Hall, which the account does not have;"
            " there are: Main supply",
            id="an outage elsewhere",
        ),
        pytest.param(
            set_in("accounts", 0, "outages", 0, "kind", to="sudden"),
            rf"{AT_STEEL}\.outages\[#1\]\.kind: is 'sudden', should be 'planned' or",
            id="kind of an outage",
        ),
        pytest.param(
            again("accounts", 0, "closures", last_day=date(2026, 8, 10)),
            rf"{AT_STEEL}: closure of 2026-08-10 is entered 2 times",
            id="a day closed twice",
        ),
        pytest.param(
            set_in("accounts", 0, "closures", 0, "day", to="2026-08-10"),
            r"closures\[#1\]\.day: is '2026-08-10', should be a valid date",
            id="a text for a day",
        ),
    ],
)
def test_a_mistake_gets_one_sentence(tmp_path, change, sentence) -> None:
    with pytest.raises(SiteError, match=rf"site\.toml: .*{sentence}") as refused:
        load_changed(tmp_path, change)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_fewer_digits_than_the_profile_are_those_of_the_display(tmp_path) -> None:
    site = load_changed(tmp_path, set_in(*METER, "register_digits", to=6))
    assert site.meters()[0].register_digits == 6


def swapped(**notes: dict[str, float]):
    """Return a change that swaps the example's first meter."""

    def change(entered) -> None:
        meters = entered["accounts"][0]["points"][0]["meters"]
        new = meters[0] | {"serial": "ST-1002", "installed_at": JUNE, "opening": {}}
        meters[0]["removed_at"] = JUNE
        meters[0]["closing"] = notes.get("closing", {})
        meters.append(new | {"opening": notes.get("opening", {})})

    return change


@pytest.mark.parametrize(
    ("notes", "lacking"),
    [
        pytest.param(
            {},
            "the closing reading of ST-1001 and the opening reading of ST-1002",
            id="neither",
        ),
        pytest.param(
            {
                "closing": {"energy_import_kwh": 5.0},
                "opening": {"energy_export_kwh": 0.0},
            },
            "the opening reading of ST-1002",
            id="of another register",
        ),
    ],
)
def test_a_swap_without_readings_is_warned_of(tmp_path, notes, lacking) -> None:
    (found,) = findings_of(load_changed(tmp_path, swapped(**notes)))
    assert found.code == "swap-without-note"
    assert found.text == (
        "At point Main supply of account steel, meter ST-1001 gave way to meter ST-1002"
        f" without {lacking}: energy between their readings will be an estimate; enter"
        " what the displays showed, if anybody noted it."
    )


def test_a_swap_with_its_readings_is_not(tmp_path) -> None:
    zero = {"energy_import_kwh": 0.0}
    swap = swapped(closing=zero, opening=zero)
    assert findings_of(load_changed(tmp_path, swap)) == []
