#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key manager that restarts is greeted by its modules as soon as their connection is back: it is ready
long before the next key file, which the links of this network make every ten minutes."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import live_net  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIO = os.path.join(HERE, "..", "..", "scenarios", "line-3.yaml")
SLOW = ["network.links[AB].qkd.rate=1 kbit/s", "network.links[BC].qkd.rate=1 kbit/s",
        "network.links[AB].qkd.block=600 kbit", "network.links[BC].qkd.block=600 kbit"]
WITHIN_S = float(os.environ.get("QKDN_READY_S", "6"))  # Argon2id, dialling pauses, a busy machine


def main():
    net = live_net.Network(os.environ["QKDN"], SCENARIO, {}, SLOW)
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
    assert not net.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
