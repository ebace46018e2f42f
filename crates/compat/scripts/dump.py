"""Prints the whole tree of a server, one znode a line: path, data, every field of the stat, ACL.

    python dump.py HOST:PORT
"""

import json
import sys

from kazoo.client import KazooClient

# The user whose znodes load.py protects.
USER = "loader:secret"


def main():
    client = KazooClient(hosts=sys.argv[1], auth_data=[("digest", USER)], timeout=30)
    client.start(timeout=20)
    lines = {}
    level = ["/"]
    while level:
        # All requests of one depth are on the way together.
        asked = [
            (path, client.get_async(path), client.get_acls_async(path), client.get_children_async(path))
            for path in level
        ]
        level = []
        for path, data, acls, names in asked:
            data, stat = data.get(timeout=20)
            acls = [[acl.perms, acl.id.scheme, acl.id.id] for acl in acls.get(timeout=20)[0]]
            data = None if data is None else data.hex()
            lines[path] = json.dumps([path, data, stat._asdict(), acls])
            level.extend(path.rstrip("/") + "/" + name for name in names.get(timeout=20))
    for path in sorted(lines):
        print(lines[path])
    client.stop()


main()
