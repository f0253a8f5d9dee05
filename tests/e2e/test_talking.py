"""Two people talk. F-RO-01, 02, 03, F-UI-02, 03."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import FilePayload, expect

from tests.e2e.api import Api
from tests.e2e.conftest import Open
from tests.e2e.waiting import comes_to

Room = Callable[..., str]


def test_two_people_sign_in_and_talk(open_browser: Open) -> None:
    """From the sign-in page: one by the form, one by a click on a demo account."""
    sari, budi = open_browser(None), open_browser(None)
    sari.visit("/")
    sari.page.get_by_label("E-mail").fill("sari@kopi.example")
    sari.page.get_by_role("textbox", name="Password").fill("kopi-nusantara")
    sari.page.get_by_role("button", name="Sign in", exact=True).click()
    budi.visit("/sign-in")
    budi.page.get_by_role("button", name="Sign in as Budi Santoso").click()
    for person in (sari, budi):
        person.is_live()
        person.open_room("manajemen")
    sari.say("Hello **Budi**!")
    budi.sees("Hello Budi!")
    expect(budi.message("Hello Budi!").locator("strong")).to_have_text("Budi")
    budi.say("Good morning, Sari")
    sari.sees("Hello Budi!", "Good morning, Sari")


def test_what_is_typed_next_door_is_announced_and_gone_when_it_is_sent(open_browser: Open, room_of: Room) -> None:
    """F-RT-03: whispers."""
    room = room_of("sari", "james")
    sari, james = open_browser("sari").enter(room), open_browser("james").enter(room)
    line = james.page.get_by_text("Sari Wulandari is typing…").first

    def announced() -> bool:
        """It is said every few seconds while keys are pressed, and not at all to who is not there yet."""
        sari.composer.press_sequentially("On my w")
        return line.is_visible()

    comes_to(announced, True)
    sari.composer.fill("On my way")
    sari.composer.press("Enter")
    james.sees("On my way")
    expect(james.page.get_by_text("is typing…")).to_have_count(0)


def test_who_has_a_page_open_is_online(open_browser: Open) -> None:
    """F-RT-03: presence."""
    sari = open_browser("sari").visit("rooms")
    sari.is_live()
    misaki = sari.room_link("田中 美咲")
    online = misaki.get_by_role("img", name="Online")
    expect(misaki).to_be_visible()
    expect(online).to_have_count(0)
    guest = open_browser("misaki").visit("rooms")
    expect(online).to_be_visible()
    guest.page.close()
    expect(online).to_have_count(0)


def test_unread_messages_are_counted_until_they_are_read(open_browser: Open, room_of: Room) -> None:
    """F-RO-03: the badge in the list and on the rail, and its end on all my devices."""
    room = room_of("sari", "james", called="counted")
    sari, phone = open_browser("sari").visit("rooms"), open_browser("sari").visit("rooms")
    for person in (sari, phone):
        person.is_live()
    james = open_browser("james").enter(room)
    james.say("One")
    james.say("Two")
    for person in (sari, phone):
        expect(person.room_link("counted").get_by_label("2 unread messages")).to_be_visible()
    sari.open_room("counted")
    sari.sees("One", "Two")
    expect(sari.page.get_by_text("New messages")).to_be_visible()
    for person in (sari, phone):
        expect(person.room_link("counted").get_by_label(re.compile("unread"))).to_have_count(0)
    comes_to(lambda: sari.api.room("counted")["membership"]["unread"], 0)


def test_a_deleted_message_is_not_unread_any_more(
    open_browser: Open, room_of: Room, accounts: Callable[[str], Api]
) -> None:
    """F-RO-03: also in a room that was not opened on this page, whose messages it doesn't know."""
    room = room_of("sari", "james", called="thought better")
    james = accounts("james")
    said = [james.say(room, text)["id"] for text in ("Kept", "Gone", f"<@{accounts('sari').id}> gone too")]
    sari = open_browser("sari").visit("rooms")
    sari.is_live()
    line = sari.room_link("thought better")
    expect(line.get_by_label("3 unread messages")).to_be_visible()
    expect(line.get_by_label("You are mentioned 1 time")).to_be_visible()
    for id_ in said[1:]:
        james.call("DELETE", f"chat/messages/{id_}")
    expect(line.get_by_label("1 unread message", exact=True)).to_be_visible()
    expect(line.get_by_label("You are mentioned 1 time")).to_have_count(0)


def test_what_was_seen_just_before_going_elsewhere_is_read(open_browser: Open, room_of: Room) -> None:
    """F-RO-03: markers are sent now and then, the last one when the room is left; the page shows it before the server."""

    def unread() -> int:
        return int(sari.api.room("glanced at")["membership"]["unread"])

    room, other = room_of("sari", "james", called="glanced at"), room_of("sari", called="next room")
    sari, james = open_browser("sari").enter(room), open_browser("james").enter(room)
    for number in range(1, 4):
        james.say(f"Quick {number}")
    sari.sees("Quick 3")
    sari.open_room("next room")
    expect(sari.room_link("glanced at").get_by_label(re.compile("unread"))).to_have_count(0)
    comes_to(unread, 0)
    james.say("Quick 4")
    expect(sari.room_link("glanced at").get_by_label("1 unread message")).to_be_visible()
    assert unread() == 1
    sari.open_room("glanced at")
    comes_to(unread, 0)
    assert sari.api.bodies(other) == []


def test_a_message_is_edited_and_deleted_for_both(open_browser: Open, room_of: Room) -> None:
    """F-RO-02: edit, delete with undo."""
    room = room_of("sari", "budi")
    sari, budi = open_browser("sari").enter(room), open_browser("budi").enter(room)
    sari.say("The courrier comes at 3")
    budi.sees("The courrier comes at 3")
    sari.choose("The courrier", "Edit")
    expect(sari.composer).to_have_value("The courrier comes at 3")
    sari.say("The courier comes at 4")
    for person in (sari, budi):
        person.sees("The courier comes at 4")
        expect(person.message("The courier comes at 4")).to_contain_text("edited")
    sari.choose("The courier", "Delete")
    sari.page.get_by_role("button", name="Undo").click()
    expect(sari.message("The courier comes at 4")).to_be_visible()
    sari.choose("The courier", "Delete")
    expect(sari.message("This message was deleted")).to_be_visible()
    expect(budi.message("This message was deleted")).to_be_visible()
    assert sari.api.bodies(room) == [""]


def test_a_reply_in_a_thread_stays_out_of_the_room(open_browser: Open, room_of: Room) -> None:
    """F-RO-02: threads, with the number of replies at the message."""
    room = room_of("sari", "budi")
    sari, budi = open_browser("sari").enter(room), open_browser("budi").enter(room)
    sari.say("Who opens tomorrow?")
    budi.sees("Who opens tomorrow?")
    budi.choose("Who opens", "Reply in thread")
    answer = budi.thread.get_by_role("textbox")
    answer.fill("I do")
    answer.press("Enter")
    expect(budi.thread.get_by_role("article").filter(has_text="I do")).to_be_visible()
    sari.message("Who opens").get_by_role("button", name="1 reply").click()
    expect(sari.thread.get_by_role("article").filter(has_text="I do")).to_be_visible()
    expect(sari.log.first.get_by_role("article").filter(has_text="I do")).to_have_count(0)
    sari.thread.get_by_role("button", name="Close").click()
    expect(sari.thread).to_have_count(0)


def test_a_reaction_shows_with_both_and_can_be_taken_back(open_browser: Open, room_of: Room) -> None:
    """F-RO-02: reactions."""
    room = room_of("sari", "budi")
    sari, budi = open_browser("sari").enter(room), open_browser("budi").enter(room)
    sari.say("Five stars again")
    budi.sees("Five stars again")
    budi.react("Five stars", "👍")
    given = sari.message("Five stars").get_by_role("button", name="👍 from Budi Santoso")
    expect(given).to_be_visible()
    given.click()
    both = budi.message("Five stars").get_by_role("button", name=re.compile("👍 2: .*You"))
    expect(both).to_contain_text("2")
    expect(both).to_have_attribute("aria-pressed", "true")
    both.click()
    expect(sari.message("Five stars").get_by_role("button", name="👍 from You")).to_be_visible()


def test_a_quote_leads_to_what_was_said(open_browser: Open, room_of: Room) -> None:
    """F-RO-02: quotes."""
    room = room_of("sari", "budi")
    sari, budi = open_browser("sari").enter(room), open_browser("budi").enter(room)
    sari.say("Stock of Toraja is 34 bags")
    budi.sees("Stock of Toraja")
    budi.choose("Stock of Toraja", "Quote")
    budi.say("Ordered")
    answer = sari.message("Ordered")
    expect(answer).to_contain_text("Stock of Toraja is 34 bags")
    assert sari.api.messages(room)[-1]["quote"]["preview"] == "Stock of Toraja is 34 bags"


def test_a_person_is_mentioned_by_keyboard_and_marked_at_theirs(open_browser: Open, room_of: Room) -> None:
    """F-RO-02: the picker opens with @, arrows choose, Enter takes."""
    room = room_of("sari", "budi", "james", called="mentions")
    budi = open_browser("budi").visit("rooms")
    budi.is_live()
    sari = open_browser("sari").enter(room)
    sari.composer.press_sequentially("Dear @")
    people = sari.page.get_by_role("listbox", name="Mention someone")
    expect(people.get_by_role("option", selected=True)).to_have_count(1)
    sari.composer.press_sequentially("bud")
    expect(people.get_by_role("option", selected=True)).to_contain_text("Budi Santoso")
    sari.composer.press("Enter")
    expect(sari.composer).to_have_value("Dear @Budi Santoso ")
    sari.composer.press_sequentially("and thanks")
    sari.composer.press("Enter")
    expect(budi.room_link("mentions").get_by_label("You are mentioned 1 time")).to_be_visible()
    budi.open_room("mentions")
    budi.sees("Dear @Budi Santoso and thanks")
    assert f"<@{budi.api.id}>" in budi.api.bodies(room)[-1]


def test_a_picture_has_a_thumbnail_and_a_file_a_name_and_a_size(open_browser: Open, room_of: Room) -> None:
    """F-RO-05: attachments; the picture opens large."""
    import io

    from PIL import Image

    picture = io.BytesIO()
    Image.effect_noise((1600, 900), 60).convert("RGB").save(picture, "PNG")
    room = room_of("sari", "budi")
    sari, budi = open_browser("sari").enter(room), open_browser("budi").enter(room)
    with sari.page.expect_file_chooser() as chooser:
        sari.page.get_by_role("button", name="Attach files").click()
    counter: FilePayload = {"name": "counter.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    prices: FilePayload = {"name": "prices.csv", "mimeType": "text/csv", "buffer": b"coffee,price\ngayo,90000\n"}
    chooser.value.set_files([counter, prices])
    tray = sari.page.get_by_role("list", name="Attached files")
    expect(tray.get_by_role("listitem")).to_have_count(2)
    sari.say("The new counter")
    message = budi.message("The new counter")
    tile = message.get_by_role("button", name="Open picture counter.png")
    expect(tile).to_be_visible()
    expect(tile.get_by_role("img")).to_have_js_property("complete", True)
    budi.page.wait_for_function("() => document.querySelector('[role=article] img')?.naturalWidth > 0")
    expect(message.get_by_role("link", name=re.compile("prices.csv"))).to_be_visible()
    with budi.page.expect_download() as download:
        message.get_by_role("link", name=re.compile("prices.csv")).click()
    assert download.value.path().read_bytes() == b"coffee,price\ngayo,90000\n"

    def kept() -> tuple[int, int, bool]:
        file = budi.api.messages(room)[-1]["attachments"][0]
        return file["width"], file["height"], file["thumbnail"]

    comes_to(kept, (1600, 900, True))  # a job makes the thumbnail
    tile.click()
    large = budi.page.get_by_role("dialog").get_by_role("img", name="counter.png")
    expect(large).to_be_visible()
    budi.page.keyboard.press("Escape")
    expect(large).to_have_count(0)
