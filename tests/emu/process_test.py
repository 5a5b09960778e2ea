#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a daemon protects what is in its memory and its files (docs/live.md), seen from outside: no core file,
nobody else of the same user looks in, a private key that others may read is refused. And what its
metrics say of the process itself.

The kernel gives /proc/PID/* to root for a process that is not dumpable, which shows with another user only:
as root, the daemon is started as nobody."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import live_net  # noqa: E402
import prometheus  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIO = os.path.join(HERE, "..", "..", "scenarios", "line-3.yaml")
NOBODY = 65534


def give_to_nobody(top):
    os.chown(top, NOBODY, NOBODY)
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            os.chown(os.path.join(folder, name), NOBODY, NOBODY)


def user():
    return {"user": NOBODY, "group": NOBODY} if os.getuid() == 0 else {}


def owner(pid):
    return os.stat(f"/proc/{pid}/mem").st_uid


def start(net, daemon):
    program = os.path.join(net.programs, f"qkdn-{daemon.kind}")
    return subprocess.Popen([program, "daemon.yaml"], cwd=daemon.folder, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            preexec_fn=live_net.die_with_parent, **user())


def memory_is_closed(net, daemon):
    own = NOBODY if os.getuid() == 0 else os.getuid()
    with subprocess.Popen(["sleep", "60"], **user()) as plain:
        time.sleep(0.2)
        assert owner(plain.pid) == own, "no way to see it on this system"
        plain.kill()
    daemon.process = start(net, daemon)
    end = time.monotonic() + 20
    code = 0
    while code == 0 and time.monotonic() < end:
        code, text = daemon.get("/metrics")
        time.sleep(0.05)
    assert code == 200, f"{code} {text}\n{daemon.log_tail()}"
    pid = daemon.process.pid
    assert owner(pid) == 0, f"/proc/{pid}/mem belongs to user {owner(pid)}: it is dumpable"
    with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
        core = [line.split()[4:6] for line in limits if line.startswith("Max core file size")]
    assert core == [["0", "0"]], core
    return text


def metrics_are_there(text):
    families = prometheus.read(text)
    assert families
    for name in ("process_resident_memory_bytes", "process_open_fds", "qkdn_store_memory_bytes"):
        value = [float(line.split()[1]) for line in text.splitlines()
                 if line.startswith(name + " ")]
        assert len(value) == 1 and value[0] > 5, f"{name}: {value}"
    for start_of in ('qkdn_connected{peer="kmd.B",direction="out"} ',
                     'qkdn_etsi014_answers_total{method="enc_keys",code="200"} 0',
                     "qkdn_store_commit_seconds_count ", "qkdn_channels_needed "):
        assert any(line.startswith(start_of) for line in text.splitlines()), start_of


def open_key_is_refused(net, daemon):
    os.chmod(daemon.path("daemon.key"), 0o644)
    done = start(net, daemon)
    said, _ = done.communicate(timeout=20)
    os.chmod(daemon.path("daemon.key"), 0o600)
    assert done.returncode == 3, done.returncode
    assert "daemon.key: a private key must be closed to group and others" in said, said


def main():
    net = live_net.Network(os.environ["QKDN"], SCENARIO, {})
    if os.getuid() == 0:
        give_to_nobody(net.top)
    daemon = net.by_name["kmd.A"]
    open_key_is_refused(net, daemon)
    metrics_are_there(memory_is_closed(net, daemon))
    daemon.process.terminate()
    assert daemon.wait() == 0
    print("memory and keys are closed to others")
    return 0


if __name__ == "__main__":
    sys.exit(main())
