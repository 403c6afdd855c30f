#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sends captured OTLP bodies of spans to a server, over and over; says how many spans, and the server's CPU.

  scale_post.py FOLDER URL [--times N] [--pid SERVER]
  scale_post.py --discard          a receiver that throws all away; prints its address
"""
import argparse
import gzip
import http.client
import http.server
import os
import sys
import urllib.parse

import scale_compare


class Discard(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def discard():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Discard)
    print("listening on %s:%d" % server.server_address[:2], flush=True)
    server.serve_forever()


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("url", nargs="?")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--pid", type=int)
    parser.add_argument("--discard", action="store_true")
    options = parser.parse_args()
    if options.discard:
        return discard()
    spans = sum(1 for _ in scale_compare.otlp_read.spans(options.folder))
    bodies = [gzip.compress(body, 1) for body in scale_compare.bodies_of(options.folder)]
    url = urllib.parse.urlsplit(options.url)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    before = cpu_seconds(options.pid) if options.pid else 0
    for _ in range(options.times):
        for body in bodies:
            connection.request("POST", url.path, body, {"Content-Type": "application/x-protobuf",
                                                        "Content-Encoding": "gzip"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                sys.exit("%s: %d" % (options.url, answer.status))
    cpu = cpu_seconds(options.pid) - before if options.pid else 0
    print("%d %.2f" % (spans * options.times, cpu))
    return None


if __name__ == "__main__":
    main()
