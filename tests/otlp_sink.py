#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""An OTLP/HTTP receiver for tests: keeps each body as a file, answers as told.

Writes DIR/<signal>-<number>.bin (bodies that were accepted, unzipped), and DIR/sink.json when it ends
by SIGTERM or SIGINT: connections, requests, refused.
"""
import argparse
import glob
import gzip
import json
import os
import signal
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler


# not http.server's server, which asks the resolver for our name
class Sink(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address, options):
        self.options = options
        self.lock = threading.Lock()
        self.counts = {"connections": 0, "requests": 0, "refused": 0, "taken": 0, "bodies": {}, "bytes": 0}
        super().__init__(address, Handler)

    def process_request(self, request, client_address):
        with self.lock:
            self.counts["connections"] += 1
        super().process_request(request, client_address)

    def take(self, name, body):
        """Keeps this body: True; False where it is to be refused, None where nothing is to be said."""
        with self.lock:
            self.counts["requests"] += 1
            if self.counts["refused"] < self.options.fail:
                self.counts["refused"] += 1
                return False
            self.counts["taken"] += 1
            taken = self.counts["taken"]
            number = self.counts["bodies"].get(name)
            if number is None:  # goes on where one before it ended
                number = len(glob.glob(os.path.join(self.options.dir, name + "-*.bin")))
            number += 1
            self.counts["bodies"][name] = number
            self.counts["bytes"] += len(body)
        path = os.path.join(self.options.dir, "%s-%06d.bin" % (name, number))
        with open(path + ".part", "wb") as out:
            out.write(body)
        os.rename(path + ".part", path)
        return True if taken > self.options.drop_answers else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        name = self.path.strip("/").split("/")[-1]
        if name not in ("traces", "metrics", "logs"):
            return self.answer(404)
        if self.headers.get("Content-Type") != "application/x-protobuf":
            return self.answer(415)
        taken = self.server.take(name, body)
        if taken is None:
            self.close_connection = True
            return None
        return self.answer(200 if taken else self.server.options.status)

    def answer(self, status):
        self.send_response(status)
        if status == 200:
            self.send_header("Content-Type", "application/x-protobuf")
        elif self.server.options.retry_after is not None:
            self.send_header("Retry-After", self.server.options.retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()

    def log_message(self, *args):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="ADDRESS:PORT")
    parser.add_argument("--fail", type=int, default=0, metavar="N", help="refuse the first N requests")
    parser.add_argument("--status", type=int, default=503, help="with this status")
    parser.add_argument("--retry-after", metavar="TEXT")
    parser.add_argument("--drop-answers", type=int, default=0, metavar="N",
                        help="take the first N requests and close the connection instead of answering")
    options = parser.parse_args()
    os.makedirs(options.dir, exist_ok=True)
    host, port = options.listen.rsplit(":", 1)
    sink = Sink((host, int(port)), options)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    threading.Thread(target=sink.serve_forever, args=(0.1,), daemon=True).start()
    print("listening on %s:%d" % sink.server_address[:2], flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    sink.shutdown()
    with sink.lock, open(os.path.join(options.dir, "sink.json"), "w") as out:
        json.dump(sink.counts, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
