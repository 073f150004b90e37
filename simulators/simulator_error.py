"""What a user of the simulators can do wrong; the root of this room's errors.

SimulatorError
├── ReplayError        a file that cannot be replayed (replay_file.py)
└── FaultError         a fault that does not exist (faults.py)
"""


class SimulatorError(Exception):
    """The simulators cannot do what was asked; one sentence says why."""
