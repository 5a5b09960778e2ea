#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no client of a key delivery server should do. Exits 0 if the server took it well.

  garbage PORT                        bytes that are no TLS, before and in place of a handshake
  slow PORT IDLE_S CA CERT KEY        many connections that say nothing, or one byte in a while:
                                      all are closed in about the idle time, and one that asks
                                      properly meanwhile is answered
"""
import os
import socket
import ssl
import sys
import time


def garbage(port):
    for size in (1, 5, 100, 20000):
        for begin in (b"", b"\x16\x03\x01", b"GET /api/v1/keys/bob/status HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.settimeout(5)
                try:
                    s.sendall(begin + os.urandom(size))
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(4096):
                        pass
                except OSError:
                    pass
    return 0


def tls(port, ca, cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    context.load_cert_chain(cert, key)
    plain = socket.create_connection(("127.0.0.1", port), 5)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def closed(s):
    """Whether the other side has closed; does not wait."""
    s.setblocking(False)
    try:
        return s.recv(4096) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def slow(port, idle_s, ca, cert, key):
    mute = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(10)]
    slow_headers = [tls(port, ca, cert, key) for _ in range(5)]
    slow_bodies = [tls(port, ca, cert, key) for _ in range(5)]
    for s in slow_headers:
        s.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: x\r\nX: ")
    for s in slow_bodies:
        s.sendall(b"POST /api/v1/keys/bob/enc_keys HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Length: 10000\r\n\r\n")
    everyone = mute + slow_headers + slow_bodies
    begin = time.monotonic()
    asked = 0
    while everyone and time.monotonic() - begin < 4 * idle_s + 5:
        time.sleep(0.4)
        for s in slow_headers + slow_bodies:
            try:
                s.setblocking(True)
                s.sendall(b"x")
            except OSError:
                pass
        with tls(port, ca, cert, key) as good:
            good.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: x\r\n\r\n")
            asked += good.recv(15) == b"HTTP/1.1 200 OK"
        everyone = [s for s in everyone if not closed(s)]
    took = time.monotonic() - begin
    print(f"{len(everyone)} of 20 still open after {took:.1f} s, {asked} honest requests answered")
    return 0 if not everyone and asked >= 3 and took >= idle_s - 1 else 1


if __name__ == "__main__":
    if sys.argv[1] == "garbage":
        sys.exit(garbage(int(sys.argv[2])))
    sys.exit(slow(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:7]))
