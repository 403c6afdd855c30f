#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Traffic for the quickstart: a server with HTTP and a DNS-like service, and a client that uses them.

  demo_traffic.py server            on all addresses: TCP 80, TCP 5201 (bulk), UDP 53
  demo_traffic.py client ADDR…      forever, over each address in turn
  demo_traffic.py forward PORT HOST:PORT NETNS_FD
                                    listens on 127.0.0.1:PORT here, connects from the other namespace
"""
import ctypes
import http.client
import http.server
import os
import random
import socket
import socketserver
import subprocess
import sys
import threading
import time

BULK_BYTES = 64 << 20


class Http(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"hello from the demo\n" * 50
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class HttpServer(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # the client went away


class Sink(socketserver.BaseRequestHandler):
    def handle(self):
        while self.request.recv(1 << 20):
            pass


class BulkServer(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True


def answer_names():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind(("::", 53))
    while True:
        question, who = s.recvfrom(512)
        s.sendto(question[:2] + b"\x81\x80" + question[4:] + b"\xc0\x0c\x00\x01\x00\x01" + bytes(10), who)


def server():
    threading.Thread(target=answer_names, daemon=True).start()
    bulk = BulkServer(("::", 5201), Sink)
    threading.Thread(target=bulk.serve_forever, daemon=True).start()
    web = HttpServer(("::", 80), Http)
    print("listening", flush=True)
    web.serve_forever()


def get(connection, path):
    connection.request("GET", path)
    connection.getresponse().read()


def fetch(address):
    kept = http.client.HTTPConnection(address, 80, timeout=5)  # ten requests on one connection
    for i in range(10):
        get(kept, f"/kept/{i}")
    kept.close()
    for i in range(5):
        once = http.client.HTTPConnection(address, 80, timeout=5)
        get(once, f"/once/{i}")
        once.close()


def ask(address, family):
    question = os.urandom(2) + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04demo\x07example\x00\x00\x01\x00\x01"
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.sendto(question, (address, 53))
        s.recv(512)


def be_refused(address):
    try:
        socket.create_connection((address, 81), timeout=2).close()
    except OSError:
        pass


def bulk(address):
    with socket.create_connection((address, 5201), timeout=10) as s:
        chunk, left = bytes(1 << 20), BULK_BYTES
        while left > 0:
            s.sendall(chunk)
            left -= len(chunk)


def ping(address):
    subprocess.run(["ping", "-c", "2", "-i", "0.2", "-q", address], stdout=subprocess.DEVNULL, check=False)


def client(addresses):
    bulk(addresses[0])
    while True:
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            try:
                fetch(address)
                for _ in range(random.randint(2, 5)):
                    ask(address, family)
                be_refused(address)
                ping(address)
            except OSError as error:
                print(f"demo client: {address}: {error}", file=sys.stderr)
            time.sleep(0.5)


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def forward(port, target, netns_fd):
    """A socket stays in the namespace it was made in: listen here, then leave."""
    listener = socket.create_server(("127.0.0.1", port))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(netns_fd, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")
    host, _, target_port = target.rpartition(":")
    print("listening", flush=True)
    while True:
        near, _ = listener.accept()
        try:
            far = socket.create_connection((host.strip("[]"), int(target_port)), timeout=10)
        except OSError:
            near.close()  # ringspan says that the endpoint is away, and tries again
            continue
        far.settimeout(None)
        for pair in ((near, far), (far, near)):
            threading.Thread(target=copy, args=pair, daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1] == "server":
        server()
    elif sys.argv[1] == "client":
        client(sys.argv[2:])
    else:
        forward(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
