"""The network goes and comes, requests fail, the server dies. F-RT-02, F-UI-04, F-OP-04."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, WebSocketRoute, expect

from tests.e2e.api import Api
from tests.e2e.conftest import Open
from tests.e2e.pages import PHONE
from tests.e2e.person import NO_NETWORK, refused
from tests.e2e.waiting import comes_to
from tests.support.kanal_process import KanalProcess

Room = Callable[..., str]
SENDING = re.compile(r"/chat/rooms/[^/]+/messages$")
WAITING = "Waiting to be sent"

# Whether this text is in a store of the browser's own database; and whether the app opens without a network.
ON_DISK = """async ([store, text]) => {
    const answer = (asking) => new Promise((done, fail) => {
        asking.onsuccess = () => done(asking.result)
        asking.onerror = () => fail(asking.error)
    })
    for (const { name } of await indexedDB.databases()) {
        const database = await answer(indexedDB.open(name))
        const values = await answer(database.transaction(store).objectStore(store).getAll())
        database.close()
        if (JSON.stringify(values).includes(text)) return true
    }
    return false
}"""
OPENS_OFFLINE = """async () => {
    await navigator.serviceWorker.ready
    const used = performance.getEntriesByType('resource').map((one) => one.name).filter((name) => name.includes('/assets/'))
    for (const file of ['/', ...used]) if (!(await caches.match(file))) return false
    return true
}"""


def test_what_was_missed_arrives_and_what_was_typed_is_sent_once(open_browser: Open, room_of: Room) -> None:
    """Out of the network and back; the other one talks meanwhile."""
    room = room_of("sari", "budi", called="tunnel")
    sari, budi = open_browser("sari").enter(room), open_browser("budi").enter(room)
    budi.say("Before the tunnel")
    sari.sees("Before the tunnel")
    sari.allows(NO_NETWORK)
    sari.context.set_offline(True)
    expect(sari.page.get_by_text("You’re offline.")).to_be_visible()
    typed = [f"From the tunnel {number}" for number in range(1, 6)]
    for text in typed:
        sari.say(text)
        expect(sari.line(text)).to_be_visible()
    expect(sari.log.get_by_label(WAITING)).to_have_count(5)
    expect(sari.page.get_by_text("5 messages wait to be sent.")).to_be_visible()
    said = [f"Meanwhile {number}" for number in range(1, 4)]
    for text in said:
        budi.say(text)
    budi.sees(*said)
    assert not any("tunnel " in body for body in sari.api.bodies(room))
    sari.context.set_offline(False)
    sari.sees("Before the tunnel", *said, *typed)
    budi.sees("Before the tunnel", *said, *typed)
    expect(sari.log.get_by_label(WAITING)).to_have_count(0)
    expect(sari.page.get_by_text("You’re offline.")).to_have_count(0)
    assert sari.api.bodies(room) == ["Before the tunnel", *said, *typed]


def test_a_page_that_is_loaded_again_offline_shows_the_room_and_keeps_what_waits(
    open_browser: Open, room_of: Room
) -> None:
    """F-UI-04: the app opens from the browser's own disk."""
    room = room_of("sari", "budi", called="on a plane")
    sari, budi = open_browser("sari").enter(room), open_browser("budi").enter(room)
    budi.say("Have a good flight")
    sari.sees("Have a good flight")
    comes_to(lambda: sari.page.evaluate(OPENS_OFFLINE), wanted=True)
    comes_to(lambda: sari.page.evaluate(ON_DISK, ["cache", "Have a good flight"]), wanted=True)
    sari.allows(NO_NETWORK)
    sari.context.set_offline(True)
    sari.say("Above the clouds")
    comes_to(lambda: sari.page.evaluate(ON_DISK, ["outbox", "Above the clouds"]), wanted=True)
    sari.page.reload()
    sari.sees("Have a good flight")
    expect(sari.line("Above the clouds")).to_be_visible()
    expect(sari.page.get_by_text("You’re offline.")).to_be_visible()
    sari.context.set_offline(False)
    budi.sees("Above the clouds")
    assert sari.api.bodies(room) == ["Have a good flight", "Above the clouds"]


def test_a_request_that_fails_is_repeated_and_the_message_is_there_once(open_browser: Open, room_of: Room) -> None:
    """F-RO-02: once the request is lost, once its answer."""
    room = room_of("sari", "budi")
    sari = open_browser("sari").enter(room)
    sari.allows(NO_NETWORK)
    attempts: list[str] = []

    def unreliable(route: Route) -> None:
        attempts.append(str(route.request.post_data))
        if len(attempts) == 1:
            route.abort()
        elif len(attempts) == 2:
            route.fetch()  # the server hears it, the page never learns
            route.abort()
        else:
            route.continue_()

    sari.page.route(SENDING, unreliable)
    sari.say("Only once, please")
    expect(sari.log.get_by_label(WAITING)).to_be_visible()
    expect(sari.message("Only once, please").get_by_label("Sent", exact=True)).to_be_visible(timeout=20_000)
    assert len(attempts) == 3
    assert len(set(attempts)) == 1
    assert sari.api.bodies(room) == ["Only once, please"]


def test_a_refused_message_stays_with_its_reason_until_it_is_tried_again(open_browser: Open, room_of: Room) -> None:
    """F-RO-02: what is written after it goes out meanwhile."""
    room = room_of("sari", "budi")
    sari = open_browser("sari").enter(room)
    sari.allows(refused(422))
    error = {"error": {"code": "message.refused", "message": "Not in this tone.", "request_id": "r"}}
    sari.page.route(SENDING, lambda route: route.fulfill(status=422, json=error))
    sari.say("Grumble")
    alert = sari.log.get_by_role("alert")
    expect(alert).to_contain_text("Not in this tone.")
    expect(sari.log.get_by_label("Not sent")).to_be_visible()
    sari.page.unroute(SENDING)
    sari.say("Sorry")
    sari.sees("Sorry")
    alert.get_by_role("button", name="Try again").click()
    sari.sees("Grumble")
    expect(alert).to_have_count(0)
    assert sari.api.bodies(room) == ["Sorry", "Grumble"]


def test_a_refused_message_can_be_discarded(open_browser: Open, room_of: Room) -> None:
    room = room_of("sari", "budi")
    sari = open_browser("sari").enter(room)
    sari.allows(refused(422))
    error = {"error": {"code": "message.refused", "message": "Not in this tone.", "request_id": "r"}}
    sari.page.route(SENDING, lambda route: route.fulfill(status=422, json=error))
    sari.say("Never mind")
    sari.log.get_by_role("alert").get_by_role("button", name="Discard").click()
    expect(sari.line("Never mind")).to_have_count(0)
    sari.page.reload()
    sari.is_live()
    expect(sari.log).to_be_visible()
    expect(sari.line("Never mind")).to_have_count(0)


def test_an_edit_that_is_refused_is_taken_back(open_browser: Open, room_of: Room) -> None:
    """F-RO-02: shown at once, rolled back with the reason."""
    room = room_of("sari", "budi")
    sari = open_browser("sari").enter(room)
    sari.say("The original")
    sari.sees("The original")
    sari.allows(refused(403))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    sari.page.route(re.compile(r"/chat/messages/[^/]+$"), hold)
    sari.choose("The original", "Edit")
    expect(sari.composer).to_have_value("The original")
    sari.say("The forgery")
    expect(sari.message("The forgery")).to_be_visible()
    error = {"error": {"code": "message.too_old", "message": "It is too late to change this.", "request_id": "r"}}
    comes_to(lambda: len(held), 1, page=sari.page)
    held[0].fulfill(status=403, json=error)
    expect(sari.message("The original")).to_be_visible()
    expect(sari.page.get_by_role("alert")).to_contain_text("It is too late to change this.")
    assert sari.api.bodies(room) == ["The original"]


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", "Connection lost, reconnecting…"),
        ("id", "Koneksi terputus, menyambung kembali…"),
        ("ja", "接続が切れました。再接続しています…"),
    ],
)
def test_a_phone_says_that_it_reconnects(
    open_browser: Open, accounts: Callable[[str], Api], locale: str, words: str
) -> None:
    """The dot of larger screens is on the rail, which a phone doesn't have."""
    sockets: list[WebSocketRoute] = []
    refusing = False

    def through(socket: WebSocketRoute) -> None:
        if refusing:
            socket.close(code=1012)
            return
        socket.connect_to_server()
        sockets.append(socket)

    accounts("andi").call("PATCH", "/auth/user", {"locale": locale})
    andi = open_browser("andi", viewport=PHONE, has_touch=True, is_mobile=True)
    andi.page.route_web_socket(re.compile("/app/"), through)
    andi.visit("rooms")
    bar = andi.page.get_by_role("status").filter(has_text=words, visible=True)
    andi.is_live()
    expect(bar).to_have_count(0)
    andi.allows(NO_NETWORK)  # refused, pusher-js tries TLS too
    refusing = True
    sockets.pop().close(code=1012)
    expect(bar).to_be_visible()
    andi.fits_the_screen()
    refusing = False
    andi.is_live(within=90)  # attempts to come back are up to 30 s apart
    expect(bar).to_have_count(0)


def test_a_server_that_is_killed_and_started_again_loses_and_doubles_nothing(
    open_browser: Open, room_of: Room, server: KanalProcess
) -> None:
    """F-RT-02, F-OP-04: both pages come back by themselves; what was accepted and what was typed meanwhile is there."""
    room = room_of("sari", "budi", called="power cut")
    sari, budi = open_browser("sari").enter(room), open_browser("budi").enter(room)
    for number in range(1, 6):
        sari.say(f"Sari before {number}")
        budi.say(f"Budi before {number}")
    budi.sees("Sari before 5")
    accepted = sari.api.bodies(room)
    for person in (sari, budi):
        person.allows(NO_NETWORK, refused(503))
    server.kill()
    expect(sari.page.get_by_test_id("connection").first).to_have_attribute("data-state", "reconnecting")
    sari.say("Sari during")
    budi.say("Budi during")
    server.start()
    for person in (sari, budi):
        person.is_live(within=90)  # attempts to come back are up to 30 s apart
        person.sees("Sari during")
        person.sees("Budi during")
    sari.say("Sari after")
    budi.sees("Sari after")
    budi.say("Budi after")
    sari.sees("Budi after")
    bodies = sari.api.bodies(room)
    assert bodies[: len(accepted)] == accepted
    assert len(bodies) == len(set(bodies)) == 14
