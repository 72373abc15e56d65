"""Messages between the processes of a cluster."""

import asyncio

import msgspec

from orchestrator.services.peers import Message, Peers
from orchestrator.store.notifier import Receive, Silence
from tests.support.hub import Hub


class Greeting(Message):
    """What the tests send."""

    text: str
    loud: bool = False


async def test_a_message_reaches_one_or_all_others_and_says_who_sent_it() -> None:
    hub = Hub()
    members = {name: Peers(hub.notifier(name)) for name in "abc"}
    heard: list[tuple[str, str, str]] = []
    for name, peers in members.items():
        peers.on(Greeting, lambda sender, message, name=name: heard.append((name, sender, message.text)))  # type: ignore[misc]
        await peers.start()

    members["a"].tell("b", Greeting("for b"))
    members["a"].tell_all(Greeting("for all"))
    await turn()

    assert sorted(heard) == [("b", "a", "for all"), ("b", "a", "for b"), ("c", "a", "for all")]


async def test_what_a_newer_version_says_is_read_as_far_as_it_is_known() -> None:
    hub = Hub()
    newer, older = hub.notifier("newer"), Peers(hub.notifier("older"))
    heard: list[Greeting] = []
    older.on(Greeting, lambda _, message: heard.append(message))
    await newer.start(lambda *_: None)
    await older.start()

    for body in (
        ("Unheard", ["of"]),
        ("Greeting", ["more", True, "than it had"]),
        ("Greeting", [7]),
        ("Greeting", ["fewer"]),
    ):
        newer.send("older", msgspec.msgpack.encode(body))
    newer.send("older", b"\xc1 not a message")
    await turn()

    assert heard == [Greeting("more", loud=True), Greeting("fewer")]


async def test_who_wants_to_know_hears_of_members_that_are_not_there() -> None:
    class Void(Silence):
        async def start(self, receive: Receive) -> None:
            receive("gone", b"")

    peers = Peers(Void())
    missed: list[str] = []
    peers.lost(missed.append)
    peers.lost(lambda member: missed.append(member.upper()))
    await peers.start()

    assert missed == ["gone", "GONE"]


async def test_a_handler_that_fails_does_not_keep_others_from_hearing() -> None:
    hub = Hub()
    one, other = Peers(hub.notifier("one")), Peers(hub.notifier("other"))
    heard: list[str] = []

    def handle(_: str, message: Greeting) -> None:
        heard.append(message.text)
        if message.text == "bad":
            raise ValueError(message.text)

    other.on(Greeting, handle)
    await one.start()
    await other.start()
    one.tell("other", Greeting("bad"))
    one.tell("other", Greeting("good"))
    await turn()

    assert heard == ["bad", "good"]


async def turn() -> None:
    """Lets everything that is due happen."""
    for _ in range(5):
        await asyncio.sleep(0)
