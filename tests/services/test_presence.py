"""What processes know of each other's polls, whatever becomes of the messages."""

from orchestrator.core.wire import SECOND
from orchestrator.services.peers import Peers
from orchestrator.services.pollers import PollerInfo, QueueKey
from orchestrator.services.presence import NOW, SILENT, Polled, Presence, home_of
from orchestrator.store.notifier import Receive

QUEUE = QueueKey("namespace", "queue", 1)
ANOTHER = QueueKey("namespace", "another", 1)


class Wire:
    """Members whose messages are carried when the test says so."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND
        self.members: dict[str, Mate] = {}
        self.under_way: list[tuple[str, str, bytes]] = []

    def carry(self) -> None:
        """Delivers all there is, and what is sent because of it."""
        while self.under_way:
            sender, to, message = self.under_way.pop(0)
            for name, mate in self.members.items():
                if name != sender and to in ("", name) and mate.receive is not None:
                    mate.receive(sender, message)

    def lose(self) -> None:
        """Loses all there is."""
        self.under_way.clear()


class Mate:
    """A member: its notifier, what it polls, and what it knows."""

    connected = True

    def __init__(self, wire: Wire, name: str) -> None:
        self.member = name
        self.wire = wire
        self.receive: Receive | None = None
        self.moved: list[set[QueueKey]] = []
        self.polled: dict[QueueKey, Polled] = {}
        self.peers = Peers(self)
        self.presence = Presence(self.peers, lambda: wire.now, self.moved.append)
        wire.members[name] = self

    async def start(self, receive: Receive) -> None:
        self.receive = receive

    async def stop(self) -> None:
        self.receive = None

    def send(self, to: str, message: bytes) -> None:
        self.wire.under_way.append((self.member, to, message))

    def poll(self, key: QueueKey, last_poll: int = NOW) -> None:
        """Polls a queue, and tells it."""
        self.polled[key] = Polled(key, last_poll, (PollerInfo(f"worker of {self.member}", last_poll, None),))
        self.presence.tell([self.polled[key]])

    def look(self) -> None:
        """What happens once a second."""
        self.presence.look(list(self.polled.values()))


async def company(*names: str) -> tuple[Wire, list[Mate]]:
    """Members that know each other."""
    wire = Wire()
    mates = [Mate(wire, name) for name in names]
    for mate in mates:
        await mate.peers.start()
        mate.look()
    wire.carry()
    for mate in mates:
        mate.look()
    wire.carry()
    return wire, mates


async def test_a_first_poll_is_known_everywhere_at_once() -> None:
    wire, (a, b, c) = await company("a", "b", "c")
    b.poll(QUEUE)
    wire.carry()

    assert a.presence.elsewhere(QUEUE) == c.presence.elsewhere(QUEUE) == ["b"]
    assert b.presence.elsewhere(QUEUE) == []
    assert a.presence.home(QUEUE) == "b"
    assert b.presence.home(QUEUE) == ""
    assert {QUEUE} in a.moved


async def test_all_agree_about_the_home_of_a_queue() -> None:
    wire, mates = await company("a", "b", "c", "d")
    keys = [QueueKey("namespace", f"queue-{number}", 1) for number in range(60)]
    for key in keys:
        for mate in mates[:3]:
            mate.poll(key)
    wire.carry()
    homes = {key: {mate.presence.home(key) or mate.member for mate in mates[:3]} for key in keys}

    assert all(len(found) == 1 for found in homes.values())
    assert {name for found in homes.values() for name in found} == {"a", "b", "c"}
    assert all(mates[3].presence.home(key) in homes[key] for key in keys)


async def test_who_missed_a_change_hears_of_it_with_the_next_sign_of_life() -> None:
    wire, (a, b) = await company("a", "b")
    b.poll(QUEUE)
    wire.lose()
    assert a.presence.elsewhere(QUEUE) == []
    for _ in range(2):
        b.look()
    wire.carry()

    assert a.presence.elsewhere(QUEUE) == ["b"]


async def test_who_missed_a_change_asks_when_the_next_one_comes() -> None:
    wire, (a, b) = await company("a", "b")
    b.poll(QUEUE)
    wire.lose()
    b.poll(ANOTHER)
    wire.carry()

    assert a.presence.elsewhere(QUEUE) == a.presence.elsewhere(ANOTHER) == ["b"]


async def test_doubled_and_disordered_changes_end_in_the_last_state() -> None:
    wire, (a, b) = await company("a", "b")
    b.poll(QUEUE)
    b.poll(ANOTHER)
    b.polled.pop(QUEUE)
    b.look()
    wire.under_way = [*reversed(wire.under_way), *wire.under_way]
    wire.carry()

    assert a.presence.elsewhere(QUEUE) == []
    assert a.presence.elsewhere(ANOTHER) == ["b"]


async def test_a_silent_member_is_forgotten_and_comes_back() -> None:
    wire, (a, b) = await company("a", "b")
    b.poll(QUEUE)
    wire.carry()
    wire.now += SILENT + 1
    a.look()
    assert a.presence.elsewhere(QUEUE) == []
    assert a.presence.alone
    assert a.moved[-1] == {QUEUE}

    wire.lose()
    for _ in range(2):
        b.look()
    wire.carry()
    assert a.presence.elsewhere(QUEUE) == ["b"]


async def test_a_member_that_leaves_is_forgotten_at_once_and_answers_nobody() -> None:
    wire, (a, b) = await company("a", "b")
    a.poll(QUEUE)
    b.poll(QUEUE)
    wire.carry()
    b.presence.leave()
    wire.carry()
    c = Mate(wire, "c")
    await c.peers.start()
    c.look()
    wire.carry()

    assert a.presence.elsewhere(QUEUE) == []
    assert c.presence.elsewhere(QUEUE) == ["a"]
    assert b.presence.home(QUEUE) == "a", "what it has in mind is for those that stay"


async def test_without_a_connection_each_process_is_on_its_own() -> None:
    wire, (a, b) = await company("a", "b")
    for mate in (a, b):
        mate.poll(QUEUE)
    wire.carry()
    for mate in (a, b):
        mate.connected = False
        mate.look()
    assert [mate.presence.home(QUEUE) for mate in (a, b)] == ["", ""]

    for mate in (a, b):
        mate.connected = True
        mate.look()
    wire.carry()
    assert a.presence.elsewhere(QUEUE) == ["b"]
    assert b.presence.elsewhere(QUEUE) == ["a"]


async def test_a_queue_without_recent_polls_is_remembered_but_has_no_home() -> None:
    wire, (a, b) = await company("a", "b")
    b.poll(QUEUE, last_poll=wire.now - 60 * SECOND)
    wire.carry()

    assert a.presence.elsewhere(QUEUE) == []
    assert a.presence.last_poll(QUEUE) == wire.now - 60 * SECOND
    assert [info.identity for info in a.presence.pollers(QUEUE)] == ["worker of b"]


def test_homes_move_only_where_members_come_or_go() -> None:
    keys = [QueueKey("namespace", f"queue-{number}", number % 2 + 1) for number in range(300)]
    before = {key: home_of(key, ["a", "b", "c"]) for key in keys}
    after = {key: home_of(key, ["a", "b", "c", "d"]) for key in keys}

    assert {after[key] for key in keys if after[key] != before[key]} == {"d"}
