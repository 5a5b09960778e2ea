#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`qkdn up --run` makes the faults of a scenario with real daemons: classical cuts, dead links, a node that is
cut off, a crash. While the middle of the line is cut no request is served; between the faults they are; the
oracle finds nothing. A fault that cannot be made is named and nothing is run. Flight records are wiped.

Which requests must fail is a matter of the topology alone (A - B - C, requests from A to C); 2 s, the time-out
of a request, lie between the sharp edge of a fault and what is demanded."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import live_net  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIO = os.path.join(HERE, "..", "data", "live-faults.yaml")
QKDN = os.environ["QKDN"]
CUTS_S = ((5, 9), (13, 17), (21, 25))
CALM_S = ((0.5, 3), (11, 12.9), (19, 20.9))


def up(folder, *more):
    base = str(live_net.free_base(8))
    return subprocess.run([QKDN, "up", "--run", SCENARIO, "--dir", folder, "--base-port", base,
                           *more], stdin=subprocess.DEVNULL, capture_output=True, text=True)


def cannot_be_made(top):
    scenario = os.path.join(top, "torn.yaml")
    with open(SCENARIO, encoding="utf-8") as file:
        text = file.read()
    with open(scenario, "w", encoding="utf-8") as file:
        file.write(text.replace("{at: 13 s, link: AB, what: both, for: 4 s}",
                                "{at: 13 s, node: A, what: torn-commit, for: 4 s}"))
    done = subprocess.run([QKDN, "up", "--run", scenario, "--dir", os.path.join(top, "none")],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "fault 2 (torn-commit of A, 13 s): the live world cannot make it" in done.stderr, done
    assert not os.path.exists(os.path.join(top, "none"))
    done = subprocess.run([QKDN, "up", SCENARIO, "--keep"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    assert done.returncode == 2 and "--keep are for --run" in done.stderr, done


def share_served(rows, window):
    inside = [served for at, served in rows if window[0] <= at < window[1]]
    assert len(inside) >= 3, (window, len(inside))
    return sum(inside) / len(inside)


def events(results, summary):
    """Each fault is an event. While B is cut off from a neighbour no key can reach C, so the first one comes at the
    end of the cut, and what is lost are the requests of those 4 s, 4 in each, and of the moments around."""
    rows = results.execute("SELECT what, entity, at_s, end_s, detect_s, first_key_s, applications, lost_total "
                           "FROM fault_events ORDER BY idx").fetchall()
    for row in rows:
        print(row)
    assert [row[:4] for row in rows] == [
        ("classical", "link BC", 5, 9), ("both", "link AB", 13, 17), ("down", "node B", 21, 25),
        ("crash", "node C", 28, 29), ("crash", "controller", 30, 31)], rows
    for what, entity, _, _, detect_s, first_key_s, applications, lost in rows[:3]:
        assert applications == 1 and 14 <= lost <= 24, (what, entity)
        assert 0 < detect_s < 4 <= first_key_s < 8, (what, entity)  # 3 status periods of 0.5 s; late, if busy
    assert rows[3][6] == 1, rows  # the controller is missed by who needs a route meanwhile, or by nobody
    assert len(summary["fault_events"]) == 5, summary["fault_events"]


def main():
    top = tempfile.mkdtemp(prefix="qkdn-faults-")
    try:
        cannot_be_made(top)
        output = os.path.join(top, "faults.db")
        folder = os.path.join(top, "net")
        for lead_s in ("8", "25", "75"):  # a busy machine needs longer until all are ready
            done = up(folder, "-o", output, "--json", "--force", "--timeout", lead_s)
            if "not ready when the run began" not in done.stderr:
                break
        assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
        summary = json.loads(done.stdout)
        left = [os.path.join(where, name) for where, _, names in os.walk(folder) for name in names
                if name == "flight"]
        assert not left, left
        rows = sqlite3.connect(output).execute(
            "SELECT start_ns / 1e9, outcome = 'served' FROM requests ORDER BY 1").fetchall()
        for window in CUTS_S:
            share = share_served(rows, (window[0] + 0.2, window[1] - 2.2))
            print(f"cut from {window[0]} to {window[1]} s: {share:.0%} served")
            assert share == 0, rows
        for window in CALM_S:
            share = share_served(rows, window)
            print(f"calm from {window[0]} to {window[1]} s: {share:.0%} served")
            assert share > 0.7, rows
        assert summary["oracle"]["violations"] == 0, summary["oracle"]
        events(sqlite3.connect(output), summary)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
