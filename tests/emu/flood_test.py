#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One SAE floods its key manager, another one at the same key manager asks as before, and loses at most 5 % of its
requests. A flood is ten times the honest load; and once more as many requests as 64 connections can make, of a
kind that takes no key. What is left of the key for others when one asks for all of it is a matter of the
network's key, not of this server: here there is enough for both.

A request is a key got at kmd.A and fetched at kmd.C with the same bits; it is lost if any answer is not that, or
takes longer than 10 s (the patience of a client, not a measure of this machine)."""
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import etsi014_client as client  # noqa: E402
import live_net  # noqa: E402

SCENARIO = os.path.join(HERE, "..", "data", "kill-line-3.yaml")
PHASE_S = float(os.environ.get("QKDN_FLOOD_S", "8"))
PERIOD_S = 0.05
TIMES = 10
CONNECTIONS = 64
PATIENCE_S = 10
MOST_LOST = 0.05


class User(threading.Thread):
    """Asks for a key every PERIOD_S, or at once if it is late."""

    def __init__(self, pair, seconds):
        super().__init__(daemon=True)
        self.master, self.slave = (client.Sae(*side) for side in pair)
        self.seconds = seconds
        self.asked = self.lost = 0
        self.took = []
        self.whys = {}

    def once(self):
        begin = time.monotonic()
        try:
            made = self.master.get(self.slave.id)
            got = self.slave.fetch_one(self.master.id, client.ids_of(made)[0]) if made.code == 200 else made
            why = None if client.keys_of(got) is not None and \
                client.keys_of(got) == client.keys_of(made) else f"{got.code} {got.message}"
        except OSError as error:
            why = str(error)
        self.took.append(time.monotonic() - begin)
        return f"took {self.took[-1]:.1f} s" if why is None and self.took[-1] > PATIENCE_S else why

    def run(self):
        end = time.monotonic() + self.seconds
        due = time.monotonic()
        while time.monotonic() < end:
            self.asked += 1
            why = self.once()
            if why is not None:
                self.lost += 1
                self.whys[why] = self.whys.get(why, 0) + 1
            due = max(due + PERIOD_S, time.monotonic() - PERIOD_S)
            time.sleep(max(0, due - time.monotonic()))


def sae(net, name):
    certificate, key = net.sae(name)
    return f"{name}:{certificate}:{key}", net.authority(), net.by_name["kmd." + name[-1]].etsi014


def hammer(text, ca, kme, other):
    """The process of the second flood: status requests and keys that are not there, as fast as it can."""
    end = time.monotonic() + PHASE_S + 2
    counts = [0] * CONNECTIONS

    def strike(number):
        one = client.Sae(text, ca, kme)
        while time.monotonic() < end:
            try:
                answer = one.status(other) if counts[number] % 2 else one.fetch_one(other, client.NONSENSE_ID)
                counts[number] += answer.code in (200, 400)
            except OSError:
                pass
    threads = [threading.Thread(target=strike, args=(i,)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(counts), flush=True)
    return 0


def told(what, honest, flood):
    took = sorted(honest.took)
    print(f"{what}: honest {honest.asked} asked, {honest.lost} lost {honest.whys or ''}, p50 "
          f"{1000 * took[len(took) // 2]:.0f} ms, worst {1000 * took[-1]:.0f} ms; flood: {flood}", flush=True)
    assert honest.lost <= MOST_LOST * honest.asked, what
    return honest


def main():
    if sys.argv[1:2] == ["hammer"]:
        return hammer(*sys.argv[2:6])
    net = live_net.Network(os.environ["QKDN"], SCENARIO, {},
                           ["network.links[AB].qkd.rate=4 Mbit/s", "network.links[BC].qkd.rate=4 Mbit/s"])
    net.start()
    net.wait_ready(60)
    honest_pair = (sae(net, "there.A"), sae(net, "there.C"))
    greedy_pair = (sae(net, "back.A"), sae(net, "back.C"))
    first = client.Sae(*honest_pair[0])
    assert client.patient(lambda: first.get("there.C")).code == 200
    alone = User(honest_pair, PHASE_S)
    alone.run()
    told("alone", alone, "none")

    honest = User(honest_pair, PHASE_S)
    crowd = [User(greedy_pair, PHASE_S + 1) for _ in range(TIMES)]
    for user in crowd:
        user.start()
    time.sleep(0.5)
    honest.run()
    for user in crowd:
        user.join()
    asked, lost = sum(u.asked for u in crowd), sum(u.lost for u in crowd)
    told(f"{TIMES} times as much beside it", honest, f"{asked} asked, {lost} lost")
    assert asked > TIMES * honest.asked * 0.8, "no flood"

    kme = net.by_name["kmd.A"].etsi014
    process = subprocess.Popen([sys.executable, "-B", __file__, "hammer", greedy_pair[0][0], net.authority(), kme,
                                "back.C"], stdout=subprocess.PIPE, text=True)
    time.sleep(1.5)
    honest = User(honest_pair, PHASE_S - 1)
    honest.run()
    told("a flood without end beside it", honest, f"{process.communicate()[0].strip()} answered in all")
    net.check_alive()
    assert not net.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
