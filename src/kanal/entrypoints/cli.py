"""The command line: ``kanal serve`` and its sisters."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from kanal import __version__
from kanal import settings as settings_module
from kanal.settings import Settings, SettingsError

app = typer.Typer(
    name="kanal",
    help="A self-hosted, real-time workspace for teams that serve customers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point. What a person can mend is one line on stderr; anything else is a bug with its trace."""
    from kanal.entrypoints.port import CannotStartError
    from kanal.kit.errors import KanalError

    try:
        app()
    except (SettingsError, CannotStartError) as error:
        sys.exit(f"kanal: {error}")
    except KanalError as error:
        from kanal.entrypoints.bootstrap import PACKAGES
        from kanal.kit.i18n import DEFAULT, Catalog

        texts = Catalog(PACKAGES)
        fields = "".join(f"\n  {f}: {texts.text(DEFAULT, c, **error.params)}" for f, c in error.fields.items())
        sys.exit(f"kanal: {texts.text(DEFAULT, error.code, **error.params)}{fields}")


def load_settings(*, folder: bool = True) -> Settings:
    """The settings, with logging set up and the data folder there, unless the command has no data."""
    from kanal.kit import logs

    loaded = settings_module.load()
    logs.configure(level=loaded.log.level, format_=loaded.log.format, node=loaded.node_id)
    if folder:
        from kanal.entrypoints.serve import check_folder

        check_folder(loaded)
    return loaded


def run(work: Coroutine[Any, Any, Any]) -> None:
    """On uvloop."""
    import uvloop

    uvloop.run(work)


@app.command()
def serve(
    demo: Annotated[
        bool, typer.Option(help="Make the demo workspace when there is none, and show its sign-ins.")
    ] = False,
) -> None:
    """Everything in one process: web, sockets, worker, relay, scheduler."""
    from kanal.entrypoints import serve as serving

    loaded = load_settings()
    run(serving.run(loaded, work=True, with_demo=demo, started=serving.greet))


@app.command()
def web() -> None:
    """HTTP and sockets only; jobs are left to `kanal worker`."""
    from kanal.entrypoints import serve as serving

    loaded = load_settings()
    serving.check_apart(loaded)
    run(serving.run(loaded, work=False, with_demo=False, started=serving.greet))


@app.command()
def worker() -> None:
    """Jobs, schedules and the relay of events."""
    from kanal.entrypoints import serve as serving

    loaded = load_settings()
    serving.check_apart(loaded)
    run(serving.run_worker(loaded))


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema."""
    from kanal.entrypoints import serve as serving

    async def go() -> None:
        node = await serving.open_node(load_settings(), work=False)
        await node.stop()

    run(go())
    typer.echo("The database is up to date.")


@app.command()
def demo() -> None:
    """Make the demo workspace (believable people, rooms, messages); does nothing when it is there."""
    from kanal.entrypoints import demo as demo_module
    from kanal.entrypoints import serve as serving

    async def go() -> None:
        node = await serving.open_node(load_settings(), work=False)
        for email, name, password in await demo_module.ensure(node):
            typer.echo(f"  {email:28} {password}   {name}")
        await node.stop()

    run(go())


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _add_groups() -> None:
    from kanal.entrypoints import cli_accounts, cli_apps, cli_export, cli_realtime

    app.add_typer(cli_accounts.users, name="user")
    app.add_typer(cli_accounts.workspaces, name="workspace")
    app.add_typer(cli_apps.app, name="app")
    app.add_typer(cli_realtime.app, name="realtime")
    app.add_typer(cli_export.app, name="export")


_add_groups()

if __name__ == "__main__":
    main()
