#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no client of a key delivery server should do. Exits 0 if the server took it well.

  garbage PORT                        bytes that are no TLS, before and in place of a handshake
  slow PORT IDLE_S CA CERT KEY        many connections that say nothing, or one byte in a while:
                                      all are closed in about the idle time, those without TLS a
                                      second before, and one that asks properly meanwhile is answered
  framing PORT IDLE_S CA CERT KEY     requests whose end is not clear, a second one behind them: one
                                      answer, 400, and the connection is closed
  crowd PORT IDLE_S CA CERT KEY       35 silent connections from one address (30 are allowed), then 30
                                      from another (40 are in all): one that asks properly is answered
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


def tls(port, ca, cert, key, source=""):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    context.load_cert_chain(cert, key)
    plain = socket.create_connection(("127.0.0.1", port), 5, (source, 0) if source else None)
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
    sooner = False
    while everyone and time.monotonic() - begin < 4 * idle_s + 5:
        turn = time.monotonic()
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
        if not sooner and not any(s in everyone for s in mute):
            sooner = bool(everyone) or time.monotonic() - turn > 0.9
            if not sooner:
                break
    took = time.monotonic() - begin
    print(f"{len(everyone)} of 20 still open after {took:.1f} s, {asked} honest requests answered")
    return 0 if sooner and not everyone and asked >= 3 and took >= idle_s - 1 else 1


def framing(port, idle_s, ca, cert, key):
    body = b"0\r\n\r\n"
    behind = b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: x\r\n\r\n"
    lengths = (b"Content-Length: -5\r\n", b"Content-Length: +5\r\n",
               b"Content-Length: 5, 5\r\n", b"Content-Length: 99999999999999999999999\r\n")
    bad = 0
    for heads in (*lengths,
                  b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                  b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                  b"Transfer-Encoding: chunked\r\ncontent-length: 5\r\n",
                  b"Content-Length: 5\r\nContent-Length: 6\r\n",
                  b"Content-Length: 5\r\nContent-Length: 5\r\n",
                  b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"):
        with tls(port, ca, cert, key) as s:
            s.sendall(b"POST /api/v1/keys/bob/enc_keys HTTP/1.1\r\nHost: x\r\n" + heads
                      + b"\r\n" + body + behind)
            s.settimeout(5)
            answer = b""
            try:
                while True:
                    more = s.recv(4096)
                    if not more:
                        break
                    answer += more
            except ConnectionError:
                pass
            ours = answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1") == 1
            library = heads in lengths and answer.startswith(b"HTTP/1.1 4")
            if b" 200 " in answer or not (ours or library):
                bad += 1
                print(heads, answer)
    return bad


def crowd(port, idle_s, ca, cert, key):
    def mute(source, count):
        return [socket.create_connection(("127.0.0.1", port), 5, (source, 0))
                for _ in range(count)]
    first = mute("127.0.0.1", 35)
    time.sleep(0.5)
    refused = sum(closed(s) for s in first)
    second = mute("127.0.0.2", 30)
    begin = time.monotonic()
    with tls(port, ca, cert, key, "127.0.0.3") as good:
        good.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: x\r\n\r\n")
        asked = good.recv(15) == b"HTTP/1.1 200 OK"
    took = time.monotonic() - begin
    gave_way = sum(closed(s) for s in first) - refused
    stay = sum(not closed(s) for s in second)
    print(f"{refused} refused, {gave_way} gave way, {stay} stay, answered {asked} in {took:.1f} s")
    return 0 if refused == 5 and gave_way >= 21 and stay == 30 and asked and took < 1.5 else 1


if __name__ == "__main__":
    if sys.argv[1] == "garbage":
        sys.exit(garbage(int(sys.argv[2])))
    what = {"slow": slow, "framing": framing, "crowd": crowd}[sys.argv[1]]
    sys.exit(what(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:7]))
