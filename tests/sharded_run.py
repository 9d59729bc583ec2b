"""A command line that keeps a checkpoint after each epoch: as of a long training."""

import sys

from lazyrich_helpers.run import main
from lazyrich_helpers.runner import sharded_checkpoints

if __name__ == "__main__":
    sharded_checkpoints.EVERY = 0.0
    sys.exit(main())
