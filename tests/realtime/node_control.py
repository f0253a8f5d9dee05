"""Starting nodes as processes, from tests."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Node:
    """A node in a process. ``kill`` is -9."""

    def __init__(self, **settings: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.realtime.node_process", json.dumps(settings)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._port = 0

    @property
    def port(self) -> int:
        """Waits for the node to start; several are made first and then start side by side."""
        if not self._port:
            self._port = int(self._line())
        return self._port

    def _line(self) -> str:
        """Logs go the same way; what we wait for is a word or a number alone."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if len(line.split()) == 1:
                return line.strip()
        raise AssertionError("the node ended")

    def publish(self, channel: str, event: str, data: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([channel, event, data]) + "\n")
        return self._line()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._close()

    def stop(self) -> None:
        """In order: the end of its input is its signal."""
        if self.process.poll() is None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait(20)
        self._close()

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
