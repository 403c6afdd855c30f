#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""HTTP requests that carry a trace context, and what must have become of them.

  trace_context.py serve ADDRESS            an HTTP server on port 80; says "listening"
  trace_context.py ask ADDRESS              makes the requests, prints them as JSON lines
  trace_context.py check REQUESTS SINK N    each connection's span links to its requests, N or fewer; no
                                            span has one of them as parent
"""
import http.client
import http.server
import json
import random
import sys

import otlp_read


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_):
        pass


def serve(address):
    server = http.server.ThreadingHTTPServer((address, 80), Handler)
    print("listening", flush=True)
    server.serve_forever()


def ask(address):
    rng = random.Random(5)
    # requests with a context, without, with one that is to be ignored, late in a long header, many
    kinds = (["good"], ["none"], ["bad"], ["good", "none", "bad", "good"], ["long"], ["post"], ["good"] * 40)
    for kind in kinds:
        connection = http.client.HTTPConnection(address, 80, timeout=10)
        contexts = []
        for request in kind:
            trace, span = "%032x" % rng.getrandbits(128), "%016x" % rng.getrandbits(64)
            headers = {"User-Agent": "a" * (700 if request == "long" else 1)}
            if request != "none":
                headers["TraceParent"] = "%s-%s-%s-01" % ("ff" if request == "bad" else "00", trace, span)
            if request == "post":
                connection.request("POST", "/", b"traceparent: 00-%s-%s-01\r\n" % (b"1" * 32, b"2" * 16), headers)
            else:
                connection.request("GET", "/", headers=headers)
            connection.getresponse().read()
            if request not in ("none", "bad"):
                contexts.append([trace, span])
        port = connection.sock.getsockname()[1]
        connection.close()
        print(json.dumps({"port": port, "contexts": contexts}))


def check(requests, sink, most):
    faults = []
    wanted = {}
    for line in open(requests):
        line = json.loads(line)
        wanted[line["port"]] = [tuple(c) for c in line["contexts"]][:most]
    spans = [s for s in otlp_read.flows(sink) if s["attributes"].get("server.port") == 80]
    for span in spans:
        port = span["attributes"]["client.port"]
        links = [(link["trace_id"], link["span_id"]) for link in span["links"]]
        if links != wanted.pop(port):
            faults.append("port %d: %s" % (port, links))
        if any(link["flags"] != 0x301 for link in span["links"]):
            faults.append("port %d: flags %s" % (port, [link["flags"] for link in span["links"]]))
        if span["parent_span_id"]:
            faults.append("port %d: a parent" % port)
    if wanted:
        faults.append("no span of ports %s" % sorted(wanted))
    if faults:
        sys.exit("\n".join(faults))
    print("%d connections, %d links" % (len(spans), sum(len(s["links"]) for s in spans)))


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        {"serve": serve, "ask": ask}[sys.argv[1]](sys.argv[2])
