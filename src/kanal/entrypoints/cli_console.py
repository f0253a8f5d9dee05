"""``kanal realtime top`` and ``kanal realtime tail``: the console of a running server, in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kanal.realtime.console.reader import Reader

URL = Annotated[str, typer.Option(help="Where the server listens.")]
TOKEN = Annotated[
    str, typer.Option(help="The server's KANAL_REALTIME_CONSOLE_TOKEN.", envvar="KANAL_REALTIME_CONSOLE_TOKEN")
]
HERE = "http://127.0.0.1:8000"
SHORTEST = 0.5  # seconds; the server looks no more often


def top(
    url: URL = HERE,
    token: TOKEN = "",
    interval: Annotated[float, typer.Option(min=SHORTEST, help="Seconds between two looks.")] = 1.0,
    sort: Annotated[str, typer.Option(help="out, in, connections, channels or app.")] = "out",
    once: Annotated[bool, typer.Option("--once", help="Print one state as JSON and end, for scripts.")] = False,
) -> None:
    """Nodes and apps of a running server: connections, channels, rates. q ends, s changes the order."""
    from kanal.realtime.console import terminal

    def show(reader: Reader) -> None:
        if once:
            _print(reader.state())
            return
        chosen = next((each for each in terminal.SORTS if each == sort), None)
        if chosen is None:
            raise typer.BadParameter(f"one of: {', '.join(terminal.SORTS)}", param_hint="--sort")
        terminal.top(reader, interval=interval, sort=chosen)

    _read(url, token, show)


def tail(
    channel: Annotated[str, typer.Argument(help="Name of the channel.")],
    url: URL = HERE,
    token: TOKEN = "",
    app: Annotated[str, typer.Option(help="Id of the app; not needed where there is only one.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object per event.")] = False,
) -> None:
    """The events of one channel, as they pass. Ctrl-C ends."""
    from kanal.realtime.console import terminal

    _read(url, token, lambda reader: terminal.tail(reader, app, channel, as_json=json, say=_say))


def _read(url: str, token: str, show: Any) -> None:
    """One line on stderr for what a person can mend."""
    from kanal.realtime.console.reader import CannotRead, Reader

    if not token:
        sys.exit("kanal: give the console token with --token or KANAL_REALTIME_CONSOLE_TOKEN")
    try:
        with Reader(url, token) as reader:
            show(reader)
    except CannotRead as error:
        sys.exit(f"kanal: {error}")
    except KeyboardInterrupt:
        return


def _print(content: Any) -> None:
    import msgspec

    _say(msgspec.json.encode(content).decode())


def _say(line: str) -> None:
    typer.echo(line)
    sys.stdout.flush()
