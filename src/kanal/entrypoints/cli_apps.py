"""Apps of the real-time server in the database, from the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Annotated, Any

import msgspec
import typer

app = typer.Typer(
    help="Applications on the real-time server: their credentials and limits. Servers know of a change in 3 seconds.",
    no_args_is_help=True,
)
Id = Annotated[str, typer.Argument(help="The app's id.")]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        help="A limit or option as NAME=JSON, as often as needed: -s max_connections=500 -s 'allowed_origins=[\"*\"]'.",
    ),
]


def _with_database(work: Callable[[Any, Any], Awaitable[None]]) -> None:
    """``work`` gets a session and the key ring; what it did is committed."""
    from kanal.entrypoints import cli, serve

    async def go() -> None:
        node = await serve.open_node(cli.load_settings(), work=False)
        try:
            async with node.database.transaction(None) as session:
                await work(session, node.keys)
        finally:
            await node.stop()

    cli.run(go())


def _read(given: list[str] | None) -> dict[str, Any]:
    """Ends the command when a name is unknown or a value is no JSON; plain words need no quotes."""
    from kanal.realtime.apps import App

    known = {field.name for field in fields(App)} - {"id", "key", "secret", "enabled"}
    found: dict[str, Any] = {}
    for each in given or ():
        name, separator, value = each.partition("=")
        if not separator or name not in known:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(sorted(known))}")
        try:
            found[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            found[name] = value
    return found


def _make(content: dict[str, Any]) -> Any:
    from kanal.realtime.sources.reading import read_app

    try:
        return read_app(content)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _show(made: Any) -> None:
    typer.echo(f"id      {made.id}\nkey     {made.key}\nsecret  {made.secret}")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="For people.")] = "",
    app_id: Annotated[str, typer.Option("--id", help="Digits; made up when not given.")] = "",
    key: Annotated[str, typer.Option(help="Public; made up when not given.")] = "",
    options: Options = None,
) -> None:
    """Make an app and print its credentials; the secret is not shown again."""
    from kanal.realtime.sources import table

    given = {"id": app_id, "key": key}
    content = table.new_credentials() | {name: value for name, value in given.items() if value} | _read(options)
    made = _make(content)

    async def work(session: Any, keys: Any) -> None:
        await table.create(session, keys, made, name)

    _with_database(work)
    _show(made)


@app.command("list")
def list_apps() -> None:
    """Apps in the database, without their secrets."""
    from kanal.realtime.sources import table

    async def work(session: Any, keys: Any) -> None:
        for each in await table.list_apps(session, keys):
            state = "" if each.app.enabled else "  disabled"
            typer.echo(f"{each.app.id}  {each.app.key}  {each.name}{state}".rstrip())

    _with_database(work)


@app.command("set")
def set_options(app_id: Id, options: Options = None) -> None:
    """Change limits and options; connections that are open get them at once."""
    from kanal.realtime.sources import table

    changes = _read(options)

    async def work(session: Any, keys: Any) -> None:
        for each in await table.list_apps(session, keys):
            if each.app.id == app_id:
                made = _make(msgspec.to_builtins(each.app) | changes)
                await table.change(session, keys, app_id, **{name: getattr(made, name) for name in changes})
                return
        await table.change(session, keys, app_id)  # says that there is none

    _with_database(work)


@app.command()
def disable(app_id: Id) -> None:
    """Close its connections (4003) and let nobody in until it is enabled."""
    _switch(app_id, enabled=False)


@app.command()
def enable(app_id: Id) -> None:
    """Let its clients in again."""
    _switch(app_id, enabled=True)


def _switch(app_id: str, *, enabled: bool) -> None:
    from kanal.realtime.sources import table

    async def work(session: Any, keys: Any) -> None:
        await table.change(session, keys, app_id, enabled=enabled)

    _with_database(work)


@app.command("rotate-secret")
def rotate_secret(app_id: Id) -> None:
    """Give it a new secret and print it. What is signed with the old one is refused; who is connected stays."""
    from kanal.realtime.sources import table

    async def work(session: Any, keys: Any) -> None:
        _show(await table.change(session, keys, app_id, secret=table.new_credentials()["secret"]))

    _with_database(work)


@app.command()
def delete(
    app_id: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove an app; its connections are closed (4001)."""
    from kanal.realtime.sources import table

    if not yes:
        typer.confirm(f"Delete app {app_id} and close its connections?", abort=True)

    async def work(session: Any, _keys: Any) -> None:
        await table.delete(session, app_id)

    _with_database(work)
