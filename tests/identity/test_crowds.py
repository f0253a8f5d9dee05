"""Many at once, on each database: everybody gets an answer, and a right one. F-AC-01, F-AC-03."""

from __future__ import annotations

import asyncio

from kanal.identity.actions import members
from kanal.identity.models import User
from kanal.identity.rules import Role
from kanal.kit.errors import KanalError
from tests.identity.world import PASSWORD, Browser, World, make_app


async def test_a_crowd_registers_signs_in_and_leaves(world: World) -> None:
    """The first test of this module: some of them are the first in an empty database, all with few addresses."""
    app = make_app(world.identity)
    crowd = [Browser(app) for _ in range(24)]
    emails = [f"same{number % 4}@example.com" for number in range(24)]
    bodies = [{"name": "A", "email": e, "password": PASSWORD, "workspace_name": "Warung"} for e in emails]
    registered = await asyncio.gather(*(b.post("/auth/register", body) for b, body in zip(crowd, bodies, strict=True)))
    assert sorted(answer.status_code for answer in registered) == [201] * 4 + [409] * 20
    operators = [a.json()["user"]["is_operator"] for a in registered if a.status_code == 201]
    assert sorted(operators) == [False, False, False, True]
    assert len({a.json()["workspaces"][0]["slug"] for a in registered if a.status_code == 201}) == 4
    signed_in = await asyncio.gather(*(b.sign_in(e) for b, e in zip(crowd, emails, strict=True)))
    assert {answer.status_code for answer in signed_in} == {200}
    left = await asyncio.gather(*(b.post("/auth/logout") for b in crowd))
    assert {answer.status_code for answer in left} == {204}
    for each in crowd:
        await each.http.aclose()


async def test_of_a_crowd_of_owners_that_leaves_one_stays(world: World) -> None:
    owner = await world.person()
    place = await world.workspace(owner)
    people = [owner, *[await world.person() for _ in range(9)]]
    for person in people[1:]:
        await world.join(place, person, Role.OWNER)

    async def leave(person: User) -> None:
        async with world.database.transaction(place) as session:
            await members.leave(session, await world.access(place, person))

    results = await asyncio.gather(*(leave(person) for person in people), return_exceptions=True)
    refused = [result for result in results if result is not None]
    assert [r.code for r in refused if isinstance(r, KanalError)] == ["member.last_owner"]
    assert len(refused) == 1
