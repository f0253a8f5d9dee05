"""The console of the real-time server: for operators of Kanal, and by itself with a token. F-RT-11."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from kanal.realtime.apps import App
from tests.e2e.api import Api
from tests.e2e.conftest import Open
from tests.e2e.pages import DESK, PHONE
from tests.e2e.person import NO_NETWORK, Person, refused
from tests.e2e.test_screens import axe, violations  # noqa: F401 - a fixture
from tests.e2e.waiting import comes_to
from tests.realtime.api.caller import sign
from tests.support.kanal_process import KanalProcess

TOKEN = "open-sesame-for-tests"
SHOP = App(id="77", key="shop-key", secret="shop-secret")
Room = Callable[..., str]


def tile(page: Page, name: str) -> Locator:
    """The figure under this name."""
    return (
        page.locator("dl > div").filter(has=page.locator("dt", has_text=re.compile(f"^{name}$"))).locator("dd p").first
    )


def events(page: Page) -> Locator:
    return page.get_by_role("list", name="Events").get_by_role("listitem")


# For operators of Kanal


def test_sockets_are_counted_as_people_come_and_go(open_browser: Open) -> None:
    sari = open_browser("sari").visit("admin/realtime")
    sari.is_live()
    expect(tile(sari.page, "Connections")).to_have_text("1")
    budi = open_browser("budi").visit("rooms")
    budi.is_live()
    expect(tile(sari.page, "Connections")).to_have_text("2")
    budi.page.close()
    expect(tile(sari.page, "Connections")).to_have_text("1")


def test_an_operator_follows_a_room_and_the_workspace_is_told(open_browser: Open, room_of: Room) -> None:
    room = room_of("sari", "budi", called="followed")
    sari = open_browser("sari", permissions=["clipboard-read", "clipboard-write"]).visit("admin/realtime")
    budi = open_browser("budi").enter(room)
    channel = f"presence-chat.{room}"
    page = sari.page
    page.get_by_role("searchbox").or_(page.get_by_role("textbox", name="Search channels")).fill(room[-12:])
    page.get_by_role("button", name=channel).click()
    pane = page.get_by_role("region", name=f"Events of {channel}")
    expect(pane).to_contain_text("Live")
    expect(pane).to_contain_text("Written to the audit log")
    budi.say("Kopi sudah siap ☕")
    event = events(page).filter(has_text="message.sent")
    expect(event).to_have_count(1)

    # In full, and into the clipboard.
    event.get_by_role("button", expanded=False).click()
    expect(event.locator("pre")).to_contain_text(re.compile(r'"body": "Kopi sudah siap ☕"'))
    event.hover()
    event.get_by_role("button", name="Copy this event").click()
    comes_to(lambda: json.loads(page.evaluate("navigator.clipboard.readText()") or "{}").get("event"), "message.sent")

    # Held back, filtered, cleared.
    page.keyboard.press("p")
    budi.say("Nobody sees this yet")
    expect(pane).to_contain_text(re.compile(r"Paused, [1-9]\d* waiting"))
    expect(events(page).filter(has_text="Nobody sees this yet")).to_have_count(0)
    page.keyboard.press("p")
    expect(events(page).filter(has_text="Nobody sees this yet")).to_have_count(1)
    pane.get_by_label("Filter events").fill("sudah SIAP")
    expect(events(page)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(pane.get_by_label("Filter events")).to_have_value("")
    pane.get_by_role("button", name="Clear", exact=True).click()
    expect(pane).to_contain_text("Waiting for events")
    page.keyboard.press("Escape")
    expect(pane).to_be_hidden()

    sari.visit("audit")
    line = page.get_by_role("main").get_by_text("watched the events of a real-time channel").first
    expect(line).to_be_visible()


def test_a_link_to_a_channel_opens_it(open_browser: Open) -> None:
    sari = open_browser("sari").visit("admin/realtime?app=1&channel=some-channel")
    expect(sari.page.get_by_role("region", name="Events of some-channel")).to_contain_text("Waiting for events")
    sari.page.get_by_role("button", name="Close", exact=True).click()
    expect(sari.page).not_to_have_url(re.compile("some-channel"))


def test_the_page_is_not_for_others(open_browser: Open) -> None:
    budi = open_browser("budi").visit("admin/realtime")
    expect(budi.page.get_by_text("This page isn’t open to you")).to_be_visible()
    expect(budi.page.get_by_role("navigation", name="Main").get_by_role("link", name="Real-time")).to_have_count(0)


# By itself


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[KanalProcess]:
    """`kanal realtime` with one app and a console."""
    settings: dict[str, Any] = {
        "KANAL_REALTIME_APP_ID": SHOP.id,
        "KANAL_REALTIME_APP_KEY": SHOP.key,
        "KANAL_REALTIME_APP_SECRET": SHOP.secret,
        "KANAL_REALTIME_CONSOLE_TOKEN": TOKEN,
        "KANAL_SECRET_KEYS": "",
    }
    with KanalProcess(tmp_path / "shop", "realtime", **settings) as process:
        yield process


@pytest.fixture
def visitor(browser: Browser, shop: KanalProcess) -> Iterator[Callable[..., Person]]:
    """Somebody before the page; what its console reports fails the test."""
    made: list[Person] = []

    def open_(**options: Any) -> Person:
        context = browser.new_context(**{"locale": "en-US", "viewport": DESK, **options})
        made.append(Person(context, shop.url, None))
        return made[-1].visit("/console")

    yield open_
    problems = [problem for person in made for problem in person.problems]
    for person in made:
        person.context.close()
    assert problems == []


def _sign_in(person: Person) -> Page:
    person.page.get_by_label("Console token").fill(TOKEN)
    person.page.get_by_role("button", name="Sign in").click()
    expect(person.page.get_by_role("heading", name="Nodes")).to_be_visible()
    return person.page


def _publish(shop: KanalProcess, channel: str, name: str, data: str) -> None:
    body = json.dumps({"name": name, "channel": channel, "data": data}).encode()
    path = f"/apps/{SHOP.id}/events"
    address = f"{shop.url}{path}?{sign('POST', path, body, SHOP)}"
    httpx.post(address, content=body, headers={"content-type": "application/json"}, trust_env=False).raise_for_status()


def test_the_token_opens_it_and_signing_out_closes_it(visitor: Callable[..., Person]) -> None:
    person = visitor()
    person.allows(refused(422))
    person.page.get_by_label("Console token").fill("guess")
    person.page.keyboard.press("Enter")
    expect(person.page.get_by_text("This is not the console token of this server.")).to_be_visible()
    page = _sign_in(person)
    expect(tile(page, "Connections")).to_have_text("0")
    page.reload()
    expect(page.get_by_role("heading", name="Nodes")).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    assert TOKEN not in page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Console token")).to_be_visible()


def test_calls_are_counted_and_a_channel_without_subscribers_is_followed(
    visitor: Callable[..., Person], shop: KanalProcess
) -> None:
    page = _sign_in(visitor())
    expect(page.get_by_text("Nobody has connected yet")).to_be_visible()
    _publish(shop, "orders", "created", '{"id":1}')
    expect(page.get_by_role("heading", name=f"Channels of app {SHOP.id}")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("orders")
    page.get_by_role("button", name="Follow “orders”").click()
    expect(page.get_by_role("region", name="Events of orders")).to_contain_text("Live")
    _publish(shop, "orders", "created", '{"id":2,"note":"日本語"}')
    expect(events(page)).to_have_count(1)
    expect(events(page)).to_contain_text('{"id":2,"note":"日本語"}')


def test_when_the_server_is_away_the_page_says_so_and_goes_on_by_itself(
    visitor: Callable[..., Person], shop: KanalProcess
) -> None:
    person = visitor()
    page = _sign_in(person)
    person.allows(NO_NETWORK)
    shop.kill()
    expect(page.get_by_text(re.compile(r"No answer for \d+ s"))).to_be_visible()
    expect(page.get_by_role("heading", name="Nodes")).to_be_visible()
    shop.start()
    expect(page.get_by_text(re.compile(r"No answer for \d+ s"))).to_be_hidden()


def test_axe_finds_nothing_serious_on_it(visitor: Callable[..., Person], shop: KanalProcess, axe: str) -> None:  # noqa: F811
    """F-UI-04: sign-in, overview and tail, light and dark."""
    person = visitor(bypass_csp=True, reduced_motion="reduce")
    found = _both_themes(person, axe)
    _publish(shop, "orders", "created", '{"id":1}')
    _sign_in(person)
    person.visit(f"/console?app={SHOP.id}&channel=orders")
    expect(person.page.get_by_role("region", name="Events of orders")).to_contain_text("Live")
    _publish(shop, "orders", "created", '{"id":2,"on":true}')
    events(person.page).get_by_role("button", expanded=False).first.click()
    assert found + _both_themes(person, axe) == []


def _both_themes(person: Person, source: str) -> list[str]:
    found = []
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        person.page.emulate_media(color_scheme=scheme)
        person.settled()
        found += [f"{scheme} {one}" for one in violations(person, source, ())]
    return found


def test_on_a_phone_it_fits_and_the_tail_lies_on_top(visitor: Callable[..., Person], shop: KanalProcess) -> None:
    person = visitor(viewport=PHONE, has_touch=True, is_mobile=True)
    person.fits_the_screen()
    _publish(shop, "orders", "created", "{}")
    page = _sign_in(person)
    person.fits_the_screen()
    page.get_by_label("Search channels").fill("a-channel-with-a-name-that-is-far-too-long-for-any-phone-there-is")
    page.get_by_role("button", name="Follow").tap()
    expect(page.get_by_role("heading", name="Nodes")).to_be_hidden()
    person.fits_the_screen()
    page.get_by_role("button", name="Back", exact=True).tap()
    expect(page.get_by_role("heading", name="Nodes")).to_be_visible()


def test_without_a_token_there_is_no_console(server: KanalProcess, accounts: Callable[[str], Api]) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as stranger:
        assert stranger.get("/console/api/state").status_code == 404
        assert stranger.get("/console.html").status_code == 404
