#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A subscriber of the event stream, from the protocol's description alone: SP over a local socket.

stream_subscriber.py SOCKET FOLDER: until the other side closes; JSON lines go to FOLDER/json, the first OTLP
requests to FOLDER/traces-….bin. Prints "joined", and at the end how many messages there were.
"""
import os
import socket
import struct
import sys

OTLP_FILES = 300


class Closed(Exception):
    pass


def connect(path, mine, theirs):
    """The connection, after both have greeted."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.sendall(b"\0SP\0\0" + bytes([mine]) + b"\0\0")
    greeting = read(s, 8)
    assert greeting == b"\0SP\0\0" + bytes([theirs]) + b"\0\0", greeting
    return s


def read(s, size):
    data = b""
    while len(data) < size:
        more = s.recv(min(size - len(data), 1 << 20))
        if not more:
            raise Closed
        data += more
    return data


def messages(s):
    f = s.makefile("rb", 1 << 16)
    while True:
        head = f.read(9)
        if len(head) < 9:
            return
        kind, size = struct.unpack(">BQ", head)
        assert kind == 1 and size < 1 << 20, head
        body = f.read(size)
        if len(body) < size:
            return
        yield body


def main():
    path, folder = sys.argv[1:]
    s = connect(path, 0x21, 0x20)
    print("joined", flush=True)
    counts = {b"json ": 0, b"otlp ": 0}
    with open(os.path.join(folder, "json"), "wb", buffering=0) as lines:
        for message in messages(s):
            topic, rest = message[:5], message[5:]
            counts[topic] += 1
            if topic == b"json ":
                assert rest.endswith(b"}\n") and rest.count(b"\n") == 1, rest
                lines.write(rest)
            elif counts[topic] <= OTLP_FILES:
                with open(os.path.join(folder, "traces-%05d.bin" % counts[topic]), "wb") as f:
                    f.write(rest)
    print("messages", sum(counts.values()))


if __name__ == "__main__":
    main()
