"""People and workspaces from the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import typer

users = typer.Typer(help="People.", no_args_is_help=True)
workspaces = typer.Typer(help="Workspaces.", no_args_is_help=True)
Slug = Annotated[str, typer.Argument(help="The workspace's short name, as in its address.")]


def _with_node(work: Callable[[Any], Awaitable[None]]) -> None:
    from kanal.entrypoints import cli, serve

    async def go() -> None:
        node = await serve.open_node(cli.load_settings(), work=False)
        try:
            await work(node)
        finally:
            await node.stop()

    cli.run(go())


async def _workspace_id(node: Any, slug: str) -> UUID:
    import sqlalchemy as sa

    from kanal.identity.models import Workspace
    from kanal.kit.errors import not_found

    async with node.database.reading(None) as session:
        found: UUID | None = await session.scalar(sa.select(Workspace.id).where(Workspace.slug == slug))
    if found is None:
        raise not_found("workspace")
    return found


@users.command("add")
def add_user(
    email: str,
    name: Annotated[str, typer.Option(prompt=True)],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
    locale: Annotated[str, typer.Option(help="en, id or ja")] = "en",
    workspace: Annotated[str, typer.Option(help="Also make a workspace of this name.")] = "",
) -> None:
    """Create an account; the first one becomes the operator's."""

    async def work(node: Any) -> None:
        from kanal.identity.actions import accounts
        from kanal.identity.actions import workspaces as workspace_actions
        from kanal.identity.audit import SYSTEM
        from kanal.identity.models import User
        from kanal.identity.rules import Locale
        from kanal.kit.ids import new_id

        account = await accounts.prepare(
            node.identity, name=name, email=email, password=password, locale=Locale(locale)
        )
        async with node.database.transaction(None) as session:
            await accounts.create_user(session, SYSTEM, account)
        if workspace:
            async with node.database.transaction(new_id()) as session:
                owner = await session.get(User, account.id)
                made = await workspace_actions.create_workspace(session, SYSTEM, owner=owner, name=workspace)
                typer.echo(f"Workspace {made.slug} created.")
        typer.echo(f"{account.email} can sign in.")

    _with_node(work)


@workspaces.command("list")
def list_workspaces() -> None:
    """All workspaces."""

    async def work(node: Any) -> None:
        import sqlalchemy as sa

        from kanal.identity.models import Workspace

        async with node.database.reading(None) as session:
            for found in await session.scalars(sa.select(Workspace).order_by(Workspace.slug)):
                typer.echo(f"{found.slug:30} {found.status:10} {found.plan:10} {found.name}")

    _with_node(work)


def _set_status(slug: str, status: str) -> None:
    async def work(node: Any) -> None:
        from kanal.identity.actions.workspaces import set_status
        from kanal.identity.audit import SYSTEM
        from kanal.identity.rules import Status

        async with node.database.transaction(await _workspace_id(node, slug)) as session:
            await set_status(session, SYSTEM, Status(status))
        typer.echo(f"{slug} is {status}.")

    _with_node(work)


@workspaces.command()
def suspend(slug: Slug) -> None:
    """Answer 403 to everybody in it and close their sockets."""
    _set_status(slug, "suspended")


@workspaces.command()
def activate(slug: Slug) -> None:
    """Let everybody in again."""
    _set_status(slug, "active")


@workspaces.command()
def plan(slug: Slug, plan_name: Annotated[str, typer.Argument(help="free, basic, premium or enterprise")]) -> None:
    """Change what it may use."""

    async def work(node: Any) -> None:
        from kanal.identity.actions.workspaces import set_plan
        from kanal.identity.audit import SYSTEM
        from kanal.identity.rules import Plan

        try:
            chosen = Plan(plan_name)
        except ValueError:
            raise typer.BadParameter("free, basic, premium or enterprise") from None
        async with node.database.transaction(await _workspace_id(node, slug)) as session:
            await set_plan(session, SYSTEM, chosen)
        typer.echo(f"{slug} is on the {chosen} plan.")

    _with_node(work)
