"""Somebody in front of a browser: what they see and what they do with it."""

from __future__ import annotations

import re
import time
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, WebError, expect

from tests.e2e.api import PASSWORD, Api
from tests.e2e.waiting import LIMIT

# What the browser itself says when a request does not get through or is refused; tests that provoke it allow it.
NO_NETWORK = r"net::ERR_(INTERNET_DISCONNECTED|CONNECTION_REFUSED|CONNECTION_RESET|FAILED|SOCKET_NOT_CONNECTED|EMPTY_RESPONSE|NETWORK_CHANGED|ABORTED)|WebSocket connection to .* failed"

FITTING = """() => {
    const seen = [...document.querySelectorAll('body *')].filter((one) => one.checkVisibility())
    const shown = (list) => list.map((one) => one.outerHTML.slice(0, 160)).slice(0, 5)
    const style = (one) => getComputedStyle(one)
    const scrolls = (one) => /auto|scroll/.test(style(one).overflowX)
    const cuts = (one) => one.localName === 'pre' || style(one).textOverflow === 'ellipsis' || style(one).webkitLineClamp !== 'none'
    const isCut = (one) => {
        for (let up = one; up; up = up.parentElement) if (cuts(up) || scrolls(up)) return true
        return false
    }
    const reaches = (one) => one.getBoundingClientRect().right > innerWidth + 1
    return {
        page: document.scrollingElement.scrollWidth,
        screen: innerWidth,
        wide: shown(seen.filter((one) => reaches(one) && !isCut(one) && !one.closest('.sr-only'))),
        sideways: shown(seen.filter((one) => scrolls(one) && one.localName !== 'pre' && one.scrollWidth > one.clientWidth + 1)),
    }
}"""


def refused(status: int) -> str:
    """The browser's line about an answer with this status."""
    return rf"the server responded with a status of {status}"


class Person:
    """One person with one browser. What goes wrong in its console is kept in `problems`."""

    def __init__(self, context: BrowserContext, url: str, api: Api | None) -> None:
        self.context = context
        self.url = url
        self._api = api
        self.problems: list[str] = []
        self._allowed: list[re.Pattern[str]] = []
        context.on("console", self._console)
        context.on("weberror", self._error)
        self.page: Page = context.new_page()

    @property
    def api(self) -> Api:
        """The same account, in a session of its own."""
        assert self._api is not None, "a stranger has no account"
        return self._api

    def allows(self, *patterns: str) -> None:
        """From here on these lines in the console belong to what the test does."""
        self._allowed += [re.compile(pattern) for pattern in patterns]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(pattern.search(message.text) for pattern in self._allowed):
            where = message.location
            self.problems.append(f"console: {message.text} ({where['url']}:{where['lineNumber']})")

    def _error(self, error: WebError) -> None:
        self.problems.append(f"page: {error.error.stack or error.error.message}")

    # --- going places -----------------------------------------------------------------------------------------------

    def sign_in(self) -> Person:
        """As the sign-in page does, without showing it."""
        answer = self.context.request.post(
            f"{self.url}/api/v1/auth/login", data={"email": self.email, "password": PASSWORD}
        )
        assert answer.ok, answer.text()
        return self

    @property
    def email(self) -> str:
        return str(self.api.call("GET", "/auth/user")["user"]["email"])

    def visit(self, path: str) -> Person:
        """A page below the workspace, or of the site when it begins with a slash."""
        where = path if path.startswith("/") else f"/w/{self.api.workspace['slug']}/{path}"
        self.page.goto(self.url + where)
        return self

    def enter(self, room_id: str) -> Person:
        """Open a room by its address; returns when it is live."""
        self.visit(f"rooms/{room_id}")
        self.is_live()
        expect(self.log).to_be_visible()
        return self

    def open_room(self, name: str) -> None:
        """From the list of rooms."""
        self.room_link(name).click()
        expect(self.page.get_by_role("log", name=f"Messages in {name}")).to_be_visible()

    def is_live(self, *, within: float = LIMIT) -> None:
        """The socket is open and says so."""
        expect(self.page.get_by_test_id("connection").first).to_have_attribute(
            "data-state", "live", timeout=within * 1000
        )

    # --- seeing -----------------------------------------------------------------------------------------------------

    @property
    def room_list(self) -> Locator:
        return self.page.get_by_role("region", name="Rooms", exact=True)

    def room_link(self, name: str) -> Locator:
        """A room's line in the list."""
        return self.room_list.get_by_role("link").filter(has=self.page.get_by_text(name, exact=True))

    @property
    def log(self) -> Locator:
        """The messages of the open room."""
        return self.page.get_by_role("log").first

    @property
    def thread(self) -> Locator:
        return self.page.get_by_role("region", name="Thread", exact=True)

    @property
    def composer(self) -> Locator:
        return self.page.get_by_role("textbox", name=re.compile("^Message( |$)")).first

    def message(self, text: str) -> Locator:
        """A message that the server knows, with its reactions and what hangs on it."""
        return self.log.get_by_role("article").filter(has_text=text)

    def line(self, text: str) -> Locator:
        """A message, also one that still waits to be sent."""
        return self.log.locator("[data-message]").filter(has_text=text)

    def sees(self, *texts: str, within: float = LIMIT) -> None:
        """Each of these messages once, in this order."""
        for text in texts:
            expect(self.message(text)).to_have_count(1, timeout=within * 1000)
        expect(self.log.get_by_role("article")).to_contain_text(texts)

    # --- doing ------------------------------------------------------------------------------------------------------

    def scroll_until(self, wanted: Locator, by: int, *, within: float = 2 * LIMIT) -> None:
        """Turn the wheel over the messages as a person does, a frame at a time, until it shows."""
        self.log.hover()
        until = time.monotonic() + within
        while not wanted.count() and time.monotonic() < until:
            self.page.mouse.wheel(0, by)
            self.page.evaluate("() => new Promise(requestAnimationFrame)")
        expect(wanted).to_be_visible()

    def say(self, text: str) -> None:
        """Type and send; it may still wait for the network."""
        self.composer.fill(text)
        self.composer.press("Enter")
        expect(self.composer).to_have_value("")

    def choose(self, message: str, action: str) -> None:
        """From a message's menu."""
        self.message(message).locator(".bubble").click(button="right")
        self.page.get_by_role("menuitem", name=action).click()

    def react(self, message: str, emoji: str) -> None:
        self.message(message).hover()
        self.message(message).get_by_role("button", name="React", exact=True).click()
        self.page.get_by_role("button", name=f"React with {emoji}").click()

    def open_details(self) -> None:
        self.page.get_by_role("button", name="Details", exact=True).click()

    def room_id(self, name: str) -> str:
        """A room's id by its name, or by the name of the other one in a direct conversation."""
        members = {one["name"]: one["user_id"] for one in self.api.call("GET", "members")["items"]}
        rooms = self.api.call("GET", "chat/rooms")["items"]
        found = [one for one in rooms if one["name"] == name]
        direct = [one for one in rooms if one["kind"] == "direct" and members.get(name) in one["member_ids"]]
        found += sorted(direct, key=lambda one: len(one["member_ids"]))
        return str(found[0]["id"])

    def settled(self) -> None:
        """Pictures are there, fonts are there, nothing moves any more."""
        self.page.evaluate(
            """async () => {
                await document.fonts.ready
                await Promise.all([...document.images].map((one) => one.decode().catch(() => undefined)))
                await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
                const finite = document.getAnimations().filter((one) => one.effect.getComputedTiming().iterations !== Infinity)
                await Promise.all(finite.map((one) => one.finished.catch(() => undefined)))
            }"""
        )

    def fits_the_screen(self) -> None:
        """Nothing is wider than the screen, nothing but code is scrolled sideways; cut names end in an ellipsis."""
        self.settled()
        sizes: dict[str, Any] = self.page.evaluate(FITTING)
        assert sizes["page"] <= sizes["screen"], f"{self.page.url} is wider than the screen: {sizes}"
        assert sizes["wide"] == [], f"{self.page.url} reaches beyond the screen: {sizes}"
        assert sizes["sideways"] == [], f"{self.page.url} can be scrolled sideways: {sizes}"
