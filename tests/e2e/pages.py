"""The app's main pages, for tests that look at all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import ViewportSize, expect

from tests.e2e.person import Person

DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
SMALL_PHONE: ViewportSize = {"width": 360, "height": 740}


def _press(*keys: str) -> Callable[[Person], None]:
    def act(person: Person) -> None:
        for key in keys:
            person.page.keyboard.press(key)

    return act


def _new(item: str) -> Callable[[Person], None]:
    def act(person: Person) -> None:
        person.page.get_by_role("button", name="New", exact=True).click()
        person.page.get_by_role("menuitem", name=item).click()

    return act


def _talk_menu(person: Person) -> None:
    person.log.get_by_role("article").last.locator(".bubble").click(button="right")


def _thread(person: Person) -> None:
    person.page.get_by_role("button", name="3 replies").click()


def _mention(person: Person) -> None:
    person.composer.fill("")
    person.composer.press_sequentially("@")


def _emoji(person: Person) -> None:
    person.page.get_by_role("button", name="Emoji", exact=True).click()


@dataclass(frozen=True)
class MainPage:
    """`path` is below the workspace or begins with a slash; `room` is a demo room to open; `shows` says when it is there."""

    name: str
    shows: str
    path: str = ""
    room: str = ""
    act: Callable[[Person], None] | None = None
    stranger: bool = False
    phone: bool = True
    console: str = ""  # what the browser says about the page by its nature
    axe_off: tuple[str, ...] = ()


PAGES = (
    MainPage("rooms", "Direct messages", "rooms"),
    MainPage("room", "Ulasan bintang lima", room="umum"),
    MainPage("room-picture", "Curve of batch 214", room="roast-lab"),
    MainPage("direct", "10日から14日までです", room="田中 美咲"),
    MainPage("room-gone", "This room isn’t open to you", f"rooms/{'0' * 8}-0000-7000-8000-{'0' * 12}", console="404"),
    MainPage("thread", "Cupping tomorrow", room="roast-lab", act=_thread),
    MainPage("details", "Notify me about", room="umum", act=lambda one: one.open_details()),
    MainPage("search", "Find anything that was said", room="umum", act=_press("Control+f")),
    # An open menu holds the focus: nothing that is hidden from screen readers behind it can be reached by Tab.
    MainPage("message-menu", "Copy link", room="umum", act=_talk_menu, axe_off=("aria-hidden-focus",)),
    MainPage("mention", "Everyone in this room", room="umum", act=_mention),
    MainPage("emoji", "Smileys", room="umum", act=_emoji, phone=False),
    MainPage("create-room", "A place for one team or one topic.", "rooms", act=_new("Create a room")),
    MainPage("browse-rooms", "Public rooms you are not in yet.", "rooms", act=_new("Browse rooms")),
    MainPage("new-direct", "With up to 8 people.", "rooms", act=_new("New direct message")),
    MainPage("palette", "Browse rooms", "rooms", act=_press("Control+k")),
    MainPage("shortcuts", "Show these shortcuts", "members", act=_press("?"), phone=False),
    MainPage("members", "Dewi Lestari", "members"),
    MainPage("audit", "Audit log", "audit"),
    MainPage("mail", "Outgoing", "admin/mail"),
    MainPage("realtime", "Channels of app", "admin/realtime"),
    MainPage("realtime-tail", "Waiting for events", "admin/realtime?app=1&channel=quiet"),
    MainPage("settings", "Settings", "settings"),
    MainPage("profile", "Others see it beside your messages.", "settings/profile"),
    MainPage("password", "Changing it signs you out", "settings/password"),
    MainPage("sessions", "This browser", "settings/sessions"),
    MainPage("tokens", "For programs that act in your name", "settings/tokens"),
    MainPage("workspace", "Kopi Nusantara", "settings/workspace"),
    MainPage("not-found", "There’s nothing at this address", "nowhere"),
    MainPage("new-workspace", "Create a workspace", "/new-workspace"),
    MainPage("sign-in", "Forgot password?", "/sign-in", stranger=True),
    MainPage("register", "Create your account", "/register", stranger=True),
    MainPage("forgot-password", "Reset your password", "/forgot-password", stranger=True),
    MainPage("reset-password", "Choose a new password", "/reset-password/made-up", stranger=True),
    MainPage("invitation", "no longer valid", "/invitations/made-up", stranger=True, console="404"),
)


def show(person: Person, page: MainPage) -> None:
    """Go there and wait until it stands still."""
    if page.console:
        person.allows(f"status of {page.console}")
    if page.room:
        person.visit(f"rooms/{person.room_id(page.room)}")
    else:
        person.visit(page.path)
    if not page.act:
        expect(person.page.get_by_text(page.shows).filter(visible=True).first).to_be_visible()
    else:
        if page.room:
            expect(person.log.get_by_role("article").first).to_be_visible()
        else:
            person.is_live()
        page.act(person)
        expect(person.page.get_by_text(page.shows).filter(visible=True).first).to_be_visible()
    person.settled()
