"""Bad input is one sentence with the value and the remedy, and costs no record."""

import errno
import shutil
from pathlib import Path

import pytest
import torch

from lazyrich_helpers.experiments import records
from lazyrich_helpers.run import main
from tests import tiny

REMEDIES = ("must be", "--help explains", "put the files there")

SLURM = ("--executor", "slurm")
SHARD = ("--shard", "dp")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A store with two finished runs, to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAZYRICH_STORE", str(folder))
        assert main(tiny.TINY) == 0
    return folder


@pytest.fixture(autouse=True)
def there(finished, store, offline, monkeypatch, tmp_path):
    """Put the finished runs where this test looks; they must be there afterwards."""
    shutil.copytree(finished, store.folder.parent)
    monkeypatch.setenv("LAZYRICH_RECORDS", str(tmp_path / "recorded"))
    before = tiny.contents(finished)
    yield before
    after = tiny.contents(store.folder.parent)
    assert before.items() <= after.items()
    assert not (tmp_path / "recorded").exists()


def status(words) -> int:
    """Return the exit status of the command line `words`."""
    try:
        return main(words)
    except SystemExit as exit:
        return exit.code


SLIPS = {
    "unknown recipe": (["figure-99"], "'figure-99'"),
    "no command": ([], "COMMAND"),
    "no recipe": (["train"], "RECIPE"),
    "retry of no recipe": (["retry", "figure-99"], "'figure-99'"),
    "list and retry": (["list", "--failed", "retry"], "'retry'"),
    "train of missing": (["figure-2", "--missing"], "--missing"),
    "no workers": ([*tiny.TINY, "--workers", "0"], "got 0"),
    "unknown executor": ([*tiny.TINY, "--executor", "cloud"], "'cloud'"),
    "Slurm time": ([*tiny.TINY, *SLURM, "--slurm-time", "1:00:00"], "'1:00:00'"),
    "chapter that is not there": (["notebook", "99", "seeds=0"], "'99'"),
    "no chapter": (["notebook"], "CHAPTER"),
    "grid without a name": (["notebook", "4", "10"], "'10'"),
    "grid without workers": (["notebook", "4", "--workers", "0"], "got 0"),
    "records in a file": ([*tiny.TINY, "--records", __file__], __file__),
    "records in no place": ([*tiny.TINY, "--records", "/proc/x"], "'/proc/x'"),
    "unknown budget": (["figure-2", "--budget", "huge"], "'huge'"),
    "unknown option": ([*tiny.TINY, "--frobnicate"], "--frobnicate"),
    "option without value": ([*tiny.TINY, "--widths"], "--widths"),
    "width 0": ([*tiny.TINY, "--widths", "0"], "got 0"),
    "width beyond memory": ([*tiny.TINY, "--widths", str(10**12)], f"={10**12}"),
    "duplicate widths": ([*tiny.TINY, "--widths", "4", "4"], "[4, 4]"),
    "width in words": ([*tiny.TINY, "--widths", "ten"], "'ten'"),
    "lr nan": ([*tiny.TINY, "--lrs", "nan"], "got nan"),
    "lr in words": ([*tiny.TINY, "--lrs", "small"], "'small'"),
    "no epochs": ([*tiny.TINY, "--num-epochs", "0"], "got 0"),
    "unknown data set": ([*tiny.TINY, "--dataset", "imagenet"], "'imagenet'"),
    "missing data": ([*tiny.TINY, "--dataset", "mnist"], "train-images-idx3-ubyte"),
    "dry run without": ([*tiny.TINY, "--dataset", "mnist", "--dry-run"], "LAZYRICH_D"),
    "no time": ([*tiny.TINY, "--time-budget", ""], "''"),
    "no device": ([*tiny.TINY, "--seeds", "5", "--device", "meta"], "'meta'"),
    "unknown device": ([*tiny.TINY, "--device", "warp9"], "'warp9'"),
    "no threads": ([*tiny.TINY, "--threads", "0"], "got 0"),
    "dry run without threads": ([*tiny.TINY, "--dry-run", "--threads", "0"], "got 0"),
    "dry run without workers": ([*tiny.TINY, "--dry-run", "--workers", "0"], "got 0"),
    "shards without time": ([*tiny.TINY, *SHARD, "--time-budget", ""], "''"),
    "shards without threads": ([*tiny.TINY, *SHARD, "--threads", "0"], "got 0"),
    "shards and workers": ([*tiny.TINY, *SHARD, "--workers", "2"], "got 2"),
    "Slurm's dry run": ([*tiny.TINY, *SLURM, "--slurm-time", "", "--dry-run"], "''"),
    "Slurm's threads": ([*tiny.TINY, *SLURM, "--threads", "2"], "-cpus-per-task says"),
    "Slurm's workers": ([*tiny.TINY, *SLURM, "--workers", "2"], "must be left out he"),
    "Slurm's end": ([*tiny.TINY, *SLURM, "--time-budget", "5m"], "--slurm-time is th"),
    "no Slurm": ([*tiny.TINY, "--slurm-time", "2h"], "slurm for --slurm-time; got 'lo"),
    "negative time": ([*tiny.TINY, "--time-budget=-5m"], "'-5m'"),
    "torch's word": ([*tiny.TINY, "--precision", "medium"], "fp32, bf16, tf32; got 'm"),
    "a GPU's precision": (
        [*tiny.TINY, "--precision", "tf32", "--device", "cpu"],
        "fp32 or bf16 on a CPU",
    ),
}


@pytest.mark.parametrize(("words", "value"), SLIPS.values(), ids=SLIPS)
def test_a_slip_is_one_sentence(words, value, capsys):
    assert status(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ")
    assert err.count("\n") == 1 and err.endswith(".\n")
    assert value in err and any(remedy in err for remedy in REMEDIES)


def test_a_disk_that_is_full_costs_no_record(store, capsys, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_whole", full)
        assert status([*tiny.TINY, "--seeds", "0", "1", "2"]) == 1
    out = capsys.readouterr().out
    assert "0 done now, 2 done before, 1 FAILED." in out
    assert "OSError: [Errno 28] No space left on device: " in out
    assert " (see that there is room and may be written, then run again)" in out
    assert len(store.ids()) == 2


def test_an_error_of_the_system_is_a_sentence_with_the_folder(
    capsys, monkeypatch, tmp_path
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LAZYRICH_STORE", str(tmp_path / "file" / "store"))
    assert status(["notebook", "4", "seeds=0"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {tmp_path / 'file'}") and err.count("\n") == 1
    assert "could not be read or written (Not a directory); see that its" in err


def test_retry_takes_what_the_list_of_failures_shows(store, there, capsys):
    path = store.folder / f"{store.ids()[0]}.json"
    good = path.read_bytes()
    path.write_bytes(b"{")
    assert status(["list", "--failed", *tiny.TINY]) == 0
    assert f"{path} is not a readable record" in capsys.readouterr().out
    assert status(["retry", *tiny.TINY]) == 1
    assert f"{path} is not a readable record" in capsys.readouterr().out
    path.write_bytes(good)


def test_a_disk_without_room_for_a_line_is_found_out_first(
    store, capsys, monkeypatch, no_training
):
    def full(dir):
        raise OSError(errno.ENOSPC, "No space left on device")

    no_training()
    monkeypatch.setattr(records.tempfile, "TemporaryFile", full)
    assert status([*tiny.TINY, "--seeds", "0", "1", "2"]) == 2
    err = capsys.readouterr().err
    assert f"got {str(store.folder)!r} (No space left on device)." in err


def test_a_process_ends_with_the_sentence_alone(there):
    words = ("-m", "lazyrich_helpers.run", *tiny.TINY, "--widths", "0")
    process = tiny.python(*words)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and out == ""
    assert err == "Loading torch.\nerror: width must be at least 1; got 0.\n"


def test_a_corrupt_record_is_reported_and_kept(store, there, capsys):
    name, _ = store.ids()
    path = store.folder / f"{name}.json"
    weights = store.weights / f"{name}.pt"
    good, trained = path.read_bytes(), weights.read_bytes()
    path.write_bytes(b"{")
    assert status([*tiny.TINY, "--seeds", "0", "1", "2"]) == 1
    out = capsys.readouterr().out
    assert "1 done now, 1 done before, 1 FAILED" in out
    assert f"RecordError: {path} is not a readable record" in out
    assert "delete it or restore it" in out and "Traceback" not in out
    assert path.read_bytes() == b"{"
    assert len(store.ids()) == 3
    path.unlink()
    assert status([*tiny.TINY, "--seeds", "0", "1", "2"]) == 0
    assert path.read_bytes() != b"{"
    path.write_bytes(good)  # trained alone, it is the same to rounding only
    weights.write_bytes(trained)


def test_a_thread_count_holds_for_the_run():
    assert status([*tiny.TINY, "--threads", "2"]) == 0
    assert torch.get_num_threads() == 2


def test_without_slurm_it_is_a_sentence(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for words in ([*tiny.TINY, *SLURM, "--seeds", "7"], ["status"], ["cancel"]):
        assert status([*words, "--budget", "smoke"]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("error: ") and err.count("\n") == 1
        assert "needs the command 's" in err and "PATH" in err
