"""Rounds: every server has every figure measured in each, in an order of its own."""

import contextlib
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.realtime.measure import Plan, RunFailedError, Sample, run
from bench.realtime.targets import Launcher, Target


@dataclass
class Campaign:
    """What was measured: samples by server and figure, and in words what could not be."""

    samples: defaultdict[tuple[str, str], list[Sample]] = field(default_factory=lambda: defaultdict(list))
    failures: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    absent: dict[str, str] = field(default_factory=dict)

    def play(
        self, launchers: Sequence[Launcher], plans: Sequence[Plan], load: Path, rounds: int, seconds: float
    ) -> None:
        """Servers that wait cost nothing, so all of a round run side by side and take turns figure by figure."""
        for number in range(rounds):
            with tempfile.TemporaryDirectory(prefix="kanal-bench-") as folder, self._running(launchers, folder) as here:
                for plan in plans:
                    for target in random.sample(here, len(here)):
                        if plan.fits(target):
                            self._measure(plan, target, load, seconds, f"round {number + 1} of {rounds}")

    @contextlib.contextmanager
    def _running(self, launchers: Sequence[Launcher], folder: str) -> Iterator[list[Target]]:
        with contextlib.ExitStack() as stack:
            targets = []
            for launcher in launchers:
                try:
                    targets.append(stack.enter_context(launcher.running(Path(folder))))
                except (RuntimeError, ValueError, OSError) as error:
                    self.absent[launcher.name] = str(error)
            yield targets

    def _measure(self, plan: Plan, target: Target, load: Path, seconds: float, where: str) -> None:
        try:
            sample = run(plan, target, load, seconds)
        except RunFailedError as failure:
            self.failures[target.name, plan.key].append(str(failure))
            print(f"{where}: {target.name}, {plan.title}: {failure}", file=sys.stderr, flush=True)
            return
        self.samples[target.name, plan.key].append(sample)
        values = sample.values
        shown = ", ".join(
            f"{name} {values[name]:,.1f}"
            for name in ("connects", "cpu_us", "kb_per_socket", "deliveries", "p50_ms", "p99_ms")
            if values.get(name)
        )
        print(
            f"{where}: {target.name}, {plan.title}: {shown}; waited {sample.noise.delayed:.0%}, "
            f"stolen {sample.noise.stolen:.0%}, others {sample.noise.other:.0%}",
            file=sys.stderr,
            flush=True,
        )
