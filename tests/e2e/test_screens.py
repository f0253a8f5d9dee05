"""Every main page, from a small phone to a large screen, and read by axe in both themes. F-UI-01, 02, 03, 04."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from hatch_build import install
from tests.e2e.api import Api
from tests.e2e.conftest import ROOT, Open, Visitors, has_failed
from tests.e2e.pages import DESK, PAGES, PHONE, SMALL_PHONE, MainPage, show
from tests.e2e.person import Person
from tests.e2e.waiting import comes_to
from tests.support.kanal_process import KanalProcess

Room = Callable[..., str]
AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
GRAVE = {"serious", "critical"}
DEVICES = {
    "desk": {"viewport": DESK, "bypass_csp": True},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True},
}
PEOPLE = pytest.StashKey[dict[tuple[bool, str], Person]]()


@pytest.fixture(scope="module")
def axe() -> str:
    """Its source, from the web app's development packages."""
    install(ROOT / "web", production=False)
    return Path(AXE).read_text()


@pytest.fixture(scope="module")
def visitors(browser: Browser, server: KanalProcess, accounts: Callable[[str], Api]) -> Iterator[Visitors]:
    """The same browsers for all pages, as one uses the app."""
    made = Visitors(browser, server, accounts)
    yield made
    made.close()


@pytest.fixture
def at(request: pytest.FixtureRequest, visitors: Visitors) -> Iterator[Callable[..., Person]]:
    """`at(page, device)`: whoever may see this page, with a browser like this; console errors fail the test."""
    people: dict[tuple[bool, str], Person] = request.node.parent.stash.setdefault(PEOPLE, {})

    def find(page: MainPage, device: str) -> Person:
        key = (page.stranger, device)
        if key not in people:
            options: dict[str, Any] = DEVICES[device]
            people[key] = visitors.open(None if page.stranger else "sari", reduced_motion="reduce", **options)
        return people[key]

    yield find
    if has_failed(request):
        visitors.picture(request.node.name)
    visitors.check()


def violations(person: Person, axe: str, off: tuple[str, ...]) -> list[str]:
    found: list[dict[str, Any]] = person.page.evaluate(
        """async ([source, off]) => {
            if (!window.axe) (0, eval)(source)
            const rules = Object.fromEntries(off.map((rule) => [rule, { enabled: false }]))
            return (await axe.run({ resultTypes: ['violations'], rules })).violations
        }""",
        [axe, off],
    )
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_axe_finds_nothing_serious(at: Callable[..., Person], axe: str, page: MainPage) -> None:
    """F-UI-04: contrast, names, roles, landmarks; light and dark."""
    person = at(page, "desk")
    person.page.emulate_media(color_scheme="light")
    show(person, page)
    found = [f"light {one}" for one in violations(person, axe, page.axe_off)]
    person.page.emulate_media(color_scheme="dark")
    expect(person.page.locator("html")).to_have_css("color-scheme", re.compile("dark"))
    person.settled()
    found += [f"dark {one}" for one in violations(person, axe, page.axe_off)]
    assert found == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.phone], ids=lambda page: page.name)
def test_nothing_is_wider_than_a_phone(at: Callable[..., Person], page: MainPage) -> None:
    """F-UI-03: 390 and 360 pixels; then a desk at 200 %."""
    person = at(page, "phone")
    person.page.set_viewport_size(PHONE)
    show(person, page)
    person.fits_the_screen()
    person.page.set_viewport_size(SMALL_PHONE)
    person.settled()
    person.fits_the_screen()


def test_on_a_phone_panes_lie_on_each_other_and_back_leads_back(open_browser: Open, room_of: Room) -> None:
    """F-UI-03: list, room, thread; the composer stands on the screen's edge."""
    room = room_of("sari", "budi", called="pocket")
    sari, budi = (
        open_browser("sari", viewport=SMALL_PHONE, has_touch=True, is_mobile=True).visit("rooms"),
        open_browser("budi").enter(room),
    )
    sari.room_link("pocket").tap()
    expect(sari.room_list).to_be_hidden()
    sari.composer.fill("From the bus")
    sari.page.get_by_role("button", name="Send", exact=True).tap()
    budi.sees("From the bus")
    expect(sari.composer).to_be_in_viewport(ratio=1)
    sari.settled()
    box = sari.composer.bounding_box()
    assert box is not None
    assert box["width"] >= 180
    budi.choose("From the bus", "Reply in thread")
    answer = budi.thread.get_by_role("textbox")
    answer.fill("Have a good ride")
    answer.press("Enter")
    sari.message("From the bus").get_by_role("button", name="1 reply").tap()
    expect(sari.thread.get_by_text("Have a good ride")).to_be_visible()
    sari.fits_the_screen()
    sari.thread.get_by_role("button", name=re.compile("Close|Back")).tap()
    expect(sari.composer).to_be_visible()
    sari.page.get_by_role("button", name="Back", exact=True).tap()
    expect(sari.room_list).to_be_visible()
    expect(sari.composer).to_be_hidden()
    sari.page.get_by_role("navigation", name="Main").get_by_role("link", name="Members").tap()
    expect(sari.page.get_by_role("main").get_by_text("Dewi Lestari").first).to_be_visible()


@pytest.mark.parametrize(
    ("name", "size", "scale"),
    [("4k", {"width": 3840, "height": 2160}, 1), ("200 %", {"width": 720, "height": 450}, 2)],
    ids=["4k", "200-percent"],
)
def test_a_room_can_be_used_at(open_browser: Open, name: str, size: dict[str, int], scale: int) -> None:
    """F-UI-03: lines stay readable on 4K; at 200 % everything is still reached."""
    sari = open_browser("sari", viewport=size, device_scale_factor=scale)
    sari.visit(f"rooms/{sari.room_id('umum')}")
    sari.sees("Ulasan bintang lima")
    sari.fits_the_screen()
    widths = sari.log.locator(".bubble").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().width)")
    assert max(widths) <= 700, "lines longer than 65 characters are hard to read"
    expect(sari.composer).to_be_in_viewport(ratio=1)
    sari.composer.fill(f"Written at {name}")
    sari.page.get_by_role("button", name="Send", exact=True).click()
    sari.sees(f"Written at {name}")


def test_the_list_of_rooms_keeps_the_width_it_was_given(open_browser: Open) -> None:
    """F-UI-03: by mouse, remembered in the browser."""
    sari = open_browser("sari", viewport=DESK).visit("rooms")
    sari.is_live()

    def width() -> float:
        box = sari.room_list.bounding_box()
        assert box is not None
        return box["width"]

    handle = sari.page.get_by_role("separator", name="Width of the list of rooms").bounding_box()
    assert handle is not None
    before = width()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + 300
    sari.page.mouse.move(x, y)
    sari.page.mouse.down()
    sari.page.mouse.move(x + 60, y, steps=4)
    sari.page.mouse.up()
    comes_to(width, pytest.approx(before + 60, abs=4))
    sari.page.reload()
    expect(sari.room_list).to_be_visible()
    comes_to(width, pytest.approx(before + 60, abs=4))
