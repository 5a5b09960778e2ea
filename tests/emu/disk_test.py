#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks under load, on the network of the kill test.

Full: each key manager in turn may not write to files any more (RLIMIT_FSIZE 0, as on a full disk). No key
leaves it, in either direction, while that lasts; it refuses commits and stays alive; service is back within
--back seconds when room comes back; and as soon when it is killed while full and started with room. At the end
every key that its master got is at its slave with the same bits, or an answer with it was cut off.

Torn: files of a killed key manager's store are damaged. Its start is refused with one line that names the file,
exit code 3, and the files stay as they were; with the files as they were before, it starts and serves.
"""
import argparse
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import kill_test  # noqa: E402

GRACE_S = 0.8  # answers that left before the disk was full have arrived
FULL_S = 1.2
EXIT_WORK = 3
DAMAGED = "damaged"


def counter(daemon, name):
    for line in daemon.get("/metrics")[1].splitlines():
        if line.startswith(name + " "):
            return int(float(line.split()[1]))
    raise SystemExit(f"{daemon.name}: no metric {name}")


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1:]


class Disks(kill_test.Trial):
    flight = False  # it would be the first file to find no room, and ends there

    def at(self, daemon):
        """(way, side) whose SAE asks this key manager."""
        return [(way, side) for way in self.ways for side, sae in enumerate((way.master, way.slave))
                if f"{sae.host}:{sae.port}" == daemon.etsi014]

    def full(self, daemon):
        """The disk fills; looks whether keys come out nevertheless."""
        refused = counter(daemon, "qkdn_store_refused_total")
        daemon.file_limit(0)
        time.sleep(GRACE_S)
        since = time.monotonic()
        time.sleep(FULL_S)
        for way, side in self.at(daemon):
            late = [when for when in way.times[side] if when > since]
            if late:
                raise SystemExit(f"{daemon.name}: {len(late)} answers with keys while its disk is full")
        if counter(daemon, "qkdn_store_refused_total") <= refused:
            raise SystemExit(f"{daemon.name}: no commit was refused")
        self.check()

    def disk_full(self, daemon):
        self.full(daemon)
        daemon.file_limit(None)
        self.wait_back(time.monotonic(), f"room at {daemon.name}")

    def killed_full(self, daemon):
        self.full(daemon)
        daemon.kill()
        daemon.start()
        self.wait_back(time.monotonic(), f"{daemon.name}, killed with a full disk")

    def refused(self, daemon, what, needle):
        """Starts on damaged files: must be refused, touching nothing."""
        before = self.files(daemon)
        with open(daemon.path("out"), "wb"):
            pass
        daemon.start()
        code = daemon.wait(20)
        daemon.kill()
        with open(daemon.path("out"), encoding="utf-8") as out:
            lines = out.read().splitlines()
        if code != EXIT_WORK or len(lines) != 1 or "store.db" not in lines[0] or \
                needle not in lines[0]:
            raise SystemExit(f"{daemon.name}: {what}: exit code {code}, {lines}")
        if self.files(daemon) != before:
            sizes = [{name: len(data) for name, data in files.items()}
                     for files in (before, self.files(daemon))]
            raise SystemExit(f"{daemon.name}: {what}: the start changed the store: {sizes}")
        print(f"  {what}: {lines[0].split('store.db', 1)[1]}", flush=True)

    def files(self, daemon):
        found = {}
        for name in ("store.db", "store.db-wal"):
            if os.path.exists(daemon.path(name)):
                with open(daemon.path(name), "rb") as file:
                    found[name] = file.read()
        return {name: data for name, data in found.items() if data}  # an empty log says nothing

    def restore(self, daemon, files):
        for name in ("store.db", "store.db-wal", "store.db-shm"):
            if os.path.exists(daemon.path(name)):
                os.unlink(daemon.path(name))
        for name, data in files.items():
            with open(os.open(daemon.path(name), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(data)

    def torn(self, daemon):
        daemon.kill()
        good = self.files(daemon)
        store, log = good["store.db"], good["store.db-wal"]
        self.damaged(daemon, good, (
            ("killed, no store file, but its log", {"store.db-wal": log}, "the key store is gone"),
            ("killed, a bit in the log", {"store.db": store,
                                          "store.db-wal": flip(log, len(log) // 3)}, DAMAGED)))
        daemon.process.terminate()
        if daemon.wait() != 0:
            raise SystemExit(f"SIGTERM did not end {daemon.name}")
        daemon.kill()
        good = self.files(daemon)
        store = good["store.db"]
        self.damaged(daemon, good, (
            ("stopped, file cut in two", {"store.db": store[:len(store) // 2]}, DAMAGED),
            ("stopped, a bit at its front", {"store.db": flip(store, 3)}, DAMAGED),
            ("stopped, its last page gone", {"store.db": store[:-4096]}, DAMAGED)))

    def damaged(self, daemon, good, damages):
        for what, files, needle in damages:
            self.restore(daemon, files)
            self.refused(daemon, what, needle)
        self.restore(daemon, good)
        daemon.start()
        self.wait_back(time.monotonic(), f"{daemon.name}, its store as it was")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--qkdn", default=os.environ.get("QKDN", "qkdn"))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--back", type=float, default=10.0, help="seconds until service is back")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    options = parser.parse_args(namespace=argparse.Namespace(set=[], keep_bad=False))
    trial = Disks(options)
    trial.start()
    key_managers = [daemon for daemon in trial.net.daemons if daemon.kind == "kmd"]
    for daemon in key_managers:
        trial.disk_full(daemon)
    trial.killed_full(trial.chance.choice(key_managers))
    trial.torn(trial.chance.choice(key_managers))
    both = trial.finish()
    print(f"keys at both ends {both}; worst time back {trial.worst:.2f} s ({trial.worst_what}); answers cut off {sum(way.cut for way in trial.ways)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
