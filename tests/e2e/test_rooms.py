"""Rooms come, go, and hold what was said. F-RO-01, 02, 03, F-UI-03."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.api import Api
from tests.e2e.conftest import Open
from tests.e2e.waiting import comes_to

Room = Callable[..., str]
LINES = 500

# A turn of the wheel is played over several frames.
STANDS_STILL = """async () => {
    const log = document.querySelector('[role=log]')
    const before = [log.scrollTop, log.scrollHeight]
    for (let frame = 0; frame < 15; frame++) await new Promise(requestAnimationFrame)
    return before[0] === log.scrollTop && before[1] === log.scrollHeight
}"""
FROM_END = "(log) => Math.round(log.scrollHeight - log.clientHeight - log.scrollTop)"
FIRST_IN_SIGHT = """(log) => [...log.querySelectorAll('[role=article]')]
    .find((one) => one.getBoundingClientRect().top > log.getBoundingClientRect().top)"""


def test_a_room_is_created_and_people_in_it_see_it_at_once(open_browser: Open) -> None:
    """F-RO-01: with a topic and a first member chosen by keyboard."""
    sari, james = open_browser("sari").visit("rooms"), open_browser("james").visit("rooms")
    for person in (sari, james):
        person.is_live()
    sari.page.get_by_role("button", name="New", exact=True).click()
    sari.page.get_by_role("menuitem", name="Create a room").click()
    form = sari.page.get_by_role("dialog", name="Create a room")
    form.get_by_role("textbox", name="Name").fill("pop-up Shibuya")
    form.get_by_role("textbox", name="Topic").fill("Our first stand in Tokyo")
    form.get_by_label("Find people by name or e-mail").fill("james")
    expect(form.get_by_role("option")).to_contain_text(["James Carter"])
    expect(form.get_by_role("option")).to_have_count(1)
    form.get_by_label("Find people by name or e-mail").press("Enter")
    expect(form.get_by_role("button", name="James Carter")).to_be_visible()
    form.get_by_role("button", name="Create room").click()
    expect(sari.page.get_by_role("heading", name=re.compile("pop-up Shibuya")).first).to_be_visible()
    expect(james.room_link("pop-up Shibuya")).to_be_visible()
    james.open_room("pop-up Shibuya")
    expect(james.page.get_by_text("Our first stand in Tokyo").first).to_be_visible()


def test_a_member_is_added_and_removed_and_sees_it_at_once(open_browser: Open, room_of: Room) -> None:
    """F-RO-01: who is removed while looking at the room is told so."""
    room = room_of("sari", called="small circle")
    dewi = open_browser("dewi").visit("rooms")
    dewi.is_live()
    sari = open_browser("sari").enter(room)
    sari.page.get_by_role("button", name="Details", exact=True).click()
    details = sari.page.get_by_role("region", name="Details")
    details.get_by_role("button", name="Add people").click()
    form = sari.page.get_by_role("dialog", name="Add people")
    form.get_by_role("option", name=re.compile("Dewi Lestari")).click()
    form.get_by_role("button", name="Add 1 person").click()
    expect(dewi.room_link("small circle")).to_be_visible()
    dewi.open_room("small circle")
    dewi.say("Thanks for having me")
    sari.sees("Thanks for having me")
    expect(details.get_by_text("2 members")).to_be_visible()
    details.get_by_role("button", name="Remove Dewi Lestari from the room").click()
    expect(dewi.room_link("small circle")).to_have_count(0)
    expect(dewi.composer).to_have_count(0)
    expect(dewi.page.get_by_role("button", name="Join")).to_be_visible()


def test_who_owns_the_room_now_is_seen_by_those_who_look_at_its_members(
    open_browser: Open, room_of: Room, accounts: Callable[[str], Api]
) -> None:
    room = room_of("budi", "james", "sari", called="handed over")
    sari = open_browser("sari").enter(room)
    sari.open_details()
    members = sari.page.get_by_role("region", name="Details").get_by_role("listitem")
    expect(members.filter(has_text="Room owner")).to_contain_text("Budi")
    accounts("budi").call("POST", f"chat/rooms/{room}/leave")
    expect(members.filter(has_text="Room owner")).to_have_count(1)
    expect(members.filter(has_text="Room owner")).not_to_contain_text("Budi")


def test_a_public_room_is_found_joined_and_left(open_browser: Open, room_of: Room) -> None:
    """F-RO-01: browse, join, leave; the others read about it."""
    room = room_of("sari", called="latte-art")
    room_of("sari", called="lattes private")
    sari = open_browser("sari").enter(room)
    james = open_browser("james").visit("rooms")
    james.is_live()
    james.page.get_by_role("button", name="New", exact=True).click()
    james.page.get_by_role("menuitem", name="Browse rooms").click()
    dialog = james.page.get_by_role("dialog", name="Browse rooms")
    dialog.get_by_label("Find a public room").fill("latte-a")
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    dialog.get_by_role("button", name="Join latte-art").click()
    expect(james.page.get_by_role("log", name="Messages in latte-art")).to_be_visible()
    expect(sari.page.get_by_text("James Carter joined")).to_be_visible()
    james.page.get_by_role("button", name="Details", exact=True).click()
    james.page.get_by_role("button", name="Leave room").click()
    expect(james.room_link("latte-art")).to_have_count(0)
    expect(sari.page.get_by_text("James Carter left")).to_be_visible()


def test_a_direct_message_reaches_somebody_who_never_wrote_before(open_browser: Open) -> None:
    """F-RO-01: from the menu; the conversation appears at the other's."""
    andi, james = open_browser("andi").visit("rooms"), open_browser("james").visit("rooms")
    for person in (andi, james):
        person.is_live()
    andi.page.get_by_role("button", name="New direct message").first.click()
    form = andi.page.get_by_role("dialog", name="New direct message")
    form.get_by_label("Find people by name or e-mail").press_sequentially("carter")
    expect(form.get_by_role("option")).to_have_count(1)
    form.get_by_label("Find people by name or e-mail").press("Enter")
    form.get_by_role("button", name="Start conversation").click()
    expect(andi.page.get_by_role("log", name="Messages in James Carter")).to_be_visible()
    andi.say("Hello James, this is Andi")
    expect(james.room_link("Andi Pratama").get_by_label("1 unread message")).to_be_visible()
    james.open_room("Andi Pratama")
    james.sees("Hello James, this is Andi")
    expect(andi.message("Hello James").get_by_role("img", name="Read", exact=True)).to_be_visible()


def test_a_viewer_reads_and_is_told_why_nothing_can_be_written(open_browser: Open) -> None:
    """F-AC-03: in the page as on the server."""
    kenji = open_browser("kenji").visit("rooms")
    kenji.is_live()
    kenji.open_room("東京チーム")
    kenji.sees("次回の入荷は金曜日で合っていますか？")
    expect(kenji.page.get_by_text("You can read here. Ask an admin to let you write.")).to_be_visible()
    expect(kenji.composer).to_have_count(0)
    kenji.message("次回の入荷").hover()
    expect(kenji.message("次回の入荷").get_by_role("button", name="React", exact=True)).to_have_count(0)
    assert kenji.api.status("POST", f"chat/rooms/{kenji.api.room('東京チーム')['id']}/read") != 500


def test_a_private_room_does_not_exist_for_others(open_browser: Open, accounts: Callable[[str], Api]) -> None:
    """F-RO-01: also by its address."""
    secret = accounts("sari").room("manajemen")["id"]
    james = open_browser("james")
    james.allows("status of 404")
    james.visit(f"rooms/{secret}")
    expect(james.page.get_by_text("This room isn’t open to you")).to_be_visible()


def test_a_draft_survives_other_rooms_and_a_reload(open_browser: Open, room_of: Room) -> None:
    """F-RO-02: and the list says where it waits."""
    room, other = room_of("sari", called="drafted"), room_of("sari", called="elsewhere")
    sari = open_browser("sari").enter(room)
    sari.composer.fill("Half a thought")
    sari.open_room("elsewhere")
    expect(sari.composer).to_have_value("")
    expect(sari.room_link("drafted")).to_contain_text("Draft: Half a thought")
    sari.open_room("drafted")
    expect(sari.composer).to_have_value("Half a thought")
    sari.page.reload()
    expect(sari.composer).to_have_value("Half a thought")
    sari.composer.press("Enter")
    sari.sees("Half a thought")
    assert sari.api.bodies(other) == []


# --- what was said ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_room(accounts: Callable[[str], Api]) -> str:
    """A room with 500 messages that nobody has read."""
    budi = accounts("budi")
    room = budi.create_room("long", accounts("sari"), accounts("james"))
    for number in range(1, LINES + 1):
        budi.say(room, f"Line {number} of {LINES}" + "\nwith a second line" * (number % 3))
    return room


def test_older_messages_load_while_scrolling_up_and_nothing_jumps(open_browser: Open, long_room: str) -> None:
    """F-RO-02, F-UI-03: to the very first, which says where the room begins."""
    james = open_browser("james")
    james.api.call("POST", f"chat/rooms/{long_room}/read", {"sequence": LINES + 50})
    james.enter(long_room)
    james.sees(f"Line {LINES} of {LINES}")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    james.page.route(re.compile(r"/messages\?.*before="), hold)
    james.scroll_until(james.page.get_by_label("Loading older messages"), -400)
    comes_to(lambda: len(held), 1, page=james.page)
    comes_to(lambda: james.page.evaluate(STANDS_STILL), wanted=True)
    read = james.log.evaluate_handle(FIRST_IN_SIGHT).as_element()
    assert read is not None
    before, height = read.bounding_box(), james.log.evaluate("(log) => log.scrollHeight")
    held.pop().continue_()
    james.page.unroute(re.compile(r"/messages\?.*before="))
    expect(james.page.get_by_label("Loading older messages")).to_have_count(0)
    james.page.wait_for_function("(before) => document.querySelector('[role=log]').scrollHeight > before", arg=height)
    comes_to(lambda: james.page.evaluate(STANDS_STILL), wanted=True)
    after = read.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) <= 2, "what one reads must stay in its place"
    james.scroll_until(james.message(f"Line 1 of {LINES}"), -4000)
    james.scroll_until(james.page.get_by_text("This is where it begins."), -4000)


@pytest.mark.parametrize("width", [1100, 1280, 1440])
def test_a_thread_that_opens_beside_the_messages_leaves_them_at_their_end(
    open_browser: Open, room_of: Room, width: int
) -> None:
    """They get narrower and so higher, whether a click or a key opens it."""
    room = room_of("sari", called=f"narrowed {width}")
    sari = open_browser("sari", viewport={"width": width, "height": 800})
    long = "as long as the pane is wide and then some more of it, "
    said = [sari.api.say(room, f"Line {number}: " + long * (number % 4)) for number in range(40)]
    sari.api.say(room, "beside it", parent_id=said[-1]["id"])
    sari.enter(room)

    def stands_at_the_end() -> bool:
        return bool(sari.page.evaluate(STANDS_STILL)) and sari.log.evaluate(FROM_END) <= 1

    def click() -> None:
        sari.message("Line 39").get_by_role("button", name="1 reply").click()

    def press() -> None:
        sari.message("Line 39").press("t")

    for open_thread in (click, press):
        comes_to(stands_at_the_end, wanted=True)
        open_thread()
        expect(sari.thread.get_by_text("beside it")).to_be_visible()
        comes_to(lambda: sari.page.evaluate(STANDS_STILL), wanted=True)
        assert sari.log.evaluate(FROM_END) <= 1
        sari.thread.get_by_role("button", name=re.compile("Close|Back")).click()
        expect(sari.thread).to_have_count(0)


def test_what_comes_while_reading_above_is_counted_and_one_click_away(open_browser: Open, long_room: str) -> None:
    """F-RO-02: jump to newest."""
    sari, budi = open_browser("sari"), open_browser("budi")
    sari.api.call("POST", f"chat/rooms/{long_room}/read", {"sequence": LINES + 50})
    sari.enter(long_room)
    sari.sees(f"Line {LINES} of {LINES}")
    sari.scroll_until(sari.message(f"Line {LINES - 60} of"), -800)
    budi.enter(long_room)
    budi.say("Are you still reading?")
    jump = sari.page.get_by_role("button", name="Jump to newest, 1 unread")
    expect(jump).to_be_visible()
    expect(sari.message("Are you still reading?")).not_to_be_in_viewport()
    jump.click()
    expect(sari.message("Are you still reading?")).to_be_in_viewport()
    expect(sari.page.get_by_role("button", name=re.compile("Jump to newest"))).to_have_count(0)


def test_days_are_set_apart(open_browser: Open) -> None:
    """F-RO-02: the demo's talk is spread over four days."""
    sari = open_browser("sari").visit("rooms")
    sari.is_live()
    sari.open_room("umum")
    sari.sees("Ulasan bintang lima")
    sari.scroll_until(sari.message("Selamat pagi semuanya"), -600)
    before_today = "Yesterday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
    expect(sari.log.locator("time").filter(has_text=re.compile(before_today))).not_to_have_count(0)


@pytest.mark.parametrize("words", ["東京", "ok", "TORAJA", "駅で", "crème"])
def test_search_finds_what_was_said_by_any_word_of_it(open_browser: Open, room_of: Room, words: str) -> None:
    """F-RO-02: Japanese without spaces, words of two letters, any case, accents; a click leads there."""
    room = room_of("sari", "budi", called=f"search {words}")
    sari = open_browser("sari")
    sari.api.say(room, "ok, 東京駅で会いましょう。Toraja and crème brûlée for all")
    for number in range(60):
        sari.api.say(room, f"Filler {number}")
    sari.enter(room)
    sari.page.keyboard.press("Control+f")
    pane = sari.page.get_by_role("region", name="Search messages")
    pane.get_by_role("textbox").fill(words)
    found = pane.get_by_role("button").filter(has=sari.page.locator("mark"))
    expect(found).to_have_count(1)
    found.click()
    expect(sari.message("会いましょう")).to_be_in_viewport()
