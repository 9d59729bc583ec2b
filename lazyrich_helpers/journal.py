"""A line for every run that ended: what, when, where and how."""

import contextlib
import datetime
import json
import os
import platform

from lazyrich_helpers.progress import label
from lazyrich_helpers.records import Record, Store


def note(record: Record, recipe: str, store: Store) -> None:
    """Append a line of JSON about `record` to the store's journal.

    Lines of several processes on one machine do not mix. A journal that can not be
    written is no reason to stop: what counts is the record.
    """
    line = {
        "end": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": recipe,
        "run_id": record.run_id,
        "run": label(record.config),
        "status": record.status[:500],
        "seconds": record.times.get("total"),
        "device": record.origin.get("device"),
        "machine": platform.node(),
        "process": os.getpid(),
        "records": str(store.folder),
    }
    text = json.dumps(line, ensure_ascii=False) + "\n"
    with contextlib.suppress(OSError):
        store.journal.parent.mkdir(parents=True, exist_ok=True)
        with store.journal.open("ab", buffering=0) as file:
            file.write(text.encode())  # in one piece: so they do not mix
