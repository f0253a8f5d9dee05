"""Uploads and downloads over HTTP (F-RO-02, F-RO-05, F-WA-11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from obstore.exceptions import GenericError

from kanal.files import actions
from kanal.files.delivery import WHOLE
from kanal.files.models import File
from kanal.identity.access import WorkspaceAccess
from kanal.kit.db import Database
from kanal.kit.ids import new_id
from kanal.kit.storage import Storage
from tests.files import samples
from tests.files.conftest import Client, Person, World


async def upload(http: Person, content: bytes, name: str = "a.bin", declared: str = "image/png") -> Any:
    answer = await http.post(http.uploads, files={"file": (name, content, declared)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_an_upload_answers_with_the_attachment(world: World, client: Client) -> None:
    someone = await world.member(await world.workspace())
    http = client(someone)
    answer = await upload(http, samples.turned_photo(6), "../foto.jpg", "text/html")
    base = f"/api/v1/workspaces/{someone.workspace_id}/files/{answer['id']}"
    assert answer == {
        "id": answer["id"],
        "name": "foto.jpg",
        "content_type": "image/jpeg",
        "size": len(samples.turned_photo(6)),
        "width": 600,
        "height": 1200,
        "duration": None,
        "thumbnail": False,
        "url": f"{base}/content",
        "thumbnail_url": None,
        "state": "processing",
    }
    assert (await http.get(answer["url"])).content == samples.turned_photo(6)


async def test_recordings_know_their_length(world: World, client: Client) -> None:
    http = client(await world.member(await world.workspace()))
    answer = await upload(http, samples.mp4(12_500, (640, 360)), "a.mp4")
    assert (answer["duration"], answer["width"], answer["height"], answer["state"]) == (12.5, 640, 360, "ready")


@pytest.mark.parametrize(
    ("content", "name", "declared"),
    [
        pytest.param(samples.SVG, "a.png", "image/png", id="svg as png"),
        pytest.param(samples.HTML, "a.txt", "text/plain", id="html as text"),
        pytest.param(b"alert(1)", "a.js", "text/plain", id="script as text"),
        pytest.param(samples.picture(), "a.html", "image/png", id="picture that is named a page"),
        pytest.param(samples.png_header(30_000, 30_000), "a.png", "image/png", id="bomb"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "a.png", "image/png", id="broken png"),
        pytest.param(b"MZ\x90\0", "a.pdf", "application/pdf", id="program as pdf"),
    ],
)
async def test_what_could_run_is_only_ever_downloaded(
    world: World, client: Client, content: bytes, name: str, declared: str
) -> None:
    http = client(await world.member(await world.workspace()))
    uploaded = await upload(http, content, name, declared)
    assert (uploaded["content_type"], uploaded["width"], uploaded["state"]) == (
        "application/octet-stream",
        None,
        "ready",
    )
    answer = await http.get(uploaded["url"])
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    ("content", "name", "content_type", "kind"),
    [
        (samples.picture(), "a.png", "image/png", "inline"),
        (b"hello", "a.log", "text/plain; charset=utf-8", "inline"),
        (samples.PDF, "a.pdf", "application/pdf", "inline"),
        (b"PK\x03\x04", "a.zip", "application/octet-stream", "attachment"),
    ],
)
async def test_content_is_served_so_that_no_browser_runs_it(
    world: World, client: Client, *, content: bytes, name: str, content_type: str, kind: str
) -> None:
    http = client(await world.member(await world.workspace()))
    answer = await http.get((await upload(http, content, name))["url"])
    assert answer.status_code == 200
    headers = answer.headers
    assert headers["content-type"] == content_type
    assert headers["content-disposition"] == f'{kind}; filename="{name}"'
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "private, max-age=604800, immutable"
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-length"] == str(len(content))


async def test_names_survive_in_any_script(world: World, client: Client) -> None:
    http = client(await world.member(await world.workspace()))
    uploaded = await upload(http, b"x", "請求書.txt")
    assert uploaded["name"] == "請求書.txt"
    header = (await http.get(uploaded["url"])).headers["content-disposition"]
    assert header.endswith("filename*=UTF-8''%E8%AB%8B%E6%B1%82%E6%9B%B8.txt")


async def test_a_known_etag_is_not_sent_again(world: World, client: Client) -> None:
    http = client(await world.member(await world.workspace()))
    url = (await upload(http, b"hello"))["url"]
    etag = (await http.get(url)).headers["etag"]
    again = await http.get(url, headers={"if-none-match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await http.get(url, headers={"if-none-match": '"other"'})).status_code == 200


@pytest.mark.parametrize("size", [2000, WHOLE + 1, 9 * 1024 * 1024], ids=["small", "streamed", "in several pieces"])
async def test_players_get_the_part_they_ask_for(world: World, client: Client, size: int) -> None:
    http = client(await world.member(await world.workspace()))
    content = (samples.mp4(1000) + bytes(range(256)) * (size // 256 + 1))[:size]
    url = (await upload(http, content, "a.mp4"))["url"]
    assert (await http.get(url)).content == content
    for header, start, end in (
        ("bytes=0-", 0, size),
        ("bytes=100-199", 100, 200),
        ("bytes=-100", size - 100, size),
        (f"bytes=1-{size - 2}", 1, size - 1),
    ):
        answer = await http.get(url, headers={"range": header})
        assert answer.status_code == 206
        assert answer.content == content[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert answer.headers["content-length"] == str(end - start)


async def test_ranges_outside_and_conditions_that_fail(world: World, client: Client) -> None:
    http = client(await world.member(await world.workspace()))
    url = (await upload(http, b"0123456789"))["url"]
    etag = (await http.get(url)).headers["etag"]
    outside = await http.get(url, headers={"range": "bytes=10-"})
    assert (outside.status_code, outside.headers["content-range"]) == (416, "bytes */10")
    assert (await http.get(url, headers={"range": "bytes=1-2,4-5"})).content == b"0123456789"
    assert (await http.get(url, headers={"range": "bytes=1-2", "if-range": etag})).content == b"12"
    assert (await http.get(url, headers={"range": "bytes=1-2", "if-range": '"old"'})).content == b"0123456789"


async def test_empty_missing_and_malformed_uploads(world: World, client: Client) -> None:
    http = client(await world.member(await world.workspace()))
    before = world.stored()
    assert error_of(await http.post(http.uploads, files={"file": ("a", b"")})) == (422, "file.empty")
    assert error_of(await http.post(http.uploads, files={"other": ("a", b"x")})) == (400, "request.invalid")
    assert error_of(await http.post(http.uploads, data={"file": "text"})) == (400, "request.invalid")
    assert error_of(await http.post(http.uploads, json={"file": "x"})) == (400, "request.invalid")
    assert error_of(await http.post(http.uploads)) == (400, "request.invalid")
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert error_of(await http.post(http.uploads, content=b"garbage", headers=headers)) == (400, "request.invalid")
    assert world.stored() == before


async def test_the_plans_limit_holds_before_all_is_read(world: World, client: Client) -> None:
    someone = await world.member(await world.workspace("free"))
    http = client(someone)
    limit = someone.limits.max_file_bytes
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while sent < 4 * limit:
            sent += 1024 * 1024
            yield b"x" * (1024 * 1024)

    before = world.stored()
    answer = await http.post(http.uploads, content=body(), headers={"content-type": "multipart/form-data; boundary=b"})
    assert error_of(answer) == (413, "file.too_large")
    assert "25 MB" in answer.json()["error"]["message"]
    assert sent <= limit + 2 * 1024 * 1024
    headers = {"content-type": "multipart/form-data; boundary=b", "content-length": str(2 * limit)}
    assert error_of(await http.post(http.uploads, content=b"--b", headers=headers)) == (413, "file.too_large")
    assert world.stored() == before


async def test_viewers_do_not_upload(world: World, client: Client) -> None:
    viewer = await world.member(await world.workspace(), "viewer")
    http = client(viewer)
    assert error_of(await http.post(http.uploads, files={"file": ("a", b"x")})) == (403, "permission.denied")


async def test_an_unattached_file_is_its_uploaders_alone(world: World, client: Client) -> None:
    workspace = await world.workspace()
    one, owner = await world.member(workspace), await world.member(workspace, "owner")
    url = (await upload(client(one), b"x"))["url"]
    assert (await client(one).get(url)).status_code == 200
    assert error_of(await client(owner).get(url)) == (404, "file.not_found")


async def test_the_holder_decides_who_reads(world: World, client: Client) -> None:
    workspace = await world.workspace()
    uploader, member, stranger = [await world.member(workspace) for _ in range(3)]
    room, members = new_id(), {member.user_id}

    async def reader(_database: Database, access: WorkspaceAccess, holder_id: UUID) -> bool:
        return holder_id == room and access.user_id in members

    world.files.readers.register("room", reader)
    uploaded = await upload(client(uploader), b"x")
    async with world.database.transaction(workspace) as session:
        await actions.attach(session, [UUID(uploaded["id"])], uploader.user_id, "room", room)
    assert (await client(member).get(uploaded["url"])).status_code == 200
    assert error_of(await client(stranger).get(uploaded["url"])) == (404, "file.not_found")
    assert error_of(await client(uploader).get(uploaded["url"])) == (404, "file.not_found"), "they have left the room"


async def test_a_holder_without_a_reader_shows_nothing(world: World, client: Client) -> None:
    someone = await world.member(await world.workspace())
    uploaded = await upload(client(someone), b"x")
    async with world.database.transaction(someone.workspace_id) as session:
        await actions.attach(session, [UUID(uploaded["id"])], someone.user_id, "unheard-of", new_id())
    assert error_of(await client(someone).get(uploaded["url"])) == (404, "file.not_found")


async def test_another_workspaces_ids_lead_nowhere(world: World, client: Client) -> None:
    here, there = await world.member(await world.workspace()), await world.member(await world.workspace())
    uploaded = await upload(client(there), samples.picture())
    await world.worker.drain()
    for what in ("content", "thumbnail"):
        own_path = f"/api/v1/workspaces/{here.workspace_id}/files/{uploaded['id']}/{what}"
        assert error_of(await client(here).get(own_path)) == (404, "file.not_found")
        other_path = f"/api/v1/workspaces/{there.workspace_id}/files/{uploaded['id']}/{what}"
        assert error_of(await client(here).get(other_path)) == (404, "workspace.not_found")
    http = client(here)
    assert error_of(await http.get(f"{http.uploads}/{new_id()}/content")) == (404, "file.not_found")
    assert (await http.get(f"{http.uploads}/not-an-id/content")).status_code == 404


async def test_a_thumbnail_is_there_when_the_worker_has_made_it(world: World, client: Client) -> None:
    http = client(await world.member(await world.workspace()))
    uploaded = await upload(http, samples.picture(size=(960, 480)), "a.png")
    url = uploaded["url"].replace("/content", "/thumbnail")
    assert error_of(await http.get(url)) == (404, "file.not_found")
    await world.worker.drain()
    answer = await http.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    again = await http.get(url, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


class BrokenStorage(Storage):
    """Refuses everything, as a full disk or an unreachable bucket does."""

    async def put(self, key: str, content: bytes | Path) -> None:
        raise GenericError("no space left on device")

    async def get(self, key: str) -> bytes:
        raise GenericError("unreachable")


async def test_a_storage_that_fails_leaves_nothing_behind(world: World, client: Client, tmp_path: Path) -> None:
    someone = await world.member(await world.workspace())
    object.__setattr__(world.files, "storage", BrokenStorage(f"file://{tmp_path}"))
    http = client(someone)
    answer = await http.post(http.uploads, files={"file": ("a.txt", b"x")}, headers={"accept-language": "id"})
    assert error_of(answer) == (503, "file.storage_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "GenericError" not in answer.text
    async with world.database.reading(someone.workspace_id) as session:
        assert await session.scalar(sa.select(sa.func.count(File.id))) == 0


async def test_reading_from_a_storage_that_fails(world: World, client: Client, tmp_path: Path) -> None:
    http = client(await world.member(await world.workspace()))
    uploaded, lost = await upload(http, b"x"), await upload(http, b"y" * (WHOLE + 1))
    (world.folder / f"files/{uploaded['url'].split('/')[4]}/{lost['id']}").unlink()
    assert error_of(await http.get(lost["url"])) == (404, "file.not_found")
    object.__setattr__(world.files, "storage", BrokenStorage(f"file://{tmp_path}"))
    assert error_of(await http.get(uploaded["url"])) == (503, "file.storage_unavailable")


async def test_uploads_at_the_same_time_do_not_mix(world: World, client: Client) -> None:
    http = client(await world.member(await world.workspace()))
    contents = [bytes([65 + i]) * 50_000 for i in range(8)]
    uploads = await asyncio.gather(*(upload(http, c) for c in contents))
    answers = await asyncio.gather(*(http.get(u["url"]) for u in uploads))
    assert [a.content for a in answers] == contents


async def test_the_form_is_in_the_api_document(client: Client, world: World) -> None:
    http = client(await world.member(await world.workspace()))
    app: Any = http._transport.app  # type: ignore[attr-defined]
    operation = app.openapi_schema.to_schema()["paths"]["/api/v1/workspaces/{ws}/files"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file"]
