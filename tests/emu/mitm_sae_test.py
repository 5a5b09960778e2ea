#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""X.1712's T_A1 in the live world: attackers in the middle between SAEs and key managers (ETSI GS QKD 014 over
TLS), as `qkdn up` starts them from tests/data/live-attackers-sae.yaml, at the addresses where SAEs expect their KME.

Topology A - B - C, SAEs video.A and video.C. Purpose: what the listener saw contains no key, key ID or SAE ID
(E-A1); an answer that was touched is not accepted by the client, a key comes to both ends with equal bits or not at
all, no key comes twice, once-only also when an answer is lost (D-A1); a server with another credential gets no
question, a client with one no key (S-A1); after the attacks every request is served at once.

Control: the same search finds all of it in the plain bytes of the same answers."""
import base64
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import etsi014_client as client  # noqa: E402
import live_net  # noqa: E402

SCENARIO = os.path.join(HERE, "..", "data", "live-attackers-sae.yaml")
QKDN = os.environ["QKDN"]
END_S = 11  # of the last attack
PERIOD_S = 0.05


def up(folder):
    """Starts it and waits until all are ready."""
    for _ in range(3):  # somebody else may take the ports
        process = subprocess.Popen([QKDN, "up", SCENARIO, "--dir", folder, "--json", "--force", "--base-port",
                                    str(live_net.free_base(10))], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True, preexec_fn=live_net.die_with_parent)
        text = ""
        for line in process.stdout:
            text += line
            if line.startswith("}"):
                return process, json.loads(text), time.monotonic()
        process.wait()
    raise SystemExit("not up")


class Careful(http.client.HTTPSConnection):
    """Looks for the KME's name in its certificate: all daemons of one machine have the same host names."""
    kme = ""

    def connect(self):
        super().connect()
        if ("URI", f"urn:qkdn:daemon:{self.kme}") not in self.sock.getpeercert()["subjectAltName"]:
            self.sock.close()
            raise ssl.SSLCertVerificationError("not the KME that is meant")


class Pair:
    """video.A and video.C; what they got, what went wrong, and every plain byte that was answered."""

    def __init__(self, folder, daemons):
        kme = {row["name"]: row["etsi014"] for row in daemons}
        ca = os.path.join(folder, "pki", "ca.crt")
        self.sides = [client.Sae(f"video.{n}:" + os.path.join(folder, "pki", f"sae.video.{n}.crt") + ":" +
                                 os.path.join(folder, "pki", f"sae.video.{n}.key"), ca, kme[f"kmd.{n}"])
                      for n in "AC"]
        for side in self.sides:
            side.open = lambda high=ssl.TLSVersion.TLSv1_3, s=side: self.open(s, high)
        self.patience_s = 0.7
        self.keys = {}
        self.plain = b""
        self.lost = {}
        self.unfetched = []

    def open(self, sae, version):
        context = sae.context(low=version, high=version)
        connection = Careful(sae.host, sae.port, timeout=self.patience_s, context=context)
        connection.kme = "kmd." + sae.id[-1]
        return connection

    def ask(self, what, *words):
        try:
            answer = what(*words)
        except (OSError, http.client.HTTPException) as error:
            name = type(error).__name__
            self.lost[name] = self.lost.get(name, 0) + 1
            return None
        self.plain += answer.body
        return answer

    def once(self):
        """Whether a key was got and fetched with the same bits."""
        master, slave = self.sides
        made = self.ask(master.get, slave.id)
        if made is None or made.code == 503:
            return False
        assert made.code == 200, made
        (key_id, bits), = ((key["key_ID"], base64.b64decode(key["key"], validate=True))
                           for key in made.json["keys"])
        assert key_id not in self.keys and bits not in self.keys.values(), "a key twice"
        self.keys[key_id] = bits
        got = self.ask(slave.fetch_one, master.id, key_id)
        if got is None:
            self.unfetched.append(key_id)
            return False
        assert got.code == 200 and base64.b64decode(got.json["keys"][0]["key"]) == bits, got
        return True


def texts_of(pair):
    """All that was said and must not be read, as it could stand in bytes."""
    for key_id, bits in pair.keys.items():
        yield "key", bits
        yield "key", base64.b64encode(bits)
        yield "key ID", key_id.encode()
        yield "key ID", uuid.UUID(key_id).bytes
    for text in (b"video.A", b"video.C", b"enc_keys", b"key_ID", b"urn:qkdn"):
        yield "name", text


def found(pair, seen):
    counts = {}
    for kind, text in texts_of(pair):
        counts[kind] = counts.get(kind, 0) + (text in seen)
    return counts


def phase(pair, begun, until_s):
    """Asks until an instant of the attackers' clock: (tried, good)."""
    tried = good = 0
    while time.monotonic() - begun < until_s:
        tried += 1
        good += pair.once()
        time.sleep(PERIOD_S)
    return tried, good


def main():
    top = tempfile.mkdtemp(prefix="qkdn-mitm-")
    folder = os.path.join(top, "net")
    process = None
    try:
        process, network, begun = up(folder)
        pair = Pair(folder, network["daemons"])
        for name, until_s in (("listen", 1), ("flip", 3), ("drop", 5), ("replay, forge", 7), ("pose", 9), ("flood", END_S)):
            before = dict(pair.lost)
            tried, good = phase(pair, begun, until_s)
            broken = {what: n - before.get(what, 0) for what, n in pair.lost.items() if n > before.get(what, 0)}
            print(f"{name}: {good} of {tried} keys at both ends; {broken}")
            if name == "flood":
                assert good >= 0.9 * tried - 2, "the flood was felt"  # 2: what posing has broken
            else:
                assert name == "listen" or broken, "the attack was not felt"
        refused = pair.lost.get("SSLCertVerificationError", 0)
        assert refused > 0, "no false server was met"
        time.sleep(0.3)
        pair.patience_s = 10
        pair.once()  # on connections that may be broken
        good = sum(pair.once() for _ in range(10))
        print(f"afterwards: {good} of 10")
        assert good == 10, pair.lost
        # Whether a question that was lost had arrived or not: its key is given once, and then no more.
        codes = [[pair.ask(pair.sides[1].fetch_one, "video.A", key_id).code for _ in range(2)]
                 for key_id in pair.unfetched]
        print(f"questions for a key that were lost: {len(codes)}, {codes.count([200, 400])} had not arrived")
        assert all(pairs in ([200, 400], [400, 400]) for pairs in codes), codes
        ear = os.path.join(folder, "attackers", "ear")
        whole = os.path.getsize(ear)
        pair.sides[0].open(ssl.TLSVersion.TLSv1_2).connect()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process = None
        with open(os.path.join(folder, "attackers.json"), encoding="utf-8") as file:
            attackers = {row["id"]: row for row in json.load(file)}
        for row in attackers.values():
            print({key: value for key, value in row.items() if value})
            assert row["let_in"] == 0, row
        assert all(attackers[name]["forged"] > 0 for name in ("flip", "replay", "forge", "pose")), attackers
        assert all(attackers[name]["sent"] > 100 for name in ("strangers", "junk")), attackers
        with open(ear, "rb") as file:
            seen = file.read(whole)
            assert b"urn:qkdn:sae:video.A" in file.read(), "TLS 1.2 shows certificates, see docs/security.md"
        print(f"{len(pair.keys)} keys, {len(seen)} bytes listened to: {found(pair, seen)}; "
              f"plain: {found(pair, pair.plain)}")
        assert len(pair.keys) > 20 and len(seen) > 10000
        assert not any(found(pair, seen).values()), found(pair, seen)
        plain = found(pair, pair.plain)
        assert plain["key"] == len(pair.keys) and plain["key ID"] == len(pair.keys), plain
    finally:
        if process is not None:
            process.kill()
        shutil.rmtree(top, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
