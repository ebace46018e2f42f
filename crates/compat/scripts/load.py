"""Creates znodes of every kind below a new path, with changes and deletions among them.

    python load.py HOST:PORT /PATH

It ends without closing its session, so that the ephemeral znodes stay.
"""

import os
import random
import sys
from collections import namedtuple

from kazoo.client import KazooClient
from kazoo.protocol.serialization import Create, long_struct
from kazoo.security import OPEN_ACL_UNSAFE, READ_ACL_UNSAFE, CREATOR_ALL_ACL, make_acl, make_digest_acl

SESSION_SECONDS = 600
USER = "loader:secret"
CONTAINER, TTL, TTL_SEQUENTIAL = 4, 5, 6


class CreateContainer(namedtuple("CreateContainer", "path data acl flags")):
    """`createContainer`, which kazoo does not have."""

    type = 19
    serialize = Create.serialize
    deserialize = Create.deserialize


class CreateTtl(namedtuple("CreateTtl", "path data acl flags ttl_ms")):
    """`createTTL`, which kazoo does not have."""

    type = 21
    deserialize = Create.deserialize

    def serialize(self):
        body = Create(self.path, self.data, self.acl, self.flags).serialize()
        return bytes(body) + long_struct.pack(self.ttl_ms)


def request(client, packet):
    result = client.handler.async_result()
    client._call(packet, result)
    return result.get(timeout=20)


def main():
    address, root = sys.argv[1:]
    chance = random.Random(root)
    client = KazooClient(hosts=address, timeout=SESSION_SECONDS, auth_data=[("digest", USER)])
    client.start(timeout=20)
    client.create(root, b"the root of one load")

    plain = root + "/plain"
    client.create(plain)
    # Requests of one session are carried out in the order they were sent.
    pending = []
    for number in range(300):
        pending.append(client.create_async("%s/n%03d" % (plain, number), chance.randbytes(chance.randrange(200))))
    for number in range(0, 300, 3):
        for _ in range(chance.randrange(1, 4)):
            pending.append(client.set_async("%s/n%03d" % (plain, number), chance.randbytes(chance.randrange(300))))
    for number in range(1, 300, 7):
        pending.append(client.delete_async("%s/n%03d" % (plain, number)))
    for _ in range(20):
        pending.append(client.create_async(root + "/sequential-", b"s", sequence=True))
    for result in pending:
        result.get(timeout=20)

    client.ensure_path(root + "/deep/" + "/".join("level%d" % level for level in range(30)))
    client.create(root + "/big", chance.randbytes(300_000))
    client.create(root + "/empty", b"")
    request(client, Create(root + "/null", None, OPEN_ACL_UNSAFE, 0))
    client.create(root + "/\u4e2d\u6587 with blanks \u00e9", "\u00fc".encode())
    client.create(root + "/ephemeral", b"e", ephemeral=True)
    client.create(root + "/ephemeral-sequential-", b"e", ephemeral=True, sequence=True)

    # The first child keeps a container; one without ever having a child is kept as well.
    request(client, CreateContainer(root + "/container", b"c", OPEN_ACL_UNSAFE, CONTAINER))
    client.create(root + "/container/child", b"")
    request(client, CreateContainer(root + "/container-unused", b"c", OPEN_ACL_UNSAFE, CONTAINER))
    day_ms = 24 * 3600 * 1000
    request(client, CreateTtl(root + "/ttl", b"t", OPEN_ACL_UNSAFE, TTL, day_ms))
    request(client, CreateTtl(root + "/ttl-", b"t", OPEN_ACL_UNSAFE, TTL_SEQUENTIAL, 2 * day_ms))

    client.create(root + "/read-only", b"r", acl=READ_ACL_UNSAFE)
    client.create(root + "/creator", b"c", acl=CREATOR_ALL_ACL)
    client.create(root + "/several", b"a", acl=[
        make_digest_acl("loader", "secret", all=True),
        make_digest_acl("other", "word", read=True),
        make_acl("ip", "10.0.0.0/8", read=True, write=True),
        make_acl("world", "anyone", read=True),
    ])
    client.create(root + "/changed-acl", b"")
    client.set_acls(root + "/changed-acl", CREATOR_ALL_ACL)
    client.set_acls(root + "/changed-acl", OPEN_ACL_UNSAFE)

    transaction = client.transaction()
    transaction.create(root + "/multi", b"1")
    transaction.create(root + "/multi/child", b"2")
    transaction.set_data(root + "/multi", b"3")
    transaction.check(root + "/multi", 1)
    transaction.create(root + "/multi/gone")
    transaction.delete(root + "/multi/gone")
    assert not any(isinstance(result, Exception) for result in transaction.commit())
    # One that fails is in the log as well.
    transaction = client.transaction()
    transaction.create(root + "/never")
    transaction.delete(root + "/nothing-there")
    assert any(isinstance(result, Exception) for result in transaction.commit())

    quota = "/zookeeper/quota" + root
    client.create(quota)
    client.create(quota + "/zookeeper_limits", b"count=1000,bytes=100000")
    client.create(quota + "/zookeeper_stats", b"count=0,bytes=0")
    client.create(root + "/counted", b"12345")
    client.set(root + "/counted", b"1234567890")

    # A session that closes in order takes its ephemerals along.
    other = KazooClient(hosts=address, timeout=SESSION_SECONDS)
    other.start(timeout=20)
    other.create(root + "/closed-ephemeral", b"", ephemeral=True)
    other.stop()
    other.close()

    sys.stdout.flush()
    # Not through exit: that would close the session.
    os._exit(0)


main()
