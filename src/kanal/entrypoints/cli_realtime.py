"""The real-time server by itself, from the command line."""

from __future__ import annotations

import typer

from kanal.entrypoints import cli_console

app = typer.Typer(help="The Pusher-protocol server alone: no database needed.", invoke_without_command=True)
app.command()(cli_console.top)
app.command()(cli_console.tail)


@app.callback()
def realtime(context: typer.Context) -> None:
    """The Pusher-protocol server alone, for any application: apps come from KANAL_REALTIME_* (docs/configuration.md)."""
    if context.invoked_subcommand is not None:
        return
    from kanal.entrypoints import cli
    from kanal.entrypoints import realtime as serving

    cli.run(serving.run(cli.load_settings(folder=False)))
