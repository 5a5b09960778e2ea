# SPDX-License-Identifier: GPL-3.0-or-later
"""A network of real daemons for tests: rendered into a folder, started, killed, restarted, judged.

Standard library only. Every daemon is a child of this process and is killed with it, whatever happens:
by the parent's death signal, and at exit. Ports are free ones below the ephemeral range.
"""
import atexit
import ctypes
import datetime
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PORT_STEP = 10  # of `qkdn render`: ports of a daemon
PORTS_PER_DAEMON = 3
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def free_base(count):
    """A base port with which the ports of `count` daemons are free now."""
    chance = random.SystemRandom()
    for _ in range(200):
        base = chance.randrange(11000, 31000 - PORT_STEP * count, PORT_STEP)
        try:
            for port in (base + PORT_STEP * n + i for n in range(count)
                         for i in range(PORTS_PER_DAEMON)):
                with socket.socket() as trial:
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    trial.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
    raise SystemExit("no free ports")


def seconds_of(text):
    """Seconds since 1970 of an instant in a log."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def die_with_parent():
    """In the child, before exec."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Daemon:
    def __init__(self, net, row):
        self.net = net
        self.name = row["name"]
        self.kind = row["kind"]
        self.folder = os.path.join(net.folder, row["folder"])
        self.status = row["status"]
        self.etsi014 = row.get("etsi014", "")
        self.process = None
        self.started = 0

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        assert self.process is None, self.name
        program = os.path.join(self.net.programs, f"qkdn-{self.kind}")
        self.started += 1
        with open(self.path("out"), "ab") as out:
            self.process = subprocess.Popen([program, "daemon.yaml"], cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True, preexec_fn=die_with_parent)

    def kill(self):
        """SIGKILL at once; False if it had ended by itself."""
        alive = self.process is not None and self.process.poll() is None
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        return alive

    def wait(self, seconds=10):
        """After SIGTERM: the exit code, or None if it had to be killed."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        self.kill()
        self.process = None
        return code

    def ended(self):
        """The exit code of a daemon that ended though nobody told it to; None while it runs."""
        return None if self.process is None else self.process.poll()

    def file_limit(self, size_bytes):
        """The largest file that the running daemon may write from now on; None: no limit."""
        hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)[1]
        soft = hard if size_bytes is None else size_bytes
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (soft, hard))

    def get(self, path, seconds=2):
        """(code, text) of the status port; (0, why) if nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.status}{path}", timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def log_tail(self, count=15):
        lines = []
        for name in ("out", "log"):
            try:
                with open(self.path(name), encoding="utf-8", errors="replace") as log:
                    lines += [f"  {self.name} {name}: {line.rstrip()}" for line in log][-count:]
            except OSError:
                pass
        return "\n".join(lines)


class Network:
    """settings: lines of the daemons' configurations that are not as `qkdn render` writes them, such as
    {"kmd": {"load": "scenario"}, "all": {"flight": "flight"}}."""

    def __init__(self, qkdn, scenario, settings, sets=()):
        self.qkdn = os.path.abspath(qkdn)
        self.programs = os.path.dirname(self.qkdn)
        self.top = tempfile.mkdtemp(prefix="qkdn-live-")
        self.folder = os.path.join(self.top, "net")
        self.daemons = []
        self.keep = False
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(130))
        for _ in range(5):  # somebody else may take the ports between the look and the start
            self.base = free_base(20)
            done = subprocess.run([self.qkdn, "render", scenario, "-o", self.folder, "--force",
                                   "--quiet", "--base-port", str(self.base)] +
                                  [word for text in sets for word in ("--set", text)],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode == 0:
                break
        if done.returncode != 0:
            raise SystemExit(f"qkdn render: {done.stderr}")
        with open(os.path.join(self.folder, "deployment.json"), encoding="utf-8") as file:
            self.daemons = [Daemon(self, row) for row in json.load(file)["daemons"]]
        self.by_name = {daemon.name: daemon for daemon in self.daemons}
        self.configure(settings)

    def configure(self, settings):
        for daemon in self.daemons:
            wanted = dict(settings.get("all", {}))
            wanted.update(settings.get(daemon.kind, {}))
            with open(daemon.path("daemon.yaml"), encoding="utf-8") as file:
                lines = [line for line in file.read().splitlines()
                         if line.split(":")[0] not in wanted]
            with open(daemon.path("daemon.yaml"), "w", encoding="utf-8") as file:
                file.write("\n".join(lines + [f"{key}: {value}" for key, value in wanted.items()])
                           + "\n")

    def start(self):
        for daemon in self.daemons:
            daemon.start()

    def wait_ready(self, seconds=20):
        """Until /healthz of every daemon says ok; seconds taken."""
        begin = time.monotonic()
        waiting = list(self.daemons)
        last = {}
        while waiting:
            self.check_alive()
            still = []
            for daemon in waiting:
                code, last[daemon.name] = daemon.get("/healthz")
                if code != 200:
                    still.append(daemon)
            waiting = still
            if waiting and time.monotonic() - begin > seconds:
                raise SystemExit("not ready after %d s:\n%s" % (seconds, "\n".join(
                    f"  {d.name}: {last[d.name]}\n{d.log_tail()}" for d in waiting)))
            time.sleep(0.05)
        return time.monotonic() - begin

    def check_alive(self):
        for daemon in self.daemons:
            if daemon.ended() is not None:
                raise SystemExit(f"{daemon.name} ended by itself with code {daemon.ended()}\n"
                                 f"{daemon.log_tail()}")

    def stop(self):
        """All by SIGTERM; names of those that did not end with code 0."""
        running = [daemon for daemon in self.daemons if daemon.process is not None]
        for daemon in running:
            daemon.process.terminate()
        return [daemon.name for daemon in running if daemon.wait() != 0]

    def judge(self, output, record="requests"):
        """What `qkdn judge` says of the flight records: (exit code, its JSON object or None, errors)."""
        done = subprocess.run([self.qkdn, "judge", self.folder, "-o", output, "--force", "--json",
                               "--record", record],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        try:
            verdict = json.loads(done.stdout)
        except ValueError:
            verdict = None
        return done.returncode, verdict, done.stderr

    def sae(self, name):
        """(certificate, key) of an SAE, APPLICATION.NODE."""
        base = os.path.join(self.folder, "pki", f"sae.{name}")
        return base + ".crt", base + ".key"

    def authority(self):
        return os.path.join(self.folder, "pki", "ca.crt")

    def close(self):
        """Kills what still runs; the folder goes unless `keep`."""
        for daemon in self.daemons:
            daemon.kill()
        if self.keep:
            print(f"kept: {self.top}", flush=True)
        else:
            shutil.rmtree(self.top, ignore_errors=True)
        self.daemons = []
