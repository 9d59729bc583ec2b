"""A command line that keeps a checkpoint after each epoch: as of a long training.

`DIES_AFTER` is the epoch after which process 1 is killed.
"""

import os
import signal
import sys
from typing import Any

from lazyrich_helpers.run import main
from lazyrich_helpers.runner import sharded, sharded_checkpoints


class Fatal(sharded_checkpoints.ShardedCheckpoint):
    """Ends a process, without a word, once a checkpoint is written."""

    def write(self, network: Any, state: Any, note: Any) -> None:
        super().write(network, state, note)
        if str(state.num_done) == os.getenv("DIES_AFTER") and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sharded_checkpoints.EVERY = 0.0
    sharded.ShardedCheckpoint = Fatal
    sys.exit(main())
