import errno
import importlib

import pytest

from keywatt.failure import FAILURES, REFUSALS, explain


@pytest.mark.parametrize(
    ("module", "name", "code"),
    [(*named, 2) for named in REFUSALS] + [(*named, 1) for named in FAILURES],
)
def test_each_error_that_is_named_exists_and_keeps_its_sentence(
    module, name, code
) -> None:
    kind = getattr(importlib.import_module(module), name)
    assert explain(kind("Meter A is on fire.")) == ("Meter A is on fire.", code)


def test_a_part_of_an_error_family_is_known_by_its_root() -> None:
    fault = importlib.import_module("simulators.faults").FaultError
    assert explain(fault("No such fault.")) == ("No such fault.", 2)


def test_what_nobody_foresaw_is_our_fault_in_one_line() -> None:
    text, code = explain(KeyError("a\nb"))
    assert (code, text.count("\n")) == (1, 0)
    assert text.startswith("This is a fault in Keywatt: KeyError")


def test_what_the_system_refuses_is_said_with_the_file() -> None:
    no_right = PermissionError(errno.EACCES, "Permission denied", "/etc/shadow")
    assert explain(no_right) == ("/etc/shadow cannot be used: Permission denied.", 1)
    no_room = OSError(errno.ENOSPC, "No space left on device", "/data/x")
    assert explain(no_room)[0].startswith("The disk is full (/data/x)")
