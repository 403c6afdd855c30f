#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Plays captures of story_captures.py on a link, all at the same time, each frame at its own end.

  send_stories.py NS_A IF_A NS_B IF_B PLAYED CAPTURE…

What the client's side sent leaves through IF_A, what the server's sent through IF_B. No pause gets
shorter than it is in the capture: what is late moves all that follows. PLAYED is a capture of all
frames with the times at which they left. Exit status 75: the machine was too slow for the times to mean
what they should.
"""
import ctypes
import heapq
import os
import socket
import struct
import sys
import time

CLIENT_MAC = bytes.fromhex("020000000601")
CLONE_NEWNET = 0x40000000
APART_NS = 3000000       # from story to story
TOO_LATE_NS = 8000000    # less than half of the shortest pause that the expectations show
NEAR_NS = 300000


def read(path):
    """[(ns, frame)]"""
    with open(path, "rb") as capture:
        data = capture.read()
    magic = struct.unpack_from("=I", data)[0]
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[magic]
    at, frames = 24, []
    while at < len(data):
        seconds, part, size, _ = struct.unpack_from("=IIII", data, at)
        frames.append((seconds * 10**9 + part * unit, data[at + 16:at + 16 + size]))
        at += 16 + size
    return frames


def write(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        for ns, frame in frames:
            out.write(struct.pack("=IIII", ns // 10**9, ns % 10**9, len(frame), len(frame)) + frame)


def open_link(namespace, interface):
    with open("/run/netns/" + namespace) as where:
        if ctypes.CDLL(None, use_errno=True).setns(where.fileno(), CLONE_NEWNET):
            sys.exit("%s: %s" % (namespace, os.strerror(ctypes.get_errno())))
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((interface, 0))
    return link


def play(stories, link_of):
    """Returns [(ns, frame)] as they left, and the longest delay of a frame."""
    start = time.monotonic_ns() + 10 * APART_NS
    due = [(start + i * APART_NS, i, 0) for i in range(len(stories))]
    frames = [read(path) for path in stories]
    played, latest = [], 0
    while due:
        at, story, i = heapq.heappop(due)
        while (left := at - time.monotonic_ns()) > 0:
            if left > NEAR_NS:
                time.sleep((left - NEAR_NS) / 1e9)
        ns, frame = frames[story][i]
        is_client = frame[6:12] == CLIENT_MAC
        played.append((time.time_ns(), frame))
        left = time.monotonic_ns()
        latest = max(latest, left - at)
        link_of[is_client].send(frame)
        if i + 1 < len(frames[story]):
            heapq.heappush(due, (left + frames[story][i + 1][0] - ns, story, i + 1))
    return played, latest


def main():
    ns_a, if_a, ns_b, if_b, path = sys.argv[1:6]
    link_of = {True: open_link(ns_a, if_a), False: open_link(ns_b, if_b)}
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        pass  # more of it is late, then
    played, latest = play(sys.argv[6:], link_of)
    write(path, played)
    print("%d stories, no frame later than %.1f ms" % (len(sys.argv) - 6, latest / 1e6))
    sys.exit(75 if latest > TOO_LATE_NS else 0)


if __name__ == "__main__":
    main()
