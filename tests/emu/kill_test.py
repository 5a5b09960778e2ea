#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill test: daemons of a line of three die by SIGKILL at random moments under load and are started
again. Load: the scenario's applications inside the key managers, and SAEs at both ends over ETSI GS QKD
014, both ways. Demanded:

  - of every key that both SAEs got, both have the same bits; no ID and no bits come twice to a side;
  - a key that its master got can be fetched by its slave, unless an answer that may have carried it was
    cut off;
  - whatever was killed, both ways deliver keys again within --back seconds of the restart;
  - the oracle, shown the flight records of all daemons, finds no violation and no pair that differs;
  - at the end SIGTERM ends every daemon with code 0.

Victims, moments and pauses come from --seed; what the daemons are doing at that moment does not.
"""
import argparse
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)

import http.client  # noqa: E402

import etsi014_client as e14  # noqa: E402
import live_net  # noqa: E402

SCENARIO = os.path.join(HERE, "..", "data", "kill-line-3.yaml")
FETCH_TIME_S = 20  # a key that is not to be had for so long is lost
TWICE = 0.25       # chance that the next victim falls before service is back
BURST = 0.15       # chance that two fall at once


class Way(threading.Thread):
    """One master and one slave that take keys as fast as they get them."""

    def __init__(self, net, application, ends, seed):
        super().__init__(daemon=True)
        kmes = [net.by_name[f"kmd.{node}"].etsi014 for node in ends]
        names = [f"{application}.{node}" for node in ends]
        self.master, self.slave = (
            e14.Sae(":".join((name,) + net.sae(name)), net.authority(), kme)
            for name, kme in zip(names, kmes))
        self.name = f"{names[0]} -> {names[1]}"
        self.chance = random.Random(seed)
        self.halt = threading.Event()
        self.lock = threading.Lock()
        self.asked = {}     # key ID -> bytes, as the master got it
        self.fetched = {}   # as the slave got it
        self.bits = [set(), set()]
        self.times = [[], []]  # when answers with keys came, by side
        self.doubtful = set()  # an answer with this key may have been cut off
        self.rounds = []    # (began, ended) of rounds with a key at both ends
        self.cut = self.refused = self.gone = 0
        self.wrong = []

    def take(self, book, side, keys):
        self.times[side].append(time.monotonic())
        for key_id, key in keys.items():
            if key_id in book:
                self.wrong.append(f"{self.name}: key {key_id} came twice to one side")
            if len(key) >= 16 and key in self.bits[side]:
                self.wrong.append(f"{self.name}: the bits of {key_id} had come under another ID")
            book[key_id] = key
            self.bits[side].add(key)

    def ask(self, call):
        """The answer, or None if the connection broke."""
        try:
            return call()
        except (OSError, http.client.HTTPException):
            self.cut += 1
            self.halt.wait(0.02)
            return None

    def pause(self):
        self.refused += 1
        self.halt.wait(0.02)

    def supply(self):
        body = {"number": self.chance.randint(1, 4), "size": self.chance.choice((128, 256, 512))}
        answer = self.ask(lambda: self.master.post(self.slave.id, body))
        if answer is None:
            return []
        if answer.code == 503:
            self.pause()
            return []
        keys = e14.keys_of(answer) if answer.code == 200 else None
        if not keys or len(keys) != body["number"]:
            self.wrong.append(f"{self.name}: enc_keys {body}: {answer!r}")
            return []
        with self.lock:
            self.take(self.asked, 0, keys)
        return list(keys)

    def fetch(self, ids):
        """Whether the slave has all of them now."""
        if not ids:
            return True
        end = time.monotonic() + FETCH_TIME_S
        while time.monotonic() < end:
            answer = self.ask(lambda: self.slave.fetch(self.master.id, ids))
            if answer is None:
                self.doubtful.update(ids)
            elif answer.code == 503:
                self.pause()
            elif answer.code == 400 and answer.message == e14.NOT_FOUND and len(ids) > 1:
                return all([self.fetch([one]) for one in ids])
            elif answer.code == 400 and answer.message == e14.NOT_FOUND:
                if ids[0] in self.doubtful:
                    self.gone += 1
                else:
                    self.wrong.append(f"{self.name}: the slave cannot have {ids[0]}")
                return False
            elif answer.code == 200:
                with self.lock:
                    self.take(self.fetched, 1, e14.keys_of(answer) or {})
                return True
            else:
                self.wrong.append(f"{self.name}: dec_keys {ids}: {answer!r}")
                return False
        self.wrong.append(f"{self.name}: no answer for {ids} in {FETCH_TIME_S} s")
        return False

    def run(self):
        while not self.halt.is_set():
            began = time.monotonic()
            ids = self.supply()
            if ids and self.fetch(ids):
                with self.lock:
                    self.rounds.append((began, time.monotonic()))
            self.halt.wait(0.005)

    def back(self, since):
        """When the first whole round that began after `since` was over, or None."""
        with self.lock:
            return next((ended for began, ended in self.rounds[-5000:] if began >= since), None)

    def compare(self):
        """Keys that both have; whatever differs goes to `wrong`."""
        both = 0
        for key_id, key in self.fetched.items():
            both += 1
            if self.asked.get(key_id) != key:
                self.wrong.append(f"{self.name}: {key_id} differs")
        return both


class Trial:
    flight = True

    def __init__(self, options):
        self.o = options
        self.chance = random.Random(options.seed)
        settings = {"all": {"epoch": time.time_ns() + 10**9}, "kmd": {"load": "scenario"}}
        if self.flight:
            settings["all"]["flight"] = "flight"
        self.net = live_net.Network(options.qkdn, SCENARIO, settings, options.set)
        self.net.keep = options.keep
        self.ways = []
        self.kills = {}
        self.worst = 0.0
        self.worst_what = ""
        self.all_back = []

    def start(self):
        self.net.start()
        took = self.net.wait_ready()
        self.ways = [Way(self.net, "there", "AC", self.o.seed), Way(self.net, "back", "CA", self.o.seed)]
        for way in self.ways:
            way.start()
        self.wait_back(time.monotonic(), "the first start")
        print(f"ready after {took:.1f} s, base port {self.net.base}, seed {self.o.seed}", flush=True)

    def check(self):
        self.net.check_alive()
        for way in self.ways:
            if way.wrong:
                raise SystemExit("\n".join(way.wrong[:10]))

    def wait_back(self, since, what):
        """Until every way has delivered a key whose request began after `since`."""
        end = since + self.o.back
        waiting = list(self.ways)
        while waiting:
            self.check()
            waiting = [way for way in waiting if way.back(since) is None]
            if time.monotonic() > end:
                self.net.keep = self.net.keep or self.o.keep_bad
                raise SystemExit("\n".join(
                    [f"service is not back {self.o.back} s after the restart of {what}: " +
                     ", ".join(way.name for way in waiting)] +
                    [daemon.log_tail(6) for daemon in self.net.daemons] +
                    [f"  {d.name}: {d.get('/healthz')}" for d in self.net.daemons]))
            time.sleep(0.01)
        took = max(way.back(since) for way in self.ways) - since
        self.all_back.append(took)
        if what != "the first start" and took > self.worst:
            self.worst, self.worst_what = took, what

    def kill_some(self, left):
        """One blow: kills one or two, starts them again; how many fell."""
        count = 2 if left > 1 and self.chance.random() < BURST else 1
        victims = self.chance.sample(self.net.daemons, count)
        self.check()
        for victim in victims:
            victim.kill()
            self.kills[victim.kind] = self.kills.get(victim.kind, 0) + 1
        time.sleep(self.chance.choice((0.0, 0.0, 0.05, 0.3)))
        for victim in victims:
            victim.start()
        since = time.monotonic()
        if left > count and self.chance.random() < TWICE:
            time.sleep(self.chance.uniform(0, 0.5))
        else:
            self.wait_back(since, " and ".join(victim.name for victim in victims))
            time.sleep(self.chance.uniform(0, self.o.pause))
        return count

    def run(self):
        done = told = 0
        while done < self.o.kills:
            done += self.kill_some(self.o.kills - done)
            if done >= told + 10 or done == self.o.kills:
                told = done - done % 10
                keys = sum(len(way.fetched) for way in self.ways)
                print(f"{done} kills, {keys} keys at both ends, worst time back {self.worst:.2f} s "
                      f"({self.worst_what})", flush=True)

    def finish(self):
        self.net.wait_ready()
        for way in self.ways:
            way.halt.set()
        for way in self.ways:
            way.join(FETCH_TIME_S + 5)
        self.check()
        bad = self.net.stop()
        if bad:
            raise SystemExit("SIGTERM did not end " + ", ".join(bad))
        both = sum(way.compare() for way in self.ways)
        wrong = [text for way in self.ways for text in way.wrong]
        ids = [key_id for way in self.ways for key_id in way.asked]
        bits = [key for way in self.ways for key in way.asked.values() if len(key) >= 16]
        if len(set(ids)) != len(ids) or len(set(bits)) != len(bits):
            wrong.append("an ID or bits came in both directions")
        if wrong or both == 0:
            raise SystemExit("\n".join(wrong[:10] or ["no key at both ends"]))
        return both

    def judge(self):
        results = os.path.join(self.net.top, "results.db")
        code, verdict, errors = self.net.judge(results)
        if verdict is None:
            raise SystemExit(f"qkdn judge: code {code}: {errors}")
        oracle = verdict["oracle"]
        if code != 0 or oracle["violations"] != 0 or verdict["mismatched_pairs"] != 0:
            raise SystemExit(f"judge {code}, mismatched pairs {verdict['mismatched_pairs']}: {oracle} {errors}")
        if oracle["checks"] == 0 or verdict["requests"]["served"] == 0:
            raise SystemExit(f"nothing was judged: {verdict}")
        return verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--qkdn", default=os.environ.get("QKDN", "qkdn"))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--back", type=float, default=10.0, help="seconds until service is back")
    parser.add_argument("--pause", type=float, default=0.6, help="longest pause between blows, seconds")
    parser.add_argument("--set", action="append", default=[], help="of the scenario")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    parser.add_argument("--keep-bad", action="store_true", help="leave the folder after a failure")
    options = parser.parse_args()
    trial = Trial(options)
    try:
        trial.start()
        trial.run()
        both = trial.finish()
        verdict = trial.judge()
    except SystemExit as end:
        if options.keep_bad:
            trial.net.keep = True
        print(f"FAILED with --seed {options.seed}", file=sys.stderr)
        raise end
    backs = sorted(trial.all_back[1:] or trial.all_back)
    print(f"kills {sum(trial.kills.values())} {trial.kills}; keys at both ends {both}, answers cut off "
          f"{sum(way.cut for way in trial.ways)} (keys lost with one {sum(w.gone for w in trial.ways)}); "
          f"time back median {backs[len(backs) // 2]:.2f} s, worst {trial.worst:.2f} s "
          f"({trial.worst_what}); oracle checks {verdict['oracle']['checks']}, violations 0, "
          f"mismatched pairs 0; requests of the load served {verdict['requests']['served']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
