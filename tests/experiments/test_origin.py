"""A record says where its numbers came from."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from lazyrich_helpers.experiments import origin
from lazyrich_helpers.experiments.record import NUMERICS
from tests import tiny


def test_everything_is_told():
    data = tiny.CONFIG.data.load()
    told = origin.origin_of(data, "highest")
    assert json.loads(json.dumps(told)) == told
    expected = {"numerics": NUMERICS, "data": data.digest, "threads": 1}
    expected |= {"arithmetic": "fp32"}
    expected |= {"num_train": 200, "num_test": 500}
    expected |= {"torch": torch.__version__, "numpy": np.__version__}
    assert expected.items() <= told.items()
    assert told["numerics"] is not NUMERICS
    assert told["device"].startswith("CPU, ") and len(told["device"]) > 5
    age = datetime.now(UTC) - datetime.fromisoformat(told["start"])
    assert 0 <= age.total_seconds() < 60
    assert re.fullmatch(r"[0-9a-f]{12}", told["source"])


def test_the_source_digest_changes_with_any_source_file(monkeypatch, tmp_path):
    package = tmp_path / "lazyrich_helpers"
    shutil.copytree(origin.PACKAGE, package)
    monkeypatch.setattr(origin, "PACKAGE", package)
    digest = origin.source_digest.__wrapped__
    before = digest()
    (package / "notes.txt").write_text("not code")
    assert digest() == before
    with (package / "lws" / "schedules.py").open("a") as file:
        file.write("# another line\n")
    assert digest() != before


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    command = ["git", *own, "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_says_when_the_package_was_edited(monkeypatch, tmp_path):
    monkeypatch.setattr(origin, "ROOT", tmp_path)
    commit = origin.commit.__wrapped__
    assert commit() == "unknown"
    (tmp_path / "lazyrich_helpers").mkdir()
    code = tmp_path / "lazyrich_helpers" / "a.py"
    code.write_text("a = 1\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one", "--no-verify")
    head = git(tmp_path, "rev-parse", "--short=12", "HEAD").strip()
    assert commit() == head
    (tmp_path / "elsewhere.md").write_text("prose")
    assert commit() == head
    code.write_text("a = 2\n")
    assert commit() == head + "+"
