"""What others did on the machine while something was measured."""

import os
from dataclasses import dataclass
from pathlib import Path

DELAYED = 0.02  # share of the time in which server or client were ready to run and had to wait
STOLEN = 0.02  # share of the time in which the hypervisor ran something else


@dataclass(frozen=True)
class Clock:
    """Seconds since boot that all processors spent on work, and that were stolen from them (`/proc/stat`)."""

    busy: float
    stolen: float

    @classmethod
    def read(cls) -> "Clock":
        """Now."""
        fields = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        user, nice, system, _idle, _iowait, irq, softirq, steal = fields
        tick = os.sysconf("SC_CLK_TCK")
        return cls((user + nice + system + irq + softirq) / tick, steal / tick)


@dataclass(frozen=True)
class Noise:
    """Shares of one processor. `other` is time on both processors that was neither the server's nor the client's."""

    delayed: float
    stolen: float
    other: float

    @property
    def disturbed(self) -> bool:
        """Whether the figure is worth less for it."""
        return self.delayed > DELAYED or self.stolen > STOLEN
