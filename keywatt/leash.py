"""Start a program that dies with the one that started it.

Run as a file with an interpreter that imports nothing else:

    python -S -E leash.py PARENT_PID SIGNAL USER PROGRAM [ARGUMENT ...]

The program takes this process's place, so its process id is the one that was started.
USER is whom it runs as, or `-` to stay who we are. Where the kernel has no such leash
(anything but Linux), the program starts without it.
"""

import ctypes
import os
import pwd
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for a signal at the parent's death, then become the program."""
    parent_pid, death_signal, user = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    if user != "-":
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if prctl:
        # After the change of user, which takes the leash off.
        prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent_pid:
            return  # it died before we asked
    os.execv(sys.argv[4], sys.argv[4:])  # noqa: S606  no shell is the point


if __name__ == "__main__":
    main()
