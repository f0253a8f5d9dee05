"""By keyboard alone, in three languages, in light and dark. F-UI-01, F-UI-04."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Open
from tests.e2e.waiting import comes_to

Room = Callable[..., str]


def test_a_day_by_keyboard(open_browser: Open, room_of: Room) -> None:
    """Sign in, find a room, write, react, edit, close panes, see the shortcuts."""
    room = room_of("sari", "budi", called="keys only")
    budi = open_browser("budi").enter(room)
    budi.say("Is anybody there?")
    budi.sees("Is anybody there?")
    sari = open_browser(None).visit("/")
    keys = sari.page.keyboard
    expect(sari.page.get_by_label("E-mail")).to_be_focused()
    keys.type("sari@kopi.example")
    keys.press("Tab")
    password = sari.page.get_by_role("textbox", name="Password")
    for _ in range(5):  # past what helps with the address
        if password.evaluate("(one) => one === document.activeElement"):
            break
        keys.press("Tab")
    expect(password).to_be_focused()
    keys.type("kopi-nusantara")
    keys.press("Enter")
    sari.is_live()

    keys.press("Control+k")
    expect(sari.page.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
    keys.type("keys on")
    expect(sari.page.get_by_role("option").first).to_contain_text("keys only")
    keys.press("Enter")
    expect(sari.composer).to_be_focused()
    keys.type("Always")
    keys.press("Enter")
    sari.sees("Is anybody there?", "Always")
    budi.sees("Always")

    keys.press("ArrowUp")
    expect(sari.page.get_by_text("Editing your message")).to_be_visible()
    expect(sari.composer).to_have_value("Always")
    expect(sari.composer).to_be_focused()
    keys.press("End")
    keys.type(", Budi")
    keys.press("Enter")
    budi.sees("Always, Budi")
    sari.sees("Always, Budi")
    expect(sari.composer).to_be_focused()

    keys.press("Shift+Tab")
    keys.press("Shift+Tab")
    expect(sari.message("Always, Budi")).to_be_focused()
    keys.press("ArrowUp")
    expect(sari.message("Is anybody there?")).to_be_focused()
    keys.press("r")
    expect(sari.page.get_by_role("toolbar", name="React").get_by_role("button").first).to_be_focused()
    keys.press("ArrowRight")
    keys.press("ArrowLeft")
    keys.press("Enter")
    expect(
        budi.message("Is anybody there?").get_by_role("button", name=re.compile("from Sari Wulandari"))
    ).to_be_visible()

    expect(sari.message("Is anybody there?")).to_be_focused()
    keys.press("t")
    expect(sari.thread.get_by_role("textbox")).to_be_focused()
    keys.type("In a thread")
    keys.press("Enter")
    expect(sari.thread.get_by_role("article").filter(has_text="In a thread")).to_be_visible()
    keys.press("Escape")
    expect(sari.thread).to_have_count(0)
    expect(sari.composer).to_be_focused()
    keys.press("Control+f")
    search = sari.page.get_by_role("region", name="Search messages")
    expect(search.get_by_role("textbox")).to_be_focused()
    keys.press("Escape")
    expect(search).to_have_count(0)
    expect(sari.composer).to_be_focused()

    keys.press("Shift+Tab")
    keys.press("Shift+Tab")
    expect(sari.message("Is anybody there?")).to_be_focused()
    keys.press("?")
    sheet = sari.page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet.get_by_text("Search messages")).to_be_visible()
    keys.press("Escape")
    expect(sheet).to_have_count(0)
    expect(sari.message("Is anybody there?")).to_be_focused()
    keys.type("gm")
    expect(sari.page).to_have_url(re.compile("/members$"))


def test_rooms_are_walked_with_arrows(open_browser: Open) -> None:
    """F-UI-04: in the list, and from room to room while writing."""
    sari = open_browser("sari").visit("rooms")
    sari.is_live()
    links = sari.room_list.get_by_role("link")
    expect(links.first).to_be_visible()
    sari.page.get_by_role("searchbox", name="Find a room or person").focus()
    sari.page.keyboard.press("ArrowDown")
    expect(links.first).to_be_focused()
    sari.page.keyboard.press("ArrowDown")
    expect(links.nth(1)).to_be_focused()
    sari.page.keyboard.press("Enter")
    expect(links.nth(1)).to_have_attribute("aria-current", "page")
    expect(sari.composer).to_be_focused()
    sari.page.keyboard.press("Alt+ArrowUp")
    expect(links.first).to_have_attribute("aria-current", "page")


def test_a_dialog_takes_the_focus_and_gives_it_back(open_browser: Open) -> None:
    """F-UI-04."""
    sari = open_browser("sari").visit("members")
    sari.is_live()
    opener = sari.page.get_by_role("button", name=re.compile("Invite")).first
    opener.focus()
    sari.page.keyboard.press("Enter")
    dialog = sari.page.get_by_role("dialog")
    expect(dialog.locator(":focus")).to_have_count(1)
    for _ in range(12):
        sari.page.keyboard.press("Tab")
        expect(dialog.locator(":focus"), "Tab must not leave the dialog").to_have_count(1)
    sari.page.keyboard.press("Escape")
    expect(opener).to_be_focused()


LANGUAGES = [("id", "Bahasa Indonesia", "Ruang"), ("ja", "日本語", "ルーム"), ("en", "English", "Rooms")]


def test_a_language_is_switched_at_once_and_kept_with_the_account(open_browser: Open) -> None:
    """F-UI-01: no reload; `<html lang>` follows; the next browser starts in it."""
    dewi = open_browser("dewi").visit("rooms")
    dewi.is_live()
    dewi.page.evaluate("() => (window.sameePage = true)")
    before = "Language"
    for code, name, title in LANGUAGES:
        dewi.page.get_by_role("button", name=before, exact=True).click()
        dewi.page.get_by_role("menuitemcheckbox", name=name).click()
        expect(dewi.page.locator("html")).to_have_attribute("lang", code)
        expect(dewi.page.get_by_role("heading", level=1)).to_have_text(re.compile(title))
        before = {"id": "Bahasa", "ja": "言語", "en": "Language"}[code]
        assert dewi.page.evaluate("() => window.sameePage"), "the page was loaded again"
        comes_to(lambda: dewi.api.call("GET", "/auth/user")["user"]["locale"], code)
        elsewhere = open_browser("dewi").visit("rooms")
        expect(elsewhere.page.locator("html")).to_have_attribute("lang", code)
        expect(elsewhere.page.get_by_role("heading", level=1)).to_have_text(re.compile(title))


@pytest.mark.parametrize(
    ("wished", "greeting"), [("ja-JP", "ログイン|サインイン"), ("id-ID", "Masuk"), ("fr-FR", "Sign in")]
)
def test_a_stranger_is_greeted_in_the_language_of_the_browser(open_browser: Open, wished: str, greeting: str) -> None:
    """F-UI-01: English where we do not speak it."""
    stranger = open_browser(None, locale=wished).visit("/")
    expect(stranger.page.get_by_role("heading", level=1)).to_have_text(re.compile(greeting))


def test_light_and_dark_are_switched_at_once_and_kept_with_the_account(open_browser: Open) -> None:
    """F-UI-04: as the system says until one chooses."""
    andi = open_browser("andi", color_scheme="dark").visit("rooms")
    andi.is_live()
    page = andi.page.locator("html")
    ground = andi.page.locator("body")
    dark = ground.evaluate("(body) => getComputedStyle(body).backgroundColor")
    andi.page.emulate_media(color_scheme="light")
    expect(ground).not_to_have_css("background-color", dark)
    andi.page.get_by_role("button", name="Theme", exact=True).click()
    andi.page.get_by_role("menuitemcheckbox", name="Dark").click()
    expect(page).to_have_css("color-scheme", "dark")
    expect(ground).to_have_css("background-color", dark)
    comes_to(lambda: andi.api.call("GET", "/auth/user")["user"]["theme"], "dark")
    elsewhere = open_browser("andi", color_scheme="light").visit("rooms")
    elsewhere.is_live()
    expect(elsewhere.page.locator("body")).to_have_css("background-color", dark)
