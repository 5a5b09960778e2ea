#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no client of a key delivery server should do. Exits 0 if the server took it well.

  garbage PORT                        bytes that are no TLS, before and in place of a handshake
  slow PORT IDLE_S CA CERT KEY        many connections that say nothing, or one byte in a while:
                                      all are closed in about the idle time, those without TLS a
                                      second before, and one that asks properly meanwhile is answered
  framing PORT IDLE_S CA CERT KEY     requests whose end is not clear, a second one behind them: one
                                      answer, 400, and the connection is closed
  half PORT IDLE_S CA CERT KEY        a client that says hello and then nothing for 1.5 s
  flood PORT IDLE_S CA CERT KEY       a process that does nothing but TLS handshakes without a
                                      certificate, each with a request, in eight threads from one address; from another,
                                      an open connection goes on asking, and new ones come in
  crowd PORT IDLE_S CA CERT KEY       35 silent connections from one address (30 are allowed), then 30
                                      from another (40 are in all): one that asks properly is answered
  nobodies PORT IDLE_S CA CERT KEY    all 40 places are taken by clients that shook hands without a
                                      certificate and say nothing: one that asks properly is answered,
                                      and they are closed long before the idle time is over
  greedy PORT METRICS_PORT CA CERT KEY  20 connections of one SAE (20 are allowed) wait for answers that take
                                      their time: 8 are asked for at once, another SAE does not wait for
                                      them, all are answered; one connection more is the end of an idle one
"""
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request


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


def half(port, idle_s, ca, cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    hello = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    except ssl.SSLWantReadError:
        pass
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(hello.read())
        time.sleep(1.5)
    return 0


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


def nobodies(port, idle_s, ca, cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)

    def come(source):
        plain = socket.create_connection(("127.0.0.1", port), 5, (source, 0))
        return context.wrap_socket(plain, server_hostname="127.0.0.1")
    crowd = [come("127.0.0.1") for _ in range(10)] + [come("127.0.0.2") for _ in range(30)]
    begin = time.monotonic()
    stayed = sum(not closed(s) for s in crowd)
    with tls(port, ca, cert, key, "127.0.0.3") as good:
        good.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: x\r\n\r\n")
        asked = good.recv(15) == b"HTTP/1.1 200 OK"
        took = time.monotonic() - begin
        gave_way = sum(closed(s) for s in crowd)
        while not all(closed(s) for s in crowd) and time.monotonic() - begin < 20:
            time.sleep(0.1)
        ended = time.monotonic() - begin
        alive = not closed(good)
    print(f"{stayed} stayed, {gave_way} gave way, answered {asked} in {took:.1f} s, "
          f"the last was closed after {ended:.1f} s, the good one lives {alive}")
    return 0 if stayed == 40 and gave_way > 0 and asked and ended < 20 else 1


def greedy(port, idle_s, ca, cert, key):
    """cert and key are alice's; bob's are beside them."""
    crowd = [tls(port, ca, cert, key) for _ in range(20)]
    for s in crowd + [tls(port, ca, cert, key)]:  # one more than there may be
        s.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: x\r\n\r\n")
        last = b""
        while not last.endswith(b"}") and (more := s.recv(4096)):
            last += more
    served = last.startswith(b"HTTP/1.1 200")
    time.sleep(0.2)
    left = [s for s in crowd if not closed_behind(s)]
    print(f"one more is served {served}; {len(left)} of the first 20 are left")
    bob = tls(port, ca, cert.replace("alice", "bob"), key.replace("alice", "bob"), "127.0.0.2")
    bob.settimeout(10)
    for s in left:
        s.settimeout(60)
        s.sendall(b"GET /api/v1/keys/slow/enc_keys HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.3)
    with urllib.request.urlopen(f"http://127.0.0.1:{idle_s}/metrics", timeout=5) as answer:
        opened = [line for line in answer.read().decode().splitlines() if "kme_open" in line]
    count, longest = asks(bob, 1)
    answers = [s.recv(12) for s in left]
    print(f"{opened}; bob asked {count:.0f} times/s, waited {longest:.3f} s; {set(answers)}")
    good = all(a == b"HTTP/1.1 503" for a in answers)
    return 0 if served and len(left) == 19 and opened == ["kme_open 8"] and longest < 1 and good else 1


def closed_behind(s):
    """Whether the end comes behind what is left to be read."""
    s.settimeout(0.01)
    try:
        while True:
            if not s.recv(4096):
                return True
    except ssl.SSLWantReadError:
        return False
    except TimeoutError:
        return False
    except OSError:
        return True


FLOOD_S = 6


def flood_make(port):
    """The process that floods."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    end = time.monotonic() + FLOOD_S + 1
    tries = []

    def shake():
        while time.monotonic() < end:
            tries.append(1)
            try:
                with socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.2", 0)) as s:
                    with context.wrap_socket(s) as secure:
                        secure.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                        secure.recv(1)
            except OSError:
                pass
    threads = [threading.Thread(target=shake) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 0


def asks(s, seconds):
    """Requests per second on one connection, and the longest wait for an answer."""
    count = 0
    longest = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        s.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):  # head and body may come apart
            more = s.recv(4096)
            if not more:
                raise OSError("closed")
            answer += more
        if not answer.startswith(b"HTTP/1.1 200 OK"):
            raise OSError(f"answered {answer}")
        longest = max(longest, time.monotonic() - begin)
        count += 1
        time.sleep(0.001)
    return count / seconds, longest


def flood(port, idle_s, ca, cert, key):
    honest = tls(port, ca, cert, key)
    honest.settimeout(5)
    quiet, quiet_longest = asks(honest, 2)
    flooder = subprocess.Popen([sys.executable, "-B", __file__, "flood_make", str(port)])
    time.sleep(1.5)  # the second's worth of handshakes that a quiet server allows is used up
    loud, loud_longest = asks(honest, FLOOD_S - 3)
    slowest = 0
    for _ in range(5):
        begin = time.monotonic()
        with tls(port, ca, cert, key) as good:
            good.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: x\r\n\r\n")
            if good.recv(15) != b"HTTP/1.1 200 OK":
                return 1
        slowest = max(slowest, time.monotonic() - begin)
    flooder.wait()
    print(f"asked {quiet:.0f} times/s before, {loud:.0f} times/s in the flood; longest answer "
          f"{1000 * quiet_longest:.0f} and {1000 * loud_longest:.0f} ms; new connection at most "
          f"{1000 * slowest:.0f} ms")
    # The flooder itself takes the processors: what honest clients lose to it is not the server's to give.
    return 0 if loud > quiet / 10 and loud_longest < 1 and slowest < 1 else 1


if __name__ == "__main__":
    if sys.argv[1] == "flood_make":
        sys.exit(flood_make(int(sys.argv[2])))
    if sys.argv[1] == "garbage":
        sys.exit(garbage(int(sys.argv[2])))
    what = {"slow": slow, "framing": framing, "crowd": crowd, "flood": flood, "nobodies": nobodies, "greedy": greedy,
            "half": half}[sys.argv[1]]
    sys.exit(what(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:7]))
