"""A network whose every wire can be cut, slowed and made lossy, in one direction at a time.

    network.py NAMESPACE=ADDRESS... -=ADDRESS

Each station is a network namespace that exists already, or `-` for the one this script runs in; all addresses lie in one /24. Every
station gets a TUN device, and this script carries the packets from one to the other. Commands come line by line on standard input and
are answered with `ok` when they are in force:

    link FROM TO DELAY_MS LOSS_PERCENT [PORT]   packets of this direction are delayed, and lost at random; 100 loses all of them. With a
                                                port only packets from or to that TCP port, and before any rule without one.
    heal                                        every link is perfect again.

The end of standard input ends the network. A kernel's netem would do most of this, but not every kernel has it.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
TCP = 6
PACKET_BYTES_MAX = 65536


def open_station(number, namespace, address):
    """Makes a TUN device, puts it into the namespace, and gives its descriptor."""
    name = f"ox{os.getpid()}n{number}"[:15]
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    within = []
    if namespace != "-":
        subprocess.check_call(["ip", "link", "set", name, "netns", namespace])
        within = ["-n", namespace]
        subprocess.check_call(["ip", *within, "link", "set", "lo", "up"])
    subprocess.check_call(["ip", *within, "addr", "add", f"{address}/24", "dev", name])
    subprocess.check_call(["ip", *within, "link", "set", name, "up"])
    return tun


def packed(address):
    return bytes(int(part) for part in address.split("."))


def ports(packet):
    """The two TCP ports, or none."""
    start = (packet[0] & 15) * 4
    if packet[9] != TCP or len(packet) < start + 4:
        return ()
    return struct.unpack_from("!HH", packet, start)


def main():
    stations = {}
    for number, argument in enumerate(sys.argv[1:]):
        namespace, address = argument.split("=")
        stations[packed(address)] = open_station(number, namespace, address)
    descriptors = set(stations.values())
    rules = {}
    waiting = []
    serial = 0
    pending = b""
    print("ok", flush=True)
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([0, *descriptors], [], [], timeout)
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, tun, packet = heapq.heappop(waiting)
            write(tun, packet)
        for descriptor in ready:
            if descriptor == 0:
                received = os.read(0, 4096)
                if not received:
                    return
                pending += received
                while b"\n" in pending:
                    line, pending = pending.split(b"\n", 1)
                    command(line.decode().split(), rules)
                    print("ok", flush=True)
                continue
            try:
                packet = os.read(descriptor, PACKET_BYTES_MAX)
            except BlockingIOError:
                continue
            # Only IPv4: the stations have no other addresses.
            if len(packet) < 20 or packet[0] >> 4 != 4:
                continue
            to = stations.get(packet[16:20])
            if to is None:
                continue
            delay, loss = rule_for(packet, rules)
            if loss and random.random() * 100 < loss:
                continue
            if delay:
                serial += 1
                heapq.heappush(waiting, (now + delay, serial, to, packet))
            else:
                write(to, packet)


def rule_for(packet, rules):
    if not rules:
        return 0, 0
    ends = packet[12:20]
    for port in ports(packet):
        found = rules.get((ends, port))
        if found:
            return found
    return rules.get((ends, None), (0, 0))


def command(words, rules):
    if words[0] == "heal":
        rules.clear()
        return
    _, source, target, delay, loss, *port = words
    key = (packed(source) + packed(target), int(port[0]) if port else None)
    rules[key] = (int(delay) / 1000, int(loss))


def write(tun, packet):
    try:
        os.write(tun, packet)
    except OSError:
        # A full queue, or a device that is going away: a network loses packets.
        pass


if __name__ == "__main__":
    main()
