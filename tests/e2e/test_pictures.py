"""Pictures of every main page for people to look at, in `.cache/screenshots/`; with hostile data, what must still fit.

They are no reference to compare with: look at them after a change, and mend what you would not ship.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, expect

from tests.e2e.api import PASSWORD, Api, address
from tests.e2e.conftest import ROOT, Visitors
from tests.e2e.pages import DESK, PAGES, PHONE, MainPage, show
from tests.e2e.person import Person
from tests.support.kanal_process import KanalProcess

FOLDER = ROOT / ".cache/screenshots"
DEVICES: dict[str, dict[str, Any]] = {
    "desk": {"viewport": DESK},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 2},
}
LONG = "Wolfeschlegelsteinhausenbergerdorff"
PEOPLE = (
    f"Hubert Blaine {LONG} the Third, of the Warehouse Night Shift in Bandung and Elsewhere",
    "👩🏽‍🚒👨‍👩‍👧‍👦🏳️‍🌈🇮🇩",
    "محمد بن عبد الله الأندلسي",
    "\u202egnp.exe reversed",
    "寿限無寿限無五劫の擦り切れ海砂利水魚の水行末雲来末風来末",
    "Ng",
)
ROOMS = (
    "a-room-with-one-unbroken-name-that-never-seems-to-end-and-still-goes-on-and-on",
    "🎉🎊🥳 party 🎈",
    "قناة خدمة العملاء والمبيعات",
    "東京・大阪・名古屋・札幌・福岡の店舗連絡と本社からのお知らせ",
    "<b>bold</b> & “quoted”",
)


@pytest.fixture(scope="module")
def visitors(browser: Browser, server: KanalProcess, accounts: Callable[[str], Api]) -> Iterator[Visitors]:
    made = Visitors(browser, server, accounts)
    yield made
    made.close()
    made.check()


def _picture(person: Person, name: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        person.page.emulate_media(color_scheme=theme)
        person.settled()
        person.page.screenshot(path=FOLDER / f"{name}-{theme}.png")


@pytest.mark.parametrize("device", DEVICES)
def test_pictures_with_the_demo(visitors: Visitors, device: str) -> None:
    options = {"reduced_motion": "reduce", **DEVICES[device]}
    sari, stranger = visitors.open("sari", **options), visitors.open(None, **options)
    for page in PAGES:
        if device == "desk" or page.phone:
            person = stranger if page.stranger else sari
            show(person, page)
            _picture(person, f"demo-{device}-{page.name}")


@pytest.fixture(scope="module")
def hostile(accounts: Callable[[str], Api], server: KanalProcess) -> str:
    """A workspace full of what breaks layouts; answers the address of its owner, who has read nothing."""
    owner_address = "hostile@kopi.example"
    register = Api(server.url, address("andi"))
    body = {
        "name": PEOPLE[0][:80],
        "email": owner_address,
        "password": PASSWORD,
        "workspace_name": f"{LONG} & Söhne 株式会社",
    }
    register.call("POST", "/auth/register", {**body, "locale": "en"})
    register.close()
    owner = accounts(owner_address)
    others = []
    for number, name in enumerate(PEOPLE[1:]):
        email = f"guest{number}.{'x' * 40}@{'sub.' * 8}example"
        link = owner.call("POST", "invitations", {"email": email, "role": "agent"})["link"]
        guest = Api(server.url, address("andi"))
        token = link.rsplit("/", 1)[1]
        guest.call("POST", "/auth/register", {"name": name, "email": email, "password": PASSWORD, "invitation": token})
        guest.close()
        others.append(accounts(email))
    owner.call("POST", "invitations", {"email": f"waiting.{'y' * 50}@example.com", "role": "viewer"})
    for name in ROOMS:
        topic = f"{LONG} " * 4
        owner.create_room(name, *others, topic=topic)
    crowd = owner.room(ROOMS[0])["id"]
    for number in range(120):
        others[number % len(others)].say(crowd, f"Unread {number}")
    mixed = owner.room(ROOMS[3])["id"]
    for number, text in enumerate(
        (
            "W" * 300,
            f"https://example.com/{'path/' * 40}?q={'x' * 120}",
            "مرحبا بالعالم، هذا نص طويل من اليمين إلى اليسار with English inside ثم عربي مرة أخرى",
            "🎉",
            "👨‍👩‍👧‍👦" * 30,
            "```\n" + "a very long line of code " * 12 + "\nshort\n```",
            "> quoted\n\n1. one\n2. two\n   - nested\n   - nested\n\n**bold** *italic* ~~gone~~ `code`",
            "Z" + "\u0335\u0310\u0349" * 20 + "algo",
        )
    ):
        said = others[number % len(others)].say(mixed, text)
        for emoji in ("👍", "❤️", "😂", "🎉", "😮", "🙏", "🔥", "👏", "💯", "✅", "🚀")[: number * 2]:
            for other in others:
                other.call("PUT", f"chat/messages/{said['id']}/reactions/{emoji}")
    owner.say(mixed, f"{' '.join(f'<@{one.id}>' for one in others)} <@all> everybody at once")
    direct = owner.call("POST", "chat/direct", {"user_ids": [others[1].id]})["id"]
    others[1].say(direct, "سلام")
    owner.call("POST", "chat/direct", {"user_ids": [one.id for one in others]})
    return owner_address


@pytest.mark.parametrize("device", DEVICES)
def test_pictures_with_hostile_data(visitors: Visitors, hostile: str, device: str) -> None:
    """Very long names, emoji, Japanese, right to left, 0 and 99+ unread: nothing leaves the screen."""
    person = visitors.open(hostile, reduced_motion="reduce", **DEVICES[device])
    pages = [
        MainPage("rooms", "Direct messages", "rooms"),
        MainPage("crowd", "Unread", room=ROOMS[0]),
        MainPage("mixed", "everybody at once", room=ROOMS[3]),
        MainPage("direct", "سلام", room=PEOPLE[2]),
        MainPage("empty", "This is where it begins", room=ROOMS[4]),
        MainPage("details", "Notify me about", room=ROOMS[3], act=lambda one: one.open_details()),
        MainPage("members", "Ng", "members"),
        MainPage("workspace", LONG, "settings/workspace"),
        MainPage("profile", "Others see it beside your messages.", "settings/profile"),
        MainPage("audit", "Audit log", "audit"),
    ]
    for page in pages:
        show(person, page)
        _picture(person, f"hostile-{device}-{page.name}")
        person.fits_the_screen()
    if device == "desk":
        person.visit("rooms")
        expect(person.room_link(ROOMS[0]).get_by_text("99+")).to_be_visible()


def test_a_broken_picture_keeps_its_place(visitors: Visitors, accounts: Callable[[str], Api]) -> None:
    """The place has the picture's size before it is there, so nothing jumps."""
    picture = io.BytesIO()
    Image.new("RGB", (1200, 300), "#336677").save(picture, "PNG")
    sari = accounts("sari")
    room = sari.create_room("wide pictures")
    person = visitors.open("sari", viewport=DESK)
    person.enter(room)
    with person.page.expect_file_chooser() as chooser:
        person.page.get_by_role("button", name="Attach files").click()
    upload: FilePayload = {"name": "wide.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    chooser.value.set_files(upload)
    person.say("Wide")
    person.sees("Wide")
    person.allows(r"net::ERR_FAILED")
    person.page.route("**/files/**", lambda route: route.abort())
    person.page.reload()
    tile = person.message("Wide").get_by_role("button", name="Open picture wide.png")
    expect(tile).to_be_visible()
    box = tile.bounding_box()
    assert box is not None
    assert box["width"] / box["height"] == pytest.approx(4, abs=0.3)
