#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A receiver for peers.sh: peers_sink.py netflow|sflow|pbflow|metrics PORT

Listens on 127.0.0.1 - by UDP for the first two, by gRPC for NetObserv's pbflow, by HTTP for OTLP metrics -
and keeps messages as they are, so that it never holds up who sends; reads them after SIGTERM and prints
one line:
  records   flows reported, each as often as it was
  tuples    distinct addresses, ports and protocols
  asked     records towards port 80
  packets, bytes   their sums
  lost      packets that the sender says it has lost (sFlow)
  dropped   datagrams that this receiver had no room for
  unread    sets whose template never came
"""
import http.server
import signal
import socket
import sys
import threading

from peers_read import READERS

SO_RCVBUFFORCE = 33


class Ended(Exception):
    pass


def end(*_):
    raise Ended


def own_drops(port):
    with open("/proc/self/net/udp") as f:
        return sum(int(line.split()[-1]) for line in f if ":%04X " % port in line.split(" 0000")[0])


def listen():
    """Everything is ready; returns at SIGTERM."""
    signal.signal(signal.SIGTERM, end)
    print("listening", flush=True)
    try:
        while True:
            signal.pause()
    except Ended:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def by_udp(port, kept):
    """How many datagrams there was no room for."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    sock.bind(("127.0.0.1", port))
    signal.signal(signal.SIGTERM, end)
    print("listening", flush=True)
    try:
        while True:
            kept.append(sock.recvfrom(65535))
    except Ended:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sock.setblocking(False)
    try:
        while True:
            kept.append(sock.recvfrom(65535))
    except BlockingIOError:
        pass
    return own_drops(port)


def by_grpc(port, kept):
    import concurrent.futures
    import grpc

    def take(message, _):
        kept.append((message, None))
        return b""

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=1),
                         options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "pbflow.Collector", {"Send": grpc.unary_unary_rpc_method_handler(take)})])
    if not server.add_insecure_port("127.0.0.1:%d" % port):
        sys.exit("peers_sink: port %d" % port)
    server.start()
    listen()
    server.stop(1).wait()
    return 0


def by_http(port, kept):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("/v1/metrics"):
                kept.append((body, None))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    listen()
    server.shutdown()
    return 0


def main():
    kind, port = sys.argv[1], int(sys.argv[2])
    kept, sums = [], READERS[kind]()
    by = {"netflow": by_udp, "sflow": by_udp, "pbflow": by_grpc, "metrics": by_http}[kind]
    dropped = by(port, kept)
    for data, sender in kept:
        sums.datagram(data, sender)
    print("records=%d tuples=%d asked=%d packets=%d bytes=%d lost=%d dropped=%d unread=%d" % (
        sums.records, len(sums.tuples), sums.asked, sums.packets, sums.bytes, sums.lost, dropped,
        sums.unread()))


if __name__ == "__main__":
    main()
