#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key manager whose store is gone, or is an older copy, does not start: it would use pads a second time, and
nobody else could tell. It says so in its log, with what to do, and `qkdn status` repeats it; its neighbour is not
ready meanwhile. With the store as it last was it is back, and with a new one when its operator says that the old
one is lost. The controller needs nothing of its store but how often it
was started, and comes back without."""
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import live_net  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIO = os.path.join(HERE, "..", "data", "kill-line-3.yaml")
QKDN = os.environ["QKDN"]
EXIT_WORK = 3
PARTS = ("store.db", "store.db-wal", "store.db-shm")


def move(daemon, to):
    """Takes the store away, or puts back what was taken (to None)."""
    for part in PARTS:
        away = daemon.path("away." + part)
        source, target = (daemon.path(part), away) if to == "away" else (away, daemon.path(part))
        if os.path.exists(source):
            os.rename(source, target)


def refused(daemon, words):
    daemon.start()
    code = daemon.wait(60)
    with open(daemon.path("out"), encoding="utf-8") as out:
        last = out.read().splitlines()[-1]
    print(f"{daemon.name}: exit code {code}: {last}", flush=True)
    assert code == EXIT_WORK and all(word in last for word in words), last


def unready(daemon, word, seconds=60):
    end = time.monotonic() + seconds
    text = ""
    while word not in text:
        assert time.monotonic() < end, text
        time.sleep(0.1)
        text = daemon.get("/healthz")[1]
    print(f"{daemon.name}: {text.strip()}", flush=True)


def served(daemon):
    return sum(int(line.split()[1]) for line in daemon.get("/metrics")[1].splitlines()
               if line.startswith("qkdn_requests_served_total "))


def replaced(net, daemon):
    """The store is lost for good: the operator says so, and keys flow again, also after a further restart. A number
    that was used is refused."""
    daemon.kill()
    for part in PARTS:
        if os.path.exists(daemon.path(part)):
            os.unlink(daemon.path(part))
    with open(daemon.path("daemon.yaml"), "a", encoding="utf-8") as file:
        file.write("incarnation: 3\n")
    refused(daemon, ["store.db: the key store is gone", "incarnation: 4"])
    with open(daemon.path("daemon.yaml"), "r+", encoding="utf-8") as file:
        text = file.read().replace("incarnation: 3", "incarnation: 7")
        file.seek(0)
        file.write(text)
    for incarnation in (7, 8):
        daemon.start()
        net.wait_ready(60)
        assert f"qkdn_incarnation {incarnation}\n" in daemon.get("/metrics")[1]
        before = served(daemon)
        end = time.monotonic() + 60
        while served(daemon) < before + 20:
            assert time.monotonic() < end, daemon.get("/metrics")[1]
            time.sleep(0.2)
        print(f"{daemon.name}: incarnation {incarnation} serves", flush=True)
        daemon.kill()
    daemon.start()
    net.wait_ready(60)


def by_hand():
    net = live_net.Network(QKDN, SCENARIO, {"kmd": {"load": "scenario"}})
    net.start()
    net.wait_ready(60)
    a, b = net.by_name["kmd.A"], net.by_name["kmd.B"]
    a.kill()
    for part in PARTS[:2]:
        shutil.copy(a.path(part), a.path("old." + part))
    a.start()
    net.wait_ready(60)
    a.kill()
    move(a, "away")
    refused(a, ["store.db: the key store is gone", "incarnation: 3"])
    unready(b, "KMA of B - KMA of A at Kx-1, key not agreed")
    assert not os.path.exists(a.path("store.db"))
    for part in PARTS[:2]:
        os.rename(a.path("old." + part), a.path(part))
    refused(a, ["store.db: an older copy", "incarnation: 3"])
    move(a, "back")
    a.start()
    net.wait_ready(60)
    replaced(net, a)
    ctld = net.by_name["ctld"]
    before = ctld.get("/metrics")[1]
    ctld.kill()
    move(ctld, "away")
    ctld.start()
    net.wait_ready(60)
    counts = [[line for line in text.splitlines() if line.startswith("qkdn_incarnation ")]
              for text in (before, ctld.get("/metrics")[1])]
    assert counts == [["qkdn_incarnation 1"], ["qkdn_incarnation 2"]], counts
    assert not net.stop()


def run(*words):
    return subprocess.run([QKDN, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)


def told():
    """`qkdn up --restart`, and `qkdn status` while a daemon cannot start."""
    net = live_net.Network(QKDN, SCENARIO, {})  # for its folder and ports
    try:
        up = run("up", "--dir", net.folder, "--restart", "--detach", "--quiet")
        assert up.returncode == 0, up.stderr
        a = net.by_name["kmd.A"]
        rows = json.loads(run("status", "--dir", net.folder, "--json").stdout)["daemons"]
        pid = [row["pid"] for row in rows if row["name"] == "kmd.A"][0]
        move(a, "away")
        os.kill(pid, 9)
        end = time.monotonic() + 60
        text = ""
        while "the key store is gone" not in text:
            assert time.monotonic() < end, text
            time.sleep(0.2)
            text = run("status", "--dir", net.folder).stdout
        rows = json.loads(run("status", "--dir", net.folder, "--json").stdout)["daemons"]
        print([row for row in rows if row["name"] == "kmd.A"], flush=True)
    finally:
        run("down", "--dir", net.folder)


if __name__ == "__main__":
    by_hand()
    told()
