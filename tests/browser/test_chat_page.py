"""The chat page in Chromium: what people do in it, and what the network and others do to them."""

from __future__ import annotations

import asyncio
import http.server
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Locator, Page, expect

from wslab import lab
from wslab.apps import chat
from wslab.apps.heartbeat.server import ANSWER, serve_heartbeat
from wslab.kit.resume import Log

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
ARTIFACTS = HERE.parents[1] / "artifacts"
CEILING = 60.0  # seconds
HOSTILE = "<img src=x onerror=\"document.title='hacked'\">"
RTL = "\u05e9\u05dc\u05d5\u05dd (1) <b>"
LONG = "x" * 1900

# What a browser writes by itself when a connection cannot be made.
NOT_OURS = re.compile(
    r"^WebSocket connection to .* failed|^Failed to load resource: (net::|.* 403 )"
)


@pytest.fixture(autouse=True)
def console(page: Page) -> Iterator[list[str]]:
    """No error in any tab, whatever a test does."""
    errors: list[str] = []
    page.context.on("console", lambda said: said.type == "error" and errors.append(said.text))
    page.context.on("weberror", lambda error: errors.append(str(error.error)))
    yield errors
    assert [error for error in errors if not NOT_OURS.match(error)] == []


class Tab:
    """The chat page, or the widget, and what a person does with it."""

    def __init__(self, root: Page | Locator) -> None:
        self.root = root
        self.page = root if isinstance(root, Page) else root.page
        self.status = root.get_by_role("status")
        self.log = root.get_by_role("log")
        self.said = self.log.locator("li.chat-chat .chat-text")
        self.notices = self.log.locator("li.chat-notice .chat-text")
        self.waiting = root.locator(".chat-waiting li")
        self.members = root.locator(".chat-members li")
        self.problem = root.get_by_role("alert")
        self.name = root.get_by_label(re.compile("^(Your name|你的名字)$"))
        self.message = root.get_by_label(re.compile("^(Message|消息)$"))

    def join(self, name: str) -> Tab:
        expect(self.status).to_have_text(re.compile("^(Connected|已连接)$"))
        self.name.fill(name)
        self.name.press("Enter")
        expect(self.message).to_be_visible()
        return self

    def say(self, *texts: str) -> None:
        for text in texts:
            self.message.fill(text)
            self.message.press("Enter")

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name).click()

    def hears(self, *texts: str) -> None:
        expect(self.said).to_have_text(list(texts))


def open_tab(page: Page, url: str, *, width: int = 900, height: int = 600) -> Tab:
    tab = page.context.new_page()
    tab.set_viewport_size({"width": width, "height": height})
    tab.goto(url)
    return Tab(tab)


def page_of(cable) -> str:
    return cable.url.replace("ws", "http", 1)


def until(page: Page, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + CEILING
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("not reached")
        page.wait_for_timeout(20)


@pytest.fixture
def room():
    return chat.serve()


class TestPeople:
    def test_two_of_them_talk(self, page, room):
        ada, bob = open_tab(page, room.page), open_tab(page, room.page)
        ada.join("Ada")
        bob.join("Bob")
        ada.say("Hello", "你好")
        bob.say("  Hi  ")
        for tab in (ada, bob):
            tab.hears("Hello", "你好", "  Hi  ")
            expect(tab.members).to_have_text(["Ada", "Bob"])
        expect(ada.log.locator(".chat-mine .chat-text")).to_have_text(["Hello", "你好"])
        expect(bob.notices).to_have_text(["Ada joined the room", "Bob joined the room"])
        bob.page.close()
        expect(ada.notices.last).to_have_text("Bob left the room")
        expect(ada.members).to_have_text(["Ada"])
        assert room.refused == {}

    def test_who_comes_later_reads_what_was_said(self, page, room):
        ada = open_tab(page, room.page).join("Ada")
        ada.say("before")
        ada.hears("before")
        open_tab(page, room.page).hears("before")

    def test_rooms_by_address(self, page, room):
        green = open_tab(page, f"{room.page}green").join("Ada")
        main = open_tab(page, room.page).join("Ada")
        green.say("in the green room")
        main.say("in the main room")
        main.hears("in the main room")
        green.hears("in the green room")
        assert green.page.title() == "wslab chat · green"

    def test_nobody_joins_before_there_is_a_connection(self, page, room):
        async def silent(reader, writer):
            await asyncio.Event().wait()

        server = lab.serve_tcp(silent, name="silent")
        # The page's policy forbids other servers, even to this test.
        page.context.new_cdp_session(page).send("Page.setBypassCSP", {"enabled": True})
        page.add_init_script(
            f"""const Real = WebSocket;
            window.elsewhere = "ws://127.0.0.1:{server.port}/";
            window.WebSocket = class extends Real {{
                constructor(url) {{ super(window.elsewhere || url); }}
            }};"""
        )
        page.goto(room.page)
        tab = Tab(page)
        tab.name.fill("Ada")
        expect(tab.status).to_have_text("Connecting …")
        expect(page.get_by_role("button", name="Join")).to_be_disabled()
        tab.name.press("Enter")
        page.evaluate("elsewhere = ''")
        server.stop_now()
        expect(tab.name).to_have_value("Ada")
        tab.join("Ada")
        assert room.members == ["Ada"]

    def test_a_name_that_the_room_does_not_take(self, page, room):
        open_tab(page, room.page).join("Ada")
        tab = open_tab(page, room.page)
        expect(tab.status).to_have_text("Connected")
        for name, problem in [
            ("ada", "has this name"),
            ("\u0410da", "one that looks like it"),  # Cyrillic
            ("A\u200bda", "a format character (U+200B)"),
            ("Server", "room's own"),
            ("   ", "empty"),
            ("x" * 31, "31 characters, 30 are allowed"),
        ]:
            tab.name.fill(name)
            tab.name.press("Enter")
            expect(tab.problem).to_contain_text(problem)
            expect(tab.name).to_have_value(name)  # it can be corrected
        tab.join("Bob")
        expect(tab.problem).to_be_empty()

    def test_another_name(self, page, room):
        tab = open_tab(page, room.page).join("Ada")
        tab.press("You are Ada")
        expect(tab.name).to_be_focused()
        tab.name.fill("  Ada   L. ")
        tab.name.press("Enter")
        expect(tab.notices.last).to_have_text("Ada is now called Ada L.")
        expect(tab.members).to_have_text(["Ada L."])
        expect(tab.page.get_by_role("button", name="You are Ada L.")).to_be_visible()
        tab.say("mine")
        expect(tab.log.locator(".chat-mine .chat-text")).to_have_text(["mine"])

    def test_a_rename_that_is_refused_can_be_corrected(self, page, room):
        """It stays in its own form, and what is written meanwhile in the other."""
        open_tab(page, room.page).join("Bob")
        tab = open_tab(page, room.page).join("Ada")
        tab.message.fill("half a mess")
        tab.press("You are Ada")
        for name, problem in [("bob", "has this name"), ("Server", "room's own")]:
            tab.name.fill(name)
            tab.name.press("Enter")
            expect(tab.problem).to_contain_text(problem)
            expect(tab.name).to_have_value(name)
            expect(tab.name).to_be_focused()
        tab.name.press("Escape")
        expect(tab.message).to_have_value("half a mess")
        tab.press("You are Ada")
        expect(tab.name).to_have_value("Ada")
        tab.name.fill("Grace")
        tab.name.press("Enter")
        expect(tab.message).to_be_focused()
        expect(tab.message).to_have_value("half a mess")
        expect(tab.problem).to_be_empty()
        assert room.members == ["Bob", "Grace"]

    def test_several_lines(self, page, room):
        tab = open_tab(page, room.page).join("Ada")
        tab.message.press_sequentially("one")
        tab.message.press("Shift+Enter")
        tab.message.press_sequentially("two")
        expect(tab.message).to_have_value("one\ntwo")
        tall = tab.message.bounding_box()["height"]
        tab.message.press("Enter")
        tab.hears("one\ntwo")
        expect(tab.message).to_have_value("")
        assert tab.message.bounding_box()["height"] < tall
        assert room.history[-1]["text"] == "one\ntwo"

    @pytest.mark.parametrize("composing", [{"isComposing": True}, {"keyCode": 229}])
    def test_enter_that_ends_a_composition_sends_nothing(self, page, room, composing):
        tab = open_tab(page, room.page).join("Ada")
        tab.message.fill("你好")
        press = """(field, how) => field.dispatchEvent(new KeyboardEvent(
            "keydown", { key: "Enter", bubbles: true, cancelable: true, ...how }))"""
        assert tab.message.evaluate(press, composing)  # nobody has prevented its default
        expect(tab.message).to_have_value("你好")
        tab.message.press("Enter")
        tab.hears("你好")

    def test_names_from_right_to_left_turn_nothing_around(self, page, room):
        """Wherever a name stands it is a <bdi>: in what is said, in notices, among the members."""
        first, second = "\u05d0\u05d1\u05d2", "\u0645\u0646\u0649"
        tab = open_tab(page, f"{room.page}\u05d7\u05d3\u05e8").join(first)
        tab.say("1")
        tab.press(f"You are {first}")
        tab.name.fill(second)
        tab.name.press("Enter")
        expect(tab.notices).to_have_text(
            [f"{first} joined the room", f"{first} is now called {second}"]
        )
        names = tab.page.locator("bdi").all_text_contents()
        assert names == [" · \u05d7\u05d3\u05e8", second, first, first, first, second, second]
        outside = tab.page.evaluate(
            """() => {
                const copy = document.body.cloneNode(true);
                copy.querySelectorAll("bdi, noscript").forEach((one) => one.remove());
                return copy.textContent.match(/[\u0590-\u06ff]/g);
            }"""
        )
        assert outside is None
        assert tab.notices.first.evaluate("e => getComputedStyle(e).direction") == "ltr"

    def test_what_is_too_long_can_be_corrected(self, page, room):
        tab = open_tab(page, room.page).join("Ada")
        tab.say("y" * 2001)
        expect(tab.problem).to_contain_text("2001 characters, 2000 are allowed")
        expect(tab.message).to_have_value("y" * 2001)
        tab.say("short")
        tab.hears("short")
        expect(tab.problem).to_be_empty()

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("é" * 30_000, "30000 characters, 2000 are"),
            ("x" * 60_000, "60000 characters, 40000 can"),
        ],
        ids=["the room says", "the page says"],
    )
    def test_what_was_pasted_by_mistake(self, page, room, text, problem):
        """A text of 60 kB: a sentence, and the connection goes on."""
        tab = open_tab(page, room.page).join("Ada")
        tab.say(text)
        expect(tab.problem).to_contain_text(problem)
        expect(tab.message).to_have_value(text)
        tab.say("short")
        tab.hears("short")
        assert not room.events.only("close")

    def test_who_gives_no_name_comes_back_with_one(self, page):
        """A room on a network puts them out, and the page waits for the person."""
        room = chat.serve(rules=chat.Rules(members=100, nameless=0.5))
        tab = open_tab(page, room.page)
        expect(tab.status).to_contain_text("no name within 0.5 s: choose a name to come in")
        room.rules = replace(room.rules, nameless=60)  # from now on a busy machine has time
        tab.name.fill("Ada")
        tab.name.press("Enter")
        tab.say("here I am")
        tab.hears("here I am")
        expect(tab.problem).to_be_empty()
        assert room.members == ["Ada"]

    def test_a_burst_is_slowed_down_and_not_lost(self, page, room):
        tab = open_tab(page, room.page).join("Ada")
        texts = [f"message {n}" for n in range(30)]  # the room takes 20 at once, then 5 a second
        tab.say(*texts)
        tab.hears(*texts)
        expect(tab.waiting).to_have_count(0)

    def test_what_is_new_while_one_reads_what_is_old(self, page, room):
        ada = open_tab(page, room.page, height=400).join("Ada")
        bob = open_tab(page, room.page).join("Bob")
        for number in range(15):
            bob.say(f"line {number}")
        expect(ada.said).to_have_count(15)
        ada.page.locator(".chat-scroll").evaluate("box => box.scrollTop = 0")
        bob.say("new one", "new two")
        button = ada.page.get_by_role("button", name="2 new messages")
        expect(button).to_be_visible()
        expect(ada.said.last).not_to_be_in_viewport()
        screenshot(ada, "chat_page_unread")
        button.click()
        expect(ada.said.last).to_be_in_viewport()
        expect(button).to_be_hidden()

    def test_a_tab_in_the_background_counts(self, page, room):
        ada = open_tab(page, room.page).join("Ada")
        bob = open_tab(page, room.page).join("Bob")
        # Playwright's tabs are all visible; this is what the page asks.
        ada.page.evaluate(
            "window.away = true,"
            " Object.defineProperty(document, 'hidden', { get: () => window.away })"
        )
        bob.say("psst")
        expect(ada.page).to_have_title(re.compile(r"\(1\)"))
        ada.page.evaluate("away = false, document.dispatchEvent(new Event('visibilitychange'))")
        expect(ada.page).to_have_title("wslab chat")

    def test_without_a_mouse(self, page, room):
        tab = open_tab(page, room.page)
        expect(tab.status).to_have_text("Connected")
        reached = []
        for _ in range(4):
            tab.page.keyboard.press("Tab")
            reached.append(
                tab.page.evaluate(
                    "(e => e.labels?.[0]?.textContent || e.getAttribute('aria-label')"
                    " || e.textContent)(document.activeElement)"
                )
            )
            if reached[-1] == "Your name":
                tab.page.keyboard.type("Ada")
        assert reached == ["Here now: 0", "What is said, oldest first", "Your name", "Join"]
        tab.page.keyboard.press("Enter")
        expect(tab.message).to_be_focused()
        tab.page.keyboard.type("typed")
        tab.page.keyboard.press("Enter")
        tab.hears("typed")
        assert tab.log.get_attribute("aria-live") == "polite"

    def test_what_others_say_does_no_harm(self, page, room):
        tab = open_tab(page, room.page, width=390, height=700).join("Bob")
        other = open_tab(page, room.page).join(HOSTILE[:12])
        other.say(HOSTILE, RTL, LONG, "a\u202eb", "</ol><script>alert(1)</script>")
        tab.hears(HOSTILE, RTL, LONG, "a\u202eb", "</ol><script>alert(1)</script>")
        assert tab.page.locator("main img, main script").count() == 0
        assert tab.page.title() == "wslab chat"
        width = "[document.documentElement.scrollWidth, innerWidth]"
        assert tab.page.evaluate(width) == [390, 390]  # a long word breaks
        assert tab.said.nth(1).evaluate("node => getComputedStyle(node).direction") == "rtl"
        screenshot(tab, "chat_page_hostile")


def screenshot(tab: Tab, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    tab.page.screenshot(path=ARTIFACTS / f"{name}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("size", "width", "height"), [("desktop", 1100, 700), ("phone", 390, 800)])
def test_screenshots(page, room, scheme, size, width, height):
    page.context.new_page()
    tab = open_tab(page, room.page, width=width, height=height)
    tab.page.emulate_media(color_scheme=scheme)
    expect(tab.status).to_have_text("Connected")
    screenshot(tab, f"chat_page_join_{size}_{scheme}")
    tab.join("Ada")
    other = open_tab(page, room.page).join("小明")
    other.say("你好！")
    tab.say("Hello, is anybody here?", "A longer text, so that it has to be broken somewhere. " * 4)
    other.say(RTL)
    expect(tab.said).to_have_count(4)
    screenshot(tab, f"chat_page_{size}_{scheme}")
    room.stop_now()
    tab.say("not yet sent")
    expect(tab.status).to_have_text("Reconnecting")
    screenshot(tab, f"chat_page_reconnecting_{size}_{scheme}")


class TestTheNetwork:
    @pytest.fixture
    def cable(self, room):
        return lab.cable(room, name="chat cable")

    def test_loaded_again(self, page, room):
        ada = open_tab(page, room.page).join("Ada")
        bob = open_tab(page, room.page).join("Bob")
        ada.say("one")
        ada.hears("one")
        ada.page.reload()
        expect(ada.message).to_be_visible()
        bob.say("two")
        ada.say("three")
        for tab in (ada, bob):
            expect(tab.said).to_have_count(3)
        assert sorted(room.members) == ["Ada", "Bob"]

    def test_loaded_again_before_it_was_sent(self, page, room, cable):
        tab = open_tab(page, page_of(cable)).join("Ada")
        cable.freeze("client")
        tab.say("on the way")
        cable.cut("client")  # the server does not know
        cable.thaw()
        tab.page.reload()
        tab.hears("on the way")
        expect(tab.waiting).to_have_count(0)
        assert room.members == ["Ada"]
        assert sum(one["text"] == "on the way" for one in room.history) == 1

    @pytest.mark.parametrize("side", ["client", "server", "both"])
    def test_cut(self, page, room, cable, side):
        ada, bob = open_tab(page, page_of(cable)).join("Ada"), open_tab(page, room.page).join("Bob")
        ada.say("one")
        ada.hears("one")
        cable.cut(side)
        ada.say("two")
        bob.say("three")
        for tab in (ada, bob):
            expect(tab.said).to_have_count(3)
            assert sorted(tab.said.all_inner_texts()) == ["one", "three", "two"]
        assert sorted(room.members) == ["Ada", "Bob"]

    def test_half_open(self, page, room, cable):
        """Half-open: the beats find it, and the new connection takes over from the ghost."""
        tab = open_tab(page, page_of(cable))
        tab.join("Ada")
        bob = open_tab(page, room.page).join("Bob")
        cable.drop_after(0)  # both ways: nothing arrives, nobody hangs up
        tab.say("one")
        expect(tab.waiting).to_have_text("sending … one")
        bob.say("two")
        expect(tab.status).not_to_have_text("Connected")
        cable.mend()
        for one in (tab, bob):
            expect(one.said).to_have_count(2)
        expect(tab.waiting).to_have_count(0)
        notices = [one["text"] for one in room.history if one["kind"] != "chat"]
        assert notices == ["Ada joined the room", "Bob joined the room"]  # nobody saw it

    def test_the_server_restarts_with_its_log(self, page, room):
        tab = open_tab(page, room.page).join("Ada")
        tab.say("one")
        tab.hears("one")
        port, log = room.port, Log.load(room.log.dump())
        room.stop_now()
        tab.say("two")
        expect(tab.status).to_have_text("Reconnecting")
        after = chat.serve(port=port, log=log)
        tab.hears("one", "two")
        expect(tab.status).to_have_text("Connected")
        assert after.refused == {}  # the name came first again
        expect(tab.root.locator(".chat-gap")).to_have_count(0)

    def test_a_person_need_not_wait(self, page, room):
        page.add_init_script("Math.random = () => 300")  # so it would wait for minutes
        tab = Tab(page)
        page.goto(room.page)
        tab.join("Ada")
        port, log = room.port, room.log
        room.stop_now()
        expect(tab.status).to_have_text("Reconnecting")
        expect(page.locator(".chat-state")).to_contain_text(
            re.compile(r"in \d+ s \(closed with 1001")
        )
        chat.serve(port=port, log=log)
        page.evaluate(
            "[...document.querySelectorAll('button')].find(b => /now/.test(b.textContent)).click()"
        )
        expect(tab.status).to_have_text("Connected")

    def test_the_server_restarts_and_has_forgotten(self, page, room):
        tab = open_tab(page, room.page).join("Ada")
        tab.say("one")
        tab.hears("one")
        port = room.port
        room.stop_now()
        tab.say("two")
        after = chat.serve(port=port)
        tab.hears("one", "two")
        expect(tab.root.locator(".chat-gap")).to_contain_text("has forgotten what was said")
        assert after.members == ["Ada"]

    def test_somebody_else_has_the_name_now(self, page, room):
        """What was said meanwhile waits until there is a name again."""
        tab = open_tab(page, room.page).join("Ada")
        port = room.port
        room.stop_now()
        tab.say("from me")
        expect(tab.status).to_have_text("Reconnecting")
        tab.page.context.set_offline(True)
        tab.page.evaluate("0")
        after = chat.serve(port=port)
        other = page.context.browser.new_context().new_page()
        other.goto(after.page)
        Tab(other).join("Ada")
        tab.page.context.set_offline(False)
        expect(tab.problem).to_contain_text("Choose", ignore_case=True)
        expect(tab.waiting).to_contain_text("waits for a name")
        tab.join("Ada 2")
        tab.hears("from me")
        expect(tab.waiting).to_have_count(0)
        other.context.close()

    def test_refused_for_good(self, page, room):
        tab = open_tab(page, room.page).join("Ada")
        port = room.port
        room.stop_now()
        chat.serve(port=port, token="a new one")
        expect(tab.status).to_contain_text("Not connected: refused with 403")
        tab.say("kept")
        expect(tab.waiting).to_contain_text("kept")
        screenshot(tab, "chat_page_failed")

    def test_a_copy_of_a_tab_is_somebody_else(self, page, room):
        """A browser copies the session's storage: what is in there only between two pages."""
        tab = open_tab(page, room.page).join("Ada")
        assert tab.page.evaluate("Object.keys(sessionStorage)") == []

    def test_offline_and_online(self, page, room):
        tab = open_tab(page, room.page).join("Ada")
        port, log = room.port, room.log
        room.stop_now()
        tab.say("one")
        expect(tab.status).to_have_text("Reconnecting")
        page.context.set_offline(True)
        chat.serve(port=port, log=log)
        page.wait_for_timeout(1500)
        expect(tab.waiting).to_have_count(1)
        page.context.set_offline(False)
        tab.hears("one")


class TestClassic:
    def test_our_page_in_a_classic_room(self, page):
        room = chat.serve(classic=True)
        tab = open_tab(page, room.page).join("小明")
        tab.say("你好")
        tab.hears("你好")
        expect(tab.notices).to_have_text(["小明加入了房间"])
        cable = lab.cable(room, name="classic")
        other = open_tab(page, page_of(cable)).join("小红")
        cable.cut()
        expect(other.status).to_have_text("已连接")
        other.say("又来了")
        tab.hears("你好", "又来了")
        expect(other.members).to_have_text(["小明", "小红"])

    def test_it_has_the_name_that_the_server_knows(self, page):
        """A name that is taken, one that is tidied, and another one later."""
        room = chat.serve(classic=True)
        open_tab(page, room.page).join("小明")
        tab = open_tab(page, room.page)
        expect(tab.status).to_have_text("已连接")
        for name, problem in [("小明", "已经有人"), ("Server", "属于房间本身")]:
            tab.name.fill(name)
            tab.name.press("Enter")
            expect(tab.problem).to_contain_text(problem)
        tab.join("  小   红 ")
        expect(tab.page.get_by_role("button", name="你是 小 红")).to_be_visible()
        tab.say("我的")
        expect(tab.log.locator(".chat-mine .chat-text")).to_have_text(["我的"])
        tab.press("你是 小 红")
        tab.name.fill("小芳")
        tab.name.press("Enter")
        expect(tab.page.get_by_role("button", name="你是 小芳")).to_be_visible()
        expect(tab.members).to_have_text(["小明", "小芳"])
        assert room.members == ["小明", "小芳"]


class TestChinese:
    @staticmethod
    def english(tab: Tab) -> list[str]:
        """Every Latin word that a person sees or hears, but names."""
        seen = tab.page.evaluate(
            """() => [document.title, document.body.innerText,
                ...[...document.querySelectorAll("[aria-label], [placeholder]")].flatMap(
                    (e) => [e.getAttribute("aria-label"), e.placeholder]),
                document.querySelector("noscript").textContent,
            ].filter(Boolean).join(" ")"""
        )
        allowed = {"wslab", "Shift", "Enter", "JavaScript", "WebSocket", "Ada", "s"}
        return [word for word in re.findall(r"[A-Za-z]+", seen) if word not in allowed]

    def test_the_whole_page(self, page):
        """Labels, status, notices, refusals, what waits, and why there is no connection."""
        room = chat.serve(language="zh")
        tab = open_tab(page, room.page)
        assert tab.page.evaluate("document.documentElement.lang") == "zh"
        expect(tab.status).to_have_text("已连接")
        assert self.english(tab) == []
        tab.name.fill("Ada")
        tab.name.press("Enter")
        tab.say("你好", "字" * 2001)
        expect(tab.problem).to_contain_text("最多 2000 个")
        expect(tab.log.locator("time").first).to_have_text(re.compile(r"^\d\d:\d\d$"))
        assert self.english(tab) == []
        tab.message.fill("字" * 40_001)
        tab.message.press("Enter")
        expect(tab.problem).to_contain_text("一次最多发送 40000 个")
        tab.message.fill("稍后")
        room.stop_now()
        expect(tab.status).to_have_text("正在重新连接")
        tab.message.press("Enter")
        expect(tab.waiting).to_contain_text("尚未发送")
        expect(tab.page.locator(".chat-state")).to_contain_text("秒后（")
        assert self.english(tab) == []
        screenshot(tab, "chat_page_zh")

    @pytest.mark.parametrize("code", [1000, 1001, 1002, 1006, 1007, 1008, 1009, 1013, 3000, 4001])
    def test_every_reason(self, page, code):
        page.goto(chat.serve(language="zh").page)
        said = page.evaluate(
            """async (code) => {
                const { WORDS } = await import("./static/words.js");
                const { closed, final } = WORDS.zh.connection;
                return closed(code, "理由") + final(code, "理由");
            }""",
            code,
        )
        assert re.findall("[A-Za-z]+", said.replace("UTF-8", "")) == []

    def test_what_was_not_taken_is_neither_a_name_nor_waits(self, page, room):
        page.goto(room.page)
        left = page.evaluate(
            """async () => {
                const { Chat } = await import("./static/chat.js");
                const chat = new Chat("ws://127.0.0.1:9/");
                for (const full of [false, true]) {
                    if (full) chat.connection.outbox.limit = 0;
                    chat.setName(full ? "Ada" : "half a pair: \\ud800");
                    chat.say(full ? "Hello" : "half a pair: \\ud800");
                }
                return [chat.naming, chat.waiting, chat.connection.outbox.keys, !!chat.problem];
            }"""
        )
        assert left == [None, [], [], True]

    def test_both_languages_say_the_same_things(self, page, room):
        page.goto(room.page)
        missing = page.evaluate(
            """async () => {
                const { WORDS: { en, zh } } = await import("./static/words.js");
                const policies = await import("./static/policies.js");
                const { PHRASES, FINAL_CODES, FINAL_STATUSES } = policies;
                const { refused, final } = zh.connection;
                const lacks = (one, other) => Object.keys(one).filter((key) => !(key in other));
                return [
                    ...lacks(en, zh), ...lacks(zh, en), ...lacks(en.states, zh.states),
                    ...lacks(PHRASES, zh.connection), ...lacks(zh.connection, PHRASES),
                    ...Object.keys(FINAL_STATUSES).filter((one) => /undefined/.test(refused(one))),
                    ...Object.keys(FINAL_CODES).filter((one) => /理由/.test(final(one, "理由"))),
                ];
            }"""
        )
        assert missing == ["1008"]  # for which the room has its own reason


@pytest.fixture
def files() -> Iterator[str]:
    """The tutorial's pages, from a server of their own, as they came from a development server."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(HERE))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class TestTheTutorialsPages:
    @pytest.mark.parametrize("classic", [True, False])
    def test_chat(self, page, files, classic):
        """Two pages join, talk, and one leaves."""
        room = chat.serve(classic=classic, language="zh")
        ming, hong = page.context.new_page(), page.context.new_page()
        for tab, name in ((ming, "小明"), (hong, "小红")):
            tab.goto(f"{files}tutorial_chat_page.html?url={room.url}")
            tab.get_by_placeholder("输入用户名").fill(name)
            tab.get_by_role("button", name="加入聊天").click()
            expect(tab.locator("p").last).to_have_text(f"Server: {name}加入了房间")
        for tab, text in ((ming, "你好"), (hong, "<b>再见</b>")):
            tab.get_by_placeholder("输入内容").fill(text)
            tab.get_by_role("button", name="发送").click()
            expect(ming.locator("p").last).to_contain_text(text)
        expect(hong.locator("p")).to_have_text(
            ["Server: 小红加入了房间", "小明: 你好", "小红: <b>再见</b>"]
        )
        hong.close()
        expect(ming.locator("p")).to_have_text(
            [
                "Server: 小明加入了房间",
                "Server: 小红加入了房间",
                "小明: 你好",
                "小红: <b>再见</b>",
                "Server: 小红离开了房间",
            ]
        )
        assert room.members == ["小明"]

    @pytest.mark.parametrize("variant", [1, 2])
    def test_heartbeat(self, page, files, variant):
        """Its beats come 3 s after each sign of life, and each is answered.

        The page's clock stands while an answer is on its way, because the page waits 5 s for it.
        """
        server = serve_heartbeat()
        page.clock.install(time=0)
        page.clock.pause_at(1)
        page.goto(f"{files}tutorial_heartbeat_page.html?url={server.url}&variant={variant}")
        for count in range(1, 5):
            until(page, lambda count=count: page.evaluate("log.length") >= count)
            assert page.evaluate("log") == ["open", ANSWER, ANSWER, ANSWER][:count]
            page.clock.run_for(3000)
        server.stop_now()
        until(page, lambda: "close" in page.evaluate("log"))


NOTEBOOK = "scratch_chat.ipynb"
CELLS = (
    "from wslab import lab\nfrom wslab.apps import chat\nroom = chat.serve()\nroom.page",
    "chat.ChatWidget(room)",
)


def output(page: Page, cell: int) -> Locator:
    return page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output")


def open_widget(page: Page, driver, *cells: str) -> tuple[Tab, str]:
    """Run the cells; return the widget and the address that the first one shows."""
    driver.lab.write_notebook(NOTEBOOK, *cells)
    driver.open_notebook(page, NOTEBOOK)
    driver.run_all(page)
    address = re.search(r"http://[\d.:]+/", output(page, 0).inner_text())
    assert address
    return Tab(page.get_by_role("group", name="Chat: ")), address[0]


class TestThePolicy:
    """What may be loaded by the page, and where it may be shown."""

    def test_it_connects_to_its_own_server_alone(self, page, room, console):
        tab = open_tab(page, room.page).join("Ada")
        blocked = """(url) => new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation", (e) => resolve(e.blockedURI));
            try {
                new WebSocket(url).onopen = () => resolve("open");
            } catch (error) {
                resolve(error.name);
            }
        })"""
        assert tab.page.evaluate(blocked, room.url) == "open"
        elsewhere = lab.serve(lab.echo, name="elsewhere")
        assert tab.page.evaluate(blocked, elsewhere.url) == elsewhere.url
        assert not elsewhere.events
        console.clear()

    def test_no_page_of_another_origin_frames_it(self, page, room, files, console):
        page.goto(f"{files}tutorial_heartbeat_page.html")
        console.clear()
        page.evaluate(
            "html => document.body.innerHTML = html", f"<iframe src={room.page}></iframe>"
        )
        until(page, lambda: any("frame-ancestors" in said for said in console))
        console.clear()


class TestTheWidget:
    def test_in_one_room_with_two_pages(self, page, driver):
        widget, address = open_widget(page, driver, *CELLS, "room.members, dict(room.refused)")
        ada, bob = open_tab(page, address).join("Ada"), open_tab(page, address).join("Bob")
        widget.join("小明")
        widget.say("from the notebook", HOSTILE)
        ada.say("from a page")
        bob.say("from another")
        for tab in (widget, ada, bob):
            tab.hears("from the notebook", HOSTILE, "from a page", "from another")
            expect(tab.members).to_have_text(["Ada", "Bob", "小明"])
        expect(widget.root.locator("img")).to_have_count(0)
        for theme in ("light", "dark"):
            driver.set_theme(page, theme)
            widget.root.scroll_into_view_if_needed()
            driver.screenshot(page, f"chat_widget_{theme}")
        ada.page.close()
        expect(widget.members).to_have_text(["Bob", "小明"])
        # Keys are the widget's: none of them is a command of JupyterLab.
        widget.message.press("d")
        widget.message.press("d")
        expect(page.locator(".jp-CodeCell")).to_have_count(3)

    def test_run_again_it_replaces_itself(self, page, driver):
        widget, _ = open_widget(page, driver, CELLS[0], "chat.ChatWidget(room)", CELLS[1])
        first, second = Tab(widget.root.first), Tab(widget.root.last)
        expect(first.problem).to_contain_text("Another widget of the same name")
        expect(first.status).to_have_text("Left")
        second.join("Ada")

    def test_a_new_room_in_its_place(self, page, driver):
        """The first cell runs again: another log, on the same port, and the widget says so."""
        widget, address = open_widget(page, driver, *CELLS)
        widget.join("Ada")
        widget.say("one")
        widget.hears("one")
        page.locator(".jp-CodeCell").first.click()
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Control+Enter")
        expect(widget.root.locator(".chat-gap")).to_contain_text("has forgotten what was said")
        widget.say("two")
        widget.hears("one", "two")
        open_tab(page, address).hears("two")

    @pytest.mark.parametrize("place", ["here", "elsewhere"])
    def test_behind_a_hub(self, page, hub, drive, place):
        """Through JupyterLab; the page came from elsewhere, and the room lets it in."""
        driver = drive(hub if place == "here" else hub.from_elsewhere())
        check = "room.members, dict(room.refused), room.admission.origins"
        widget, address = open_widget(page, driver, *CELLS, check)
        widget.join("Ada")
        other = open_tab(page, address).join("Bob")
        widget.say("hello")
        other.hears("hello")
        page.locator(".jp-CodeCell .cm-content").nth(2).click()
        page.keyboard.press("Control+Enter")
        expect(output(page, 2)).to_contain_text("['Ada', 'Bob']")
        if place == "here":
            expect(output(page, 2)).to_contain_text("{}")
        else:  # where the kernel is busy, the page does not wait, and is refused
            expect(output(page, 2)).to_contain_text(re.compile(r"\{('origin': \d+)?\}"))
            expect(output(page, 2)).to_contain_text("http://hub.test:")
        driver.screenshot(page, f"chat_widget_hub_{place}")

    @pytest.mark.parametrize("place", ["here", "elsewhere"])
    def test_the_page_behind_a_hub(self, page, hub, drive, place):
        """`room.page` leads through the user's proxy, also in a frame within the notebook."""
        driver = drive(hub if place == "here" else hub.from_elsewhere())
        on_hub = "import os\nos.environ['JUPYTERHUB_SERVICE_PREFIX'] = '/user/learner/'\n"
        frame = "from IPython.display import IFrame\nIFrame(room.page, 600, 300)"
        driver.lab.write_notebook(NOTEBOOK, on_hub + CELLS[0], frame)
        driver.open_notebook(page, NOTEBOOK)
        driver.run_all(page)
        path = output(page, 0).inner_text().strip("'")
        assert path.startswith("/user/learner/proxy/")
        ada = open_tab(page, urljoin(driver.lab.url, path)).join("Ada")
        framed = Tab(page.frame_locator("iframe[src*=proxy]").locator("body")).join("Bob")
        ada.say("through the proxy")
        framed.hears("through the proxy")

    def test_a_port_of_another_machine(self, page, driver):
        """As through ssh: the page is at 127.0.0.1, but the kernel's 127.0.0.1 is elsewhere."""
        page.add_init_script(
            """window.WebSocket = class extends WebSocket {
                constructor(url, protocols) {
                    super(new URL(url).pathname === "/" ? "ws://127.0.0.1:9/" : url, protocols);
                }
            }"""
        )
        widget, _ = open_widget(page, driver, *CELLS)
        widget.join("Ada")
        widget.say("far away")
        widget.hears("far away")

    def test_a_room_that_is_not_there(self, page, driver):
        widget, _ = open_widget(page, driver, *CELLS, "await room.stop()")
        expect(widget.status).to_have_text("Reconnecting")
        widget, _ = open_widget(
            page,
            driver,
            "from wslab.apps import chat\n'http://127.0.0.1:9/'",
            "chat.ChatWidget('ws://127.0.0.1:9/')",
        )
        expect(widget.problem).to_contain_text("Is the server running?")
