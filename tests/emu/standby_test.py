#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers as processes: the one in charge is killed (SIGKILL) and does not come back; the standby takes
over, and a pair that never asked before is served. The same network without any controller, in mode distributed.
With the controller killed and no standby that pair is refused: so the test can fail. The oracle reads the flight
records of all.

A takeover takes 4 to 5 status periods of 0.5 s (docs/protocol.md); 8 s lie between the kill and the first request
of the pair."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import live_net  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIO = os.path.join(HERE, "..", "data", "live-standby.yaml")
DAEMONS = 12  # places of ports, at least as many as daemons
STANDBY = ", standby: C"
FAULTS = "faults:\n  - {at: 14 s, element: controller, what: crash}\n"


def run(top, name, base, changes):
    """The summary, and (application, outcome, reason) of each request."""
    scenario = os.path.join(top, name + ".yaml")
    output = os.path.join(top, name + ".db")
    with open(SCENARIO, encoding="utf-8") as file:
        text = file.read()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    with open(scenario, "w", encoding="utf-8") as file:
        file.write(text)
    for lead_s in ("8", "25", "75"):  # a busy machine needs longer until all are ready
        done = subprocess.run([os.environ["QKDN"], "up", "--run", scenario, "--dir",
                               os.path.join(top, name), "--base-port", str(base), "-o", output, "--json",
                               "--force", "--timeout", lead_s],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if "not ready when the run began" not in done.stderr:
            break
    assert done.returncode == 0, (name, done.returncode, done.stdout[-2000:], done.stderr)
    summary = json.loads(done.stdout)
    assert summary["oracle"]["violations"] == 0, summary["oracle"]
    rows = sqlite3.connect(output).execute(
        "SELECT a.id, r.outcome, r.reason FROM requests r JOIN applications a ON a.idx = r.application"
    ).fetchall()
    counts = {}
    for row in rows:
        counts[row] = counts.get(row, 0) + 1
    print(name, counts, flush=True)
    return counts


def served(counts, application):
    asked = sum(n for row, n in counts.items() if row[0] == application)
    good = sum(n for row, n in counts.items() if row[0] == application and row[1] == "served")
    assert asked > 40, counts
    return good / asked


def main():
    top = tempfile.mkdtemp(prefix="qkdn-standby-")
    try:
        base = live_net.free_base(3 * DAEMONS)
        places = [base + i * DAEMONS * live_net.PORT_STEP for i in range(3)]
        with ThreadPoolExecutor(3) as pool:  # they mostly wait
            standby = pool.submit(run, top, "standby", places[0], [])
            alone = pool.submit(run, top, "alone", places[1], [(STANDBY, "")])
            free = pool.submit(run, top, "distributed", places[2], [
                (STANDBY, ", mode: distributed, controller: false"), (FAULTS, "")])
        counts = standby.result()
        assert served(counts, "new") > 0.97 and served(counts, "old") > 0.9, counts
        counts = alone.result()
        assert served(counts, "new") == 0, counts
        counts = free.result()
        assert served(counts, "new") > 0.97 and served(counts, "old") > 0.97, counts
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
