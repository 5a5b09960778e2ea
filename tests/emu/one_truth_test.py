#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One truth: one scenario, with key bits from its seeds, in the engines fast and simgrid and with real daemons
(live). The three results databases must agree:

  - requests, by application and in order: outcome, reason and number of keys; route of those served;
  - of each served request the messages, each as (point, name, from, to). Left out are those that are no key's
    own and come with whichever request is the first to need them: opening of channels (handshake, AUTH,
    AUTH_RSP) and sessions (SESSION, SESSION_RSP, UPDATE), what moves key between a link's ends (GRANT_REQUEST,
    GRANT), acknowledgements of hops, which wait for one another (HOP_ACK), what is sent again, and
    answers to that.
    A request for one key is one causal chain, as the standard's sequence for key supply has it: the order is
    that of sending. Several keys of a request travel at the same time: their order is that of sending within
    each directed channel (point, from, to);
  - ledgers of each link: all key comes at the start, so what was generated and given, hash keys, pads and
    keys taken from the pool of neighbours must be equal to the bit. Tags may differ by GRANT frames, whose
    number depends on when an end asks, and what is discarded by the pieces that these cut off.

A comparison of two runs that differ in one key's length, and of two that differ in one application, must fail.
"""
import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import live_net  # noqa: E402

SCENARIO = os.path.join(HERE, "..", "data", "one-truth.yaml")
LEADS_S = (3, 8, 20)  # until run time 0, while the daemons get ready; the next if that was too short
END_S = 6.8           # of the run, and some rest
ANCILLARY = {"handshake", "AUTH", "AUTH_RSP", "SESSION", "SESSION_RSP", "UPDATE", "GRANT_REQUEST",
             "GRANT", "HOP_ACK"}
EXACT = ("generated", "bootstrap", "pads", "hash_keys", "fallback_keys", "postproc_auth",
         "relayed_as_key", "expired", "in_flight")
TAG_BITS = 128
GRANTS = 12           # frames, each way and link, that may be more or less
PIECE_BITS = 4096     # discarded more or less


class Results:
    def __init__(self, path):
        self.base = sqlite3.connect(path)
        self.base.row_factory = sqlite3.Row

    def requests(self):
        return self.base.execute(
            "SELECT r.*, a.id AS name FROM requests r JOIN applications a ON a.idx = r.application "
            "ORDER BY r.application, r.start_ns").fetchall()

    def messages(self, request):
        """In the order of sending, ends as 'role node'."""
        rows = self.base.execute("SELECT * FROM messages WHERE request = ? ORDER BY sent_ns, number",
                                 (request,))
        first, again = [], []
        for row in rows:
            message = (row["point"], row["name"], f"{row['from_role']} {row['from_node']}",
                       f"{row['to_role']} {row['to_node']}")
            if row["name"] not in ANCILLARY:
                repeated = row["sending"] > 1 or (row["attempt"] or 1) > 1
                (again if repeated else first).append(message)
        for point, name, sender, receiver in again:  # it may have been answered again
            answer = (point, name + "_RSP", receiver, sender)
            if first.count(answer) > first.count((point, name, sender, receiver)):
                del first[len(first) - 1 - first[::-1].index(answer)]
        return first

    def ledgers(self):
        return self.base.execute("SELECT l.id AS name, g.* FROM ledger g JOIN links l ON l.idx = g.link "
                                 "ORDER BY g.link").fetchall()


def outcome(row):
    served = row["outcome"] == "served"
    return (row["name"], row["outcome"], row["reason"],
            (row["route"], row["keys_supplied"]) if served else None)


def canonical(messages, keys):
    """One sequence, or one per directed channel if keys travel side by side."""
    if keys == 1:
        return {"all": messages}
    channels = {}
    for point, name, sender, receiver in messages:
        channels.setdefault((point, sender, receiver), []).append(name)
    return channels


def compare_requests(name, a, b):
    wrong = []
    left, right = a.requests(), b.requests()
    if len(left) != len(right):
        wrong.append(f"{name}: {len(left)} requests here, {len(right)} there")
    for number, (one, other) in enumerate(zip(left, right)):
        which = f"{name}: request {number} ({one['name']})"
        if outcome(one) != outcome(other):
            wrong.append(f"{which}: {outcome(one)} here, {outcome(other)} there")
        elif one["outcome"] == "served":
            here = canonical(a.messages(one["number"]), one["keys_supplied"])
            there = canonical(b.messages(other["number"]), one["keys_supplied"])
            if not here or here != there:
                wrong.append(f"{which}: messages differ:\n  here  {here}\n  there {there}")
    return wrong


def compare_ledgers(name, a, b):
    wrong = []
    for one, other in zip(a.ledgers(), b.ledgers(), strict=True):
        for row in EXACT:
            if one[row] != other[row]:
                wrong.append(f"{name}: link {one['name']}: {row} {one[row]} here, {other[row]} there")
        for row, most in (("tags", 2 * GRANTS * TAG_BITS), ("discarded", PIECE_BITS)):
            if abs(one[row] - other[row]) > most:
                wrong.append(f"{name}: link {one['name']}: {row} {one[row]} here, {other[row]} there, "
                             f"more than {most} bit apart")
    return wrong


def compare(name, a, b):
    return compare_requests(name, a, b) + compare_ledgers(name, a, b)


def virtual(qkdn, scenario, engine, results):
    subprocess.run([qkdn, "run", scenario, "--engine", engine, "-o", results, "--force", "--record",
                    "full", "--quiet"], check=True, stdin=subprocess.DEVNULL)
    return Results(results)


def live(qkdn, results):
    for lead_s in LEADS_S:
        net = live_net.Network(qkdn, SCENARIO, {
            "all": {"flight": "flight", "epoch": time.time_ns() + int(lead_s * 1e9)},
            "kmd": {"load": "scenario"}, "linkd": {"keys": "scenario"}})
        zero = time.monotonic() + lead_s
        net.start()
        net.wait_ready(60)
        if time.monotonic() > zero - 0.5:
            net.close()
            continue
        time.sleep(max(0.0, zero + END_S - time.monotonic()))
        net.check_alive()
        bad = net.stop()
        code, verdict, errors = net.judge(results, "full")
        net.close()
        if bad or code != 0 or verdict["oracle"]["violations"] != 0:
            raise SystemExit(f"live: SIGTERM did not end {bad}; judge {code}: {errors}")
        return Results(results)
    raise SystemExit("daemons are not ready in time")


def planted(qkdn, folder, truth, change):
    """A run of a scenario changed at one place must differ."""
    path = os.path.join(folder, "planted.yaml")
    with open(SCENARIO, encoding="utf-8") as file:
        text = file.read()
    assert change[0] in text
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(*change))
    other = virtual(qkdn, path, "fast", os.path.join(folder, "planted.db"))
    return [] if compare("planted", truth, other) else [f"planted change {change} was not seen"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--qkdn", default=os.environ.get("QKDN", "qkdn"))
    parser.add_argument("--no-simgrid", action="store_true", help="it is not built in")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="qkdn-truth-")
    try:
        truth = virtual(options.qkdn, SCENARIO, "fast", os.path.join(folder, "fast.db"))
        wrong = []
        if not options.no_simgrid:
            simgrid = virtual(options.qkdn, SCENARIO, "simgrid", os.path.join(folder, "simgrid.db"))
            wrong += compare("fast and simgrid", truth, simgrid)
        real = live(options.qkdn, os.path.join(folder, "live.db"))
        wrong += compare("fast and live", truth, real)
        wrong += planted(options.qkdn, folder, truth, ("key: 512 bit", "key: 256 bit"))
        wrong += planted(options.qkdn, folder, truth, ("from: B, to: C", "from: C, to: B"))
        rows = truth.requests()
        served = sum(row["outcome"] == "served" for row in rows)
        if not 0 < served < len(rows):
            wrong.append(f"{served} of {len(rows)} requests served: nothing to tell apart")
        if wrong:
            raise SystemExit("\n".join(wrong[:20]))
        messages = sum(len(truth.messages(row["number"])) for row in rows)
        print(f"{len(rows)} requests ({served} served), {messages} messages of keys and 2 ledgers agree in "
              f"{'fast' if options.no_simgrid else 'fast, simgrid'} and live")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
