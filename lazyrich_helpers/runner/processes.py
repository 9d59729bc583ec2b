"""Processes that train one network together: how they meet, begin and end."""

import contextlib
import datetime
import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import torch
from torch import distributed

from lazyrich_helpers.config import require
from lazyrich_helpers.places import PACKAGE
from lazyrich_helpers.runner.stopping import unheard

PATIENCE = datetime.timedelta(hours=2)
"""For one process that measures while the others wait. A killed one is noticed at
once."""
GRACE = 45.0
"""Seconds that processes have to end after they were asked; torchrun takes 30."""
STARTED_BY = "torchrun --standalone --nproc-per-node=2 -m lazyrich_helpers.run"


def join(device: str) -> str:
    """Meet the other processes that torchrun started; return this one's device.

    Raises:
        ValueError: If torchrun did not start this process, or there are fewer GPUs.
    """
    if "RANK" not in os.environ:
        raise ValueError(f"--shard needs processes: start it by `{STARTED_BY} …`.")
    if device.startswith("cuda"):
        own, num = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        require(own < num, "nproc-per-node", f"at most {num}, the GPUs here", own + 1)
        torch.cuda.set_device(own)
        distributed.init_process_group("nccl", timeout=PATIENCE)
        return f"cuda:{own}"
    if sys.platform == "linux" and "LOCAL_WORLD_SIZE" in os.environ:
        if os.environ["LOCAL_WORLD_SIZE"] == os.environ["WORLD_SIZE"]:
            # On one machine: what its network cards are called does not matter.
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", timeout=PATIENCE)
    # Of FSDP2, about its own modules; of networks whose last module reshapes.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module.*returned a view")
    # Of DDP, where a kernel of one channel has two ways to lie in memory.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view")
    # Of a 2-D mesh, that two gathers take longer than one.
    logging.getLogger("torch.distributed.tensor._redistribute").setLevel(logging.ERROR)
    return "cpu"


def is_first() -> bool:
    """Return whether this process is the one that speaks and writes."""
    return distributed.get_rank() == 0


def agreed(value: Any) -> Any:
    """Return the first process's value in all of them."""
    values = [value]
    distributed.broadcast_object_list(values, src=0)
    return values[0]


def leave(code: int, *, alone: bool = False) -> NoReturn:
    """End this process; unless `alone`, after all others have come this far.

    Threads of gloo sometimes abort an interpreter that shuts down (torch 2.13), so it
    is not waited for.
    """
    if not alone:
        distributed.barrier()
        distributed.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextlib.contextmanager
def together(
    num: int, words: Sequence[str], *, piped: bool = True, **env: str
) -> Iterator[subprocess.Popen]:
    """Start `num` processes on this machine by torchrun; end them, come what may.

    Args:
        num: Of processes; each has one thread.
        words: What python is told: a file, or `-m` and a module, and its arguments.
        piped: Whether the caller reads what they say; else it is said where it is.
        env: Further environment variables.
    """
    # The same code there as here, wherever this process was started.
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.getenv("PYTHONPATH")]))
    torchrun = ["-m", "torch.distributed.run", "--standalone"]
    torchrun += [f"--nproc-per-node={num}"]
    # Slurm warns every process of a job, which would end these, before its time does:
    # the warning is for the one that starts them.
    with unheard(signal.SIGUSR2):
        process = subprocess.Popen(
            [sys.executable, *torchrun, *words],
            stdout=subprocess.PIPE if piped else None,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path} | env,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()  # which torchrun hands on to all that it started
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=GRACE)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
