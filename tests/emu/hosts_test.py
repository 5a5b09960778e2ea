#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network on two hosts: two network namespaces with a wire between them, so that daemons really talk over a
network and not over one loopback. `qkdn render --host` writes the deployment, each host runs its own
start.sh, requests are served over both, `qkdn judge` finds nothing wrong.

Needs root and iproute2; without them it says so and exits with 77 (skipped)."""
import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import live_net  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIO = os.path.join(HERE, "..", "data", "live-faults.yaml")
QKDN = os.path.abspath(os.environ["QKDN"])
ADDRESSES = ("10.213.77.1", "10.213.77.2")
RUN_S = 12
LEAD_S = 12
SKIPPED = 77


def ip(*words, check=True):
    return subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=check)


def hosts_make():
    """Names of two namespaces with a wire, or None."""
    names = [f"qkdn{os.getpid()}{side}" for side in "ab"]
    try:
        for name in names:
            ip("netns", "add", name)
            atexit.register(ip, "netns", "del", name, check=False)
        ip("link", "add", "qkdn0", "netns", names[0], "type", "veth", "peer", "name", "qkdn0",
           "netns", names[1])
        for name, address in zip(names, ADDRESSES):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "qkdn0")
            ip("-n", name, "link", "set", "qkdn0", "up")
            ip("-n", name, "link", "set", "lo", "up")
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", "") or str(error)
        print(f"skipped: no network namespaces here: {why.strip()}")
        return None
    return names


def start(folder, name, address):
    host = os.path.join(folder, "hosts", address)
    return subprocess.Popen(["ip", "netns", "exec", name, "sh", os.path.join(host, "start.sh")],
                            cwd=host, stdin=subprocess.DEVNULL, start_new_session=True,
                            env={**os.environ, "QKDN_BIN": os.path.dirname(QKDN)},
                            preexec_fn=live_net.die_with_parent)


def end(process):
    """As a supervisor would: SIGTERM to start.sh, which ends its daemons; its exit code."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def received_bytes(name):
    text = ip("-n", name, "-s", "-j", "link", "show", "qkdn0").stdout
    return json.loads(text)[0]["stats64"]["rx"]["bytes"]


def main():
    names = hosts_make()
    if names is None:
        return SKIPPED
    top = tempfile.mkdtemp(prefix="qkdn-hosts-")
    atexit.register(shutil.rmtree, top, ignore_errors=True)
    folder = os.path.join(top, "net")
    subprocess.run([QKDN, "render", SCENARIO, "-o", folder, "--quiet", "--set", f"duration={RUN_S} s",
                    "--set", "faults=[]", "--host", f"A={ADDRESSES[0]}", "--host",
                    f"B={ADDRESSES[1]}", "--host", f"C={ADDRESSES[0]}", "--run", f"+{LEAD_S} s"],
                   stdin=subprocess.DEVNULL, check=True)
    begun = time.monotonic()
    processes = [start(folder, name, address) for name, address in zip(names, ADDRESSES)]
    for process in processes:
        atexit.register(end, process)
    time.sleep(LEAD_S + RUN_S + 1 - (time.monotonic() - begun))
    assert all(process.poll() is None for process in processes), "a host ended early"
    crossed = [received_bytes(name) for name in names]
    codes = [end(process) for process in processes]
    assert codes == [0, 0], codes
    done = subprocess.run([QKDN, "judge", folder, "--json"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    verdict = json.loads(done.stdout)
    requests = verdict["requests"]
    print(f"{requests['served']} of {requests['total']} requests served over two hosts; "
          f"{crossed[0]} and {crossed[1]} bytes received; {verdict['oracle']['checks']} checks, "
          f"{verdict['oracle']['violations']} violations")
    assert verdict["oracle"]["violations"] == 0 and verdict["oracle"]["checks"] > 1000
    assert requests["total"] >= 4 * (RUN_S - 2) and requests["served"] >= 0.9 * requests["total"]
    assert min(crossed) > 100000
    return 0


if __name__ == "__main__":
    sys.exit(main())
