#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key manager that restarts is greeted by its modules as soon as their connection is back: it is ready
long before the next key file, which the links of this network make every ten minutes. A key manager that was
halted leaves out what its load would have asked meanwhile, and goes on."""
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import live_net  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIO = os.path.join(HERE, "..", "..", "scenarios", "line-3.yaml")
SLOW = ["network.links[AB].qkd.rate=1 kbit/s", "network.links[BC].qkd.rate=1 kbit/s",
        "network.links[AB].qkd.block=600 kbit", "network.links[BC].qkd.block=600 kbit",
        "applications[video].rate=20 /s"]
HALT_S = 9
WITHIN_S = float(os.environ.get("QKDN_READY_S", "6"))  # Argon2id, dialling pauses, a busy machine


def halted(net):
    """What the log says of requests left out: those of all but the last 5 s of the halt."""
    daemon = net.by_name["kmd.A"]
    daemon.process.send_signal(signal.SIGSTOP)
    time.sleep(HALT_S)
    daemon.process.send_signal(signal.SIGCONT)
    net.wait_ready(60)
    with open(daemon.path("log"), encoding="utf-8") as log:
        missed = [json.loads(line)["requests"] for line in log if '"load_missed"' in line]
    print(f"halted for {HALT_S} s: {missed} requests left out", flush=True)
    assert 20 * (HALT_S - 5) / 2 < sum(missed) < 20 * HALT_S, missed


def main():
    net = live_net.Network(os.environ["QKDN"], SCENARIO, {"kmd": {"load": "scenario"}}, SLOW)
    net.start()
    net.wait_ready(60)
    slowest = 0
    for name in ("kmd.B", "kmd.A", "ctld", "mgrd", "kmd.B"):
        daemon = net.by_name[name]
        daemon.kill()
        time.sleep(0.2)
        begin = time.monotonic()
        daemon.start()
        net.wait_ready(60)
        took = time.monotonic() - begin
        slowest = max(slowest, took)
        print(f"{name}: all are ready {took:.2f} s after its start", flush=True)
    assert slowest < WITHIN_S, slowest
    halted(net)
    assert not net.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
