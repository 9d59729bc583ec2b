"""A private Slurm cluster of two nodes on this machine, for as long as it is needed.

It runs as the present user, in a folder of its own, without systemd. Debian has it all:
`apt-get install --no-install-recommends slurmctld slurmd slurm-client munge`.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

import pytest

NODES = ("one", "two")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
SBIN = ("/usr/sbin", "/sbin")
"""Where Debian has daemons, which is not on every user's PATH."""
READY = 30.0
"""Seconds within which all nodes should be idle; it takes one or two."""

SETTINGS = """
ClusterName=lazyrich
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits until its old credential has expired: two minutes by default.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=1,sched_interval=5,bf_interval=5
MpiDefault=none
MailProg=/bin/true
KillWait=5
MinJobAge=600
ReturnToService=2
JobRequeue=1
GresTypes=gpu
# A node that has not answered for this long is down; its jobs go to another.
SlurmdTimeout=5
SlurmctldTimeout=10
SlurmdParameters=config_overrides
PartitionName=all Nodes=ALL Default=YES MaxTime=60 State=UP
"""


@dataclass(frozen=True)
class Cluster:
    """A running cluster; its commands find it by `SLURM_CONF`."""

    folder: Path

    def kill_node(self, name: str) -> None:
        """Kill a node's daemon at once, as a crash would; its jobs' processes stay."""
        os.kill(self._pid(name), signal.SIGKILL)

    def start_node(self, name: str) -> None:
        """Start a node's daemon, also after `kill_node`."""
        _run("slurmd", "-N", name)

    def node_states(self) -> list[str]:
        """Return the state of each node, such as idle, mixed, down."""
        return _run("sinfo", "--noheader", "--Node", "--format=%T").split()

    def jobs_on(self, node: str) -> list[str]:
        """Return the ids of the jobs that a node has."""
        options = ("--noheader", "--array", "--format=%i", f"--nodelist={node}")
        return _run("squeue", *options).split()

    def stop(self) -> None:
        """Stop everything that was started here, jobs included."""
        with contextlib.suppress(subprocess.SubprocessError):
            _run("scancel", f"--user={getuser()}")
        for name in (*NODES, "slurmctld", "munged"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(self._pid(name), signal.SIGTERM)
        end = time.monotonic() + 5
        while self._processes() and time.monotonic() < end:
            time.sleep(0.1)
        for pid in self._processes():  # of jobs, where a node was killed
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _pid(self, name: str) -> int:
        return int((self.folder / f"{name}.pid").read_text())

    def _processes(self) -> list[int]:
        """Return the processes that were started with this cluster's settings."""
        mark = f"SLURM_CONF={self.folder}/slurm.conf\0".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in path.read_bytes() and int(path.parent.name) != os.getpid():
                    found.append(int(path.parent.name))
        return found


@contextlib.contextmanager
def start() -> Iterator[Cluster]:
    """Start a cluster, wait until it is ready, and stop it whatever happens.

    Inside, `SLURM_CONF` names it, and PATH has all of Slurm's programs.

    Raises:
        RuntimeError: If Slurm is not installed, or does not start.
    """
    if lacking():
        raise RuntimeError(lacking())
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    cluster = Cluster(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", f"{folder}/slurm.conf")
        patch.setenv("PATH", os.pathsep.join((os.environ["PATH"], *SBIN)))
        try:
            _start(cluster)
            yield cluster
        finally:
            cluster.stop()
            shutil.rmtree(folder, ignore_errors=True)


def lacking() -> str:
    """Return a sentence that says what is not installed; empty: nothing."""
    path = os.pathsep.join((os.environ["PATH"], *SBIN))
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if not missing:
        return ""
    return (
        f"Slurm tests need {', '.join(missing)}; on Debian: apt-get install "
        "--no-install-recommends slurmctld slurmd slurm-client munge."
    )


def require() -> None:
    """Leave the test with one sentence where Slurm is not installed."""
    message = lacking()
    if message and os.environ.get("LAZYRICH_REQUIRE_SLURM") == "1":
        pytest.fail(message)
    if message:
        pytest.skip(message)


def _start(cluster: Cluster) -> None:
    folder = cluster.folder
    (folder / "state").mkdir()
    _write_settings(folder)
    _start_munge(folder)
    _run("slurmctld", "-c")
    for node in NODES:
        (folder / node).mkdir()
        cluster.start_node(node)
    end = time.monotonic() + READY
    while True:
        with contextlib.suppress(subprocess.CalledProcessError):  # not listening yet
            if cluster.node_states() == ["idle"] * len(NODES):
                return
        if time.monotonic() > end:
            logs = [path.read_text()[-2000:] for path in sorted(folder.glob("*.log"))]
            raise RuntimeError("\n".join([f"Slurm was not ready in {READY} s.", *logs]))
        time.sleep(0.1)


def _write_settings(folder: Path) -> None:
    host = socket.gethostname().split(".")[0]
    port, *ports = _free_ports(1 + len(NODES))
    text = SETTINGS.format(host=host, user=getuser(), folder=folder, port=port)
    for node, port in zip(NODES, ports, strict=True):
        address = f"NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
        text += f"NodeName={node} {address} CPUs=2 Gres=gpu:1\n"
    (folder / "slurm.conf").write_text(text)
    # Any device passes for a GPU with Slurm, which counts it and gives it out.
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")


def _start_munge(folder: Path) -> None:
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(64))
    # Forced: else it refuses folders below one that others may write to, such as /tmp.
    files = {"key-file": key, "socket": folder / "munge.socket"}
    files |= {"pid-file": folder / "munged.pid", "log-file": folder / "munged.log"}
    files |= {"seed-file": folder / "munge.seed"}
    _run("munged", "--force", *(f"--{name}={path}" for name, path in files.items()))


def _free_ports(num: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(num)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _run(*words: str) -> str:
    """Return what a command printed; a daemon's parent ends when it is up."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    return subprocess.run(words, check=True, timeout=30, **options).stdout
