#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""An HTTPS server on loopback with the certificate and key of one PEM file; says its port on stdout.

    https_server.py PEM [client-ca=FILE] [sni=NAME|none] [tls=1.3] [address=A]

Answers a POST of `spans` or of nothing but zeros with 200, else 400, and
  /hang    nothing at all
  /bye     as always, and then closes the connection, which it had promised to keep
  /gone    the same without a word of good-bye by TLS
  /cut     an answer that ends in its middle
  /early   413 at once, and never reads the body
To a client that does not name NAME (SNI) it gives the certificate, but status 400. Ends when stdin
does."""
import http.server
import ssl
import sys
import threading

stop = threading.Event()
options = dict(argument.split("=", 1) for argument in sys.argv[2:])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        if self.path == "/early":
            self.answer(413)
            stop.wait()
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/hang":
            self.rfile.read()
            return
        if self.path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            self.close_connection = True
            return
        named = getattr(self.connection, "ringspan_name", None)
        good = body == b"spans" or not body.strip(b"\0")
        if "sni" in options and options["sni"] != (named or "none"):
            good = False
        self.answer(200 if good else 400)
        if self.path in ("/bye", "/gone"):
            self.close_connection = True
        if self.path == "/bye":
            self.connection.settimeout(0.1)
            try:
                self.connection.unwrap()  # says so by TLS, too
            except OSError:
                pass

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that refuses our certificate is what some tests are about


def keep_name(connection, name, _):
    connection.ringspan_name = name


server = Server((options.get("address", "127.0.0.1"), 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
context.sni_callback = keep_name
if "client-ca" in options:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(options["client-ca"])
if "tls" in options:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
stop.set()
