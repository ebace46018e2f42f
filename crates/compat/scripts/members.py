"""What clients see of an ensemble, whichever members they talk to: a transcript to be compared with that of another ensemble.

    members.py NUMBER=HOST:PORT...

Members 1, 2 and 3 vote and 3 leads at first, member 4 observes. Each story begins with a line `== NAME`; a story that breaks off
prints its traceback and the next one goes on. Lines `kill N` and `start N` are for whoever started this script: what they ask for is
done, and answered with a line on standard input, before the script goes on.
"""

import sys
import threading
import time
import traceback

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException
from kazoo.protocol.connection import _CONNECTION_DROP
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.queue import LockingQueue
from kazoo.security import CREATOR_ALL_ACL, make_acl, make_digest_acl

LEADER, FOLLOWERS, OBSERVER = 3, (1, 2), 4
# One member of each role, and all of them.
PLACES = {"leader": (3,), "follower": (1,), "observer": (4,), "all": (1, 2, 3, 4)}
SESSION_SECONDS = 30
# How long anything may take that is waited for.
PATIENCE_SECONDS = 60
POLL_SECONDS = 0.01

MEMBERS = {}
CLIENTS = []


def say(*words):
    print(*words, flush=True)


def until(what, look):
    """Looks again and again until there is something, and gives it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_SECONDS} s for {what}")
        time.sleep(POLL_SECONDS)


def at(*sids, **options):
    """A client of these members, which it tries in this order."""
    hosts = ",".join(MEMBERS[sid] for sid in sids)
    client = KazooClient(hosts=hosts, timeout=SESSION_SECONDS, randomize_hosts=False, **options)
    CLIENTS.append(client)
    client.start(timeout=PATIENCE_SECONDS)
    return client


def farewell():
    while CLIENTS:
        client = CLIENTS.pop()
        client.stop()
        client.close()


def where(client):
    """The number of the member that a client is connected to."""
    port = until("a connection", lambda: client.connected and client._connection._socket.getpeername()[1])
    return next(sid for sid, address in MEMBERS.items() if address.endswith(f":{port}"))


def told(function, *arguments, **options):
    """What a call gives, or the name of its error."""
    try:
        return function(*arguments, **options)
    except KazooException as error:
        return type(error).__name__


def patiently(function, *arguments):
    """Repeats a call until it is answered: a connection may be gone, or the member without a leader."""
    until("an answer", lambda: not isinstance(told(function, *arguments), str))


def stat(stat):
    """What of a Stat is equal wherever the same was done."""
    owner = "ephemeral" if stat.ephemeralOwner else "persistent"
    changed = "unchanged" if stat.mzxid == stat.czxid else "changed"
    versions = f"v{stat.version} c{stat.cversion} a{stat.aversion}"
    return f"{versions} {stat.dataLength}B {stat.numChildren} children {owner} {changed}"


def whole(client, root):
    """A subtree as one text, zxids and times with it."""
    data, seen = client.get(root)
    acls, _ = client.get_acls(root)
    lines = [f"{root} {data} {tuple(seen)} {acls}"]
    for name in sorted(client.get_children(root)):
        lines.append(whole(client, f"{root}/{name}"))
    return "\n".join(lines)


def same_everywhere(root):
    """Whether all members show the same after a sync."""
    trees = []
    for sid in MEMBERS:
        client = at(sid)
        client.sync(root)
        trees.append(whole(client, root))
    return len(set(trees)) == 1


def operations():
    for place, sids in PLACES.items():
        client = at(*sids)
        root = f"/operations-{place}"
        say(place, client.create(root, b"root"), client.get(root)[0])
        say(told(client.create, root), told(client.create, f"{root}/no/parent"), told(client.get, f"{root}/nothing"))
        say(stat(client.set(root, b"again")), told(client.set, root, b"x", version=7), stat(client.exists(root)))
        say(client.exists(f"{root}/nothing"), told(client.delete, f"{root}/nothing"))
        names = [client.create(f"{root}/s-", sequence=True) for _ in range(3)]
        client.delete(names[1])
        names.append(client.create(f"{root}/s-", sequence=True))
        say(names, sorted(client.get_children(root)))
        path, seen = client.create(f"{root}/mine", b"e", ephemeral=True, include_data=True)
        say(path, stat(seen), told(client.create, f"{root}/mine/child"), told(client.delete, root))
        say(client.create(f"{root}/mine-", ephemeral=True, sequence=True))
        transaction = client.transaction()
        transaction.create(f"{root}/multi", b"1")
        transaction.set_data(f"{root}/multi", b"2")
        transaction.check(f"{root}/multi", 1)
        transaction.create(f"{root}/multi/child-", sequence=True)
        transaction.delete(names[0])
        results = transaction.commit()
        say([stat(result) if hasattr(result, "czxid") else result for result in results])
        transaction = client.transaction()
        transaction.create(f"{root}/never")
        transaction.check(root, 9)
        transaction.set_data(root, b"never")
        say([type(result).__name__ for result in transaction.commit()], client.exists(f"{root}/never"))
        children, seen = client.get_children(root, include_data=True)
        say(sorted(children), stat(seen), client.ensure_path(f"{root}/a/b/c"))
        say(told(client.create, f"{root}/big", b"x" * 900_000), client.get(f"{root}/big")[1].dataLength)
        say("the same everywhere:", same_everywhere(root))
        farewell()
        client = at(*sids)
        client.sync(root)
        say("after the session:", sorted(client.get_children(root)))
        client.delete(root, recursive=True)
        farewell()


def watches():
    """Who watches at one member and who changes at another."""
    for watching, changing in ((4, 3), (1, 4), (3, 1), (2, 1), (1, 1)):
        watcher, changer = at(watching), at(changing)
        root = f"/watches-{watching}-{changing}"
        events = []

        def seen(event):
            events.append(f"{event.type} {event.path[len(root):] or '.'}")

        watcher.create(root)
        changer.sync(root)
        steps = (
            (lambda: watcher.exists(f"{root}/later", watch=seen), lambda: changer.create(f"{root}/later", b"1")),
            (lambda: watcher.get(f"{root}/later", watch=seen), lambda: changer.set(f"{root}/later", b"2")),
            (lambda: watcher.get_children(root, watch=seen), lambda: changer.create(f"{root}/child")),
            (lambda: watcher.get_children(root, watch=seen), lambda: changer.delete(f"{root}/child")),
            (lambda: watcher.exists(f"{root}/later", watch=seen), lambda: changer.delete(f"{root}/later")),
        )
        for watch, change in steps:
            watcher.sync(root)
            watch()
            before = len(events)
            change()
            until("an event", lambda: len(events) > before)
        # One change, two watches; and what nobody watches any more is not told.
        watcher.get_children(root, watch=seen)
        watcher.get(root, watch=seen)
        transaction = changer.transaction()
        transaction.set_data(root, b"multi")
        transaction.create(f"{root}/child")
        transaction.commit()
        until("both events", lambda: len(events) == 7)
        changer.set(root, b"unwatched")
        watcher.sync(root)
        watcher.get(root)
        say(f"watched at {watching}, changed at {changing}:", events[:5], sorted(events[5:]))
        changer.delete(root, recursive=True)
        farewell()


def freshness():
    """A sync shows what was written at another member, and a session sees what itself has written."""
    for writing, reading in ((3, 1), (1, 2), (2, 4), (4, 1), (3, 4)):
        writer, reader = at(writing), at(reading)
        root = f"/freshness-{writing}-{reading}"
        writer.create(root)
        stale = own = 0
        for number in range(50):
            value = b"%d" % number
            writer.set(root, value)
            own += writer.get(root)[0] != value
            reader.sync(root)
            stale += reader.get(root)[0] != value
        say(f"written at {writing}, read at {reading}: {stale} of 50 stale after a sync, {own} of the writer's own")
        writer.delete(root)
        farewell()


def access():
    """Who may what is the same at every member."""
    owner = at(1, auth_data=[("digest", "owner:secret")])
    owner.create("/access", b"data", acl=CREATOR_ALL_ACL)
    readable = [make_digest_acl("owner", "secret", all=True), make_acl("world", "anyone", read=True)]
    owner.create("/access/read", b"data", acl=readable)
    owner.create("/access/here", b"data", acl=[make_acl("ip", "127.0.0.1", all=True)])
    owner.create("/access/there", b"data", acl=[make_acl("ip", "10.0.0.0/8", all=True)])
    for sid in MEMBERS:
        stranger = at(sid)
        stranger.sync("/")
        seen = [told(stranger.get, path) for path in ("/access", "/access/read", "/access/here", "/access/there")]
        say(sid, "stranger:", [one if isinstance(one, str) else "read" for one in seen])
        say(told(stranger.set, "/access/read", b"x"), told(stranger.create, "/access/new"), told(stranger.get_acls, "/access"))
        stranger.add_auth("digest", "owner:wrong")
        say("wrong password:", told(stranger.get, "/access"))
        stranger.add_auth("digest", "owner:secret")
        say("right password:", stranger.get("/access")[0], stranger.get_acls("/access")[0])
        say(stat(stranger.set_acls("/access/read", CREATOR_ALL_ACL)), told(stranger.add_auth, "nosuch", "x"))
        superuser = at(sid, auth_data=[("digest", "super:test")])
        say("super:", superuser.get("/access/there")[0])
        farewell()
    say("the same everywhere:", same_everywhere("/access/here"))
    superuser = at(4, auth_data=[("digest", "super:test")])
    superuser.delete("/access", recursive=True)
    farewell()


def together(clients, work):
    """Each client works on a thread of its own; what goes wrong in one goes wrong here."""
    trouble = []

    def carefully(number, client):
        try:
            work(number, client)
        except Exception:
            trouble.append(traceback.format_exc())

    threads = [threading.Thread(target=carefully, args=pair, daemon=True) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        if thread.is_alive():
            raise TimeoutError("a recipe does not end")
    if trouble:
        raise RuntimeError("\n".join(trouble))


def recipes():
    """Each recipe with a client at every member."""
    clients = [at(sid) for sid in MEMBERS]
    first = clients[0]
    root = "/recipes"
    for name in ("", "/locked", "/counted"):
        first.create(root + name, b"0")

    def locked(number, client):
        lock = client.Lock(f"{root}/lock", f"client {number}")
        for _ in range(10):
            with lock:
                # Not guarded by anything else: two holders would lose an increment.
                value = int(client.get(f"{root}/locked")[0])
                client.set(f"{root}/locked", b"%d" % (value + 1))

    together(clients, locked)
    clients[3].sync(root)
    say("locked increments:", clients[3].get(f"{root}/locked")[0])

    holders, most, guard = [], [], threading.Lock()

    def leased(number, client):
        semaphore = client.Semaphore(f"{root}/semaphore", max_leases=2)
        for _ in range(5):
            with semaphore:
                with guard:
                    holders.append(number)
                    most.append(len(holders))
                client.get(root)
                with guard:
                    holders.remove(number)

    together(clients, leased)
    say("leases:", len(most), "more than two at once:", max(most) > 2)

    kinds = []

    def read_or_write(number, client):
        lock = client.WriteLock(f"{root}/rw") if number == 0 else client.ReadLock(f"{root}/rw")
        for _ in range(5):
            with lock:
                with guard:
                    kinds.append(number)
                    wrong = number != 0 and 0 in kinds or number == 0 and len(kinds) > 1
                client.get(root)
                with guard:
                    kinds.remove(number)
                if wrong:
                    raise RuntimeError("a writer is not alone")

    together(clients, read_or_write)
    say("readers and a writer: in order")

    leaders = []
    elections = [client.Election(f"{root}/election", f"client {number}") for number, client in enumerate(clients)]
    threads = []
    gate = threading.Event()

    def leads(number):
        gate.wait(PATIENCE_SECONDS)
        leaders.append(number)

    for number, election in enumerate(elections):
        threads.append(threading.Thread(target=election.run, args=(leads, number), daemon=True))
        threads[-1].start()
        until("a contender", lambda: len(elections[0].contenders()) == number + 1)
    say("contenders:", elections[2].contenders())
    gate.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    say("led in this order:", leaders)

    barrier = first.Barrier(f"{root}/barrier")
    barrier.create()
    passed = []

    def waits(number, client):
        client.sync(root)
        if number == 0:
            until("nobody to pass", lambda: not passed)
            barrier.remove()
        elif client.Barrier(f"{root}/barrier").wait(PATIENCE_SECONDS):
            passed.append(number)

    together(clients, waits)
    say("passed the barrier:", sorted(passed))

    inside = []

    def enters(number, client):
        double = client.DoubleBarrier(f"{root}/double", len(clients), f"client {number}")
        double.enter()
        inside.append(number)
        until("all to be inside", lambda: len(inside) == len(clients))
        double.leave()

    together(clients, enters)
    say("passed the double barrier:", sorted(inside))

    def counts(number, client):
        counter = client.Counter(f"{root}/counter")
        for _ in range(5):
            counter += number + 1

    together(clients, counts)
    clients[2].sync(root)
    say("counter:", clients[2].Counter(f"{root}/counter").value)

    taken = []

    def queues(number, client):
        queue = client.Queue(f"{root}/queue")
        for item in range(5):
            queue.put(b"%d-%d" % (number, item))
        for _ in range(5):
            taken.append(until("an item", queue.get))

    together(clients, queues)
    say("queued:", len(taken), "each once:", len(set(taken)) == 20)

    consumed = []

    def locking(number, client):
        queue = LockingQueue(client, f"{root}/locking")
        queue.put_all([b"%d-%d" % (number, item) for item in range(3)])
        for _ in range(3):
            consumed.append(queue.get(PATIENCE_SECONDS))
            queue.consume()

    together(clients, locking)
    say("consumed:", len(consumed), "each once:", len(set(consumed)) == 12)

    parties = [client.Party(f"{root}/party", f"client {number}") for number, client in enumerate(clients)]
    for party in parties:
        party.join()
    clients[3].sync(root)
    say("party:", sorted(parties[3]))
    for party in parties:
        party.leave()

    ready = threading.Event()
    cache = TreeCache(clients[3], f"{root}/cached")
    cache.listen(lambda event: event.event_type == TreeEvent.INITIALIZED and ready.set())
    cache.start()
    ready.wait(PATIENCE_SECONDS)
    for step in range(3):
        first.ensure_path(f"{root}/cached/a/{step}")
        first.set(f"{root}/cached/a/{step}", b"cached")
    first.delete(f"{root}/cached/a/1")
    until("the cache", lambda: cache.get_children(f"{root}/cached/a") == frozenset({"0", "2"}))

    def is_cached():
        node = cache.get_data(f"{root}/cached/a/2")
        return node is not None and node.data == b"cached"

    until("the cache", is_cached)
    say("cached:", sorted(cache.get_children(f"{root}/cached/a")))
    cache.close()
    first.delete(root, recursive=True)
    farewell()


class Traveller:
    """A client with everything a session can have, and what it hears."""

    def __init__(self, root, *sids):
        self.root = root
        self.states = []
        self.data = []
        self.children = []
        self.client = at(*sids, auth_data=[("digest", "traveller:secret")])
        self.identity = self.client.client_id[0]
        self.client.create(root, b"start", acl=CREATOR_ALL_ACL)
        self.client.create(f"{root}/ephemeral", b"e", ephemeral=True, acl=CREATOR_ALL_ACL)
        self.lock = self.client.Lock(f"{root}/lock", "traveller")
        self.lock.acquire()
        self.client.add_listener(self.states.append)
        self.client.DataWatch(root)(lambda data, stat: self.data.append(data))
        self.client.ChildrenWatch(root)(lambda children: self.children.append(sorted(children)))
        until("both watches", lambda: self.data and self.children)

    def tell(self, words):
        """How the session stands."""
        kept = self.client.client_id[0] == self.identity
        own = self.client.get(f"{self.root}/ephemeral")[1].ephemeralOwner == self.identity
        say(words, "session kept:", kept, "ephemeral its own:", own, "lock held:", self.lock.is_acquired)

    def go_on(self, sids):
        """Waits for the connection to one of these."""
        until("another member", lambda: self.client.connected and where(self.client) in sids)
        # The watches are set again by threads of kazoo's own.
        self.client.retry(self.client.sync, self.root)


def changes(traveller, writer, value):
    """Data and children changed elsewhere are told to the traveller, the last state at least."""
    writer.set(traveller.root, value)
    writer.create(f"{traveller.root}/{value.decode()}")
    until("the data", lambda: traveller.data[-1] == value)
    until("the children", lambda: value.decode() in traveller.children[-1])


def moved():
    """A session goes from member to member and stays what it is."""
    traveller = Traveller("/moved", 1)
    for sid in (4, 3, 2, 1):
        traveller.client.set_hosts(MEMBERS[sid])
        traveller.client._call(_CONNECTION_DROP, None)
        traveller.go_on((sid,))
        traveller.tell(f"at {where(traveller.client)}:")
        other = at(sid % 4 + 1, auth_data=[("digest", "traveller:secret")])
        other.sync("/")
        changes(traveller, other, b"at-%d" % sid)
        say(traveller.children[-1], told(other.Lock(f"{traveller.root}/lock").acquire, blocking=False))
    say(traveller.states == [KazooState.SUSPENDED, KazooState.CONNECTED] * 4)
    traveller.client.delete(traveller.root, recursive=True)
    farewell()


def killed():
    """The server of a client is killed: the session goes on at another member."""
    for name, first, rest in (("observer", 4, (1,)), ("follower", 1, (2,)), ("leader", 3, (4, 1, 2))):
        traveller = Traveller(f"/killed-{name}", first, *rest)
        other = at(2, auth_data=[("digest", "traveller:secret")])
        contender = other.Lock(f"{traveller.root}/lock", "contender")
        say(name, "before:", where(traveller.client))
        order("kill", first)
        patiently(other.set, traveller.root, b"away")
        traveller.go_on(rest)
        until("what was missed", lambda: traveller.data[-1] == b"away")
        traveller.tell("after:")
        changes(traveller, other, b"later")
        say(traveller.children[-1], "taken by another:", contender.acquire(blocking=False))
        say("lost:", KazooState.LOST in traveller.states, "connected:", traveller.states[-1] == KazooState.CONNECTED)
        order("start", first)
        back = at(first, auth_data=[("digest", "traveller:secret")])
        back.sync("/")
        say("back:", back.get(traveller.root)[0], sorted(back.get_children(traveller.root)))
        # In the end its ephemerals and its lock go with it.
        traveller.client.stop()
        say("another has it now:", contender.acquire(timeout=PATIENCE_SECONDS))
        contender.release()
        back.sync("/")
        say(sorted(back.get_children(traveller.root)), "the same everywhere:", equal_for_owner(traveller.root))
        back.delete(traveller.root, recursive=True)
        farewell()


def equal_for_owner(root):
    """As same_everywhere, for what only the traveller may read."""
    trees = []
    for sid in MEMBERS:
        client = at(sid, auth_data=[("digest", "traveller:secret")])
        client.sync(root)
        trees.append(whole(client, root))
    return len(set(trees)) == 1


def order(what, sid):
    """Has somebody do something to a member."""
    say(what, sid)
    if sys.stdin.readline().strip() != "ok":
        raise RuntimeError(f"{what} {sid} was refused")


def main():
    for word in sys.argv[1:]:
        sid, address = word.split("=")
        MEMBERS[int(sid)] = address
    for story in (operations, watches, freshness, access, recipes, moved, killed):
        say("==", story.__name__)
        try:
            story()
        except Exception:
            say(traceback.format_exc())
            farewell()


main()
