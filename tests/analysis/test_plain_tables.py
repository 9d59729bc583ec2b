"""Tables for readers without this package say what the records say."""

import math

import pytest

from lazyrich_helpers.analysis.tables.plain import plain_tables
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import recorded_store
from lazyrich_helpers.notebook.chapter import recorded


@pytest.fixture(scope="module")
def records() -> list[Record]:
    of_each = ["figure-2", "figure-5", "figure-10-vgg5"]
    return [record for name in of_each for record in recorded(name).records[:5]]


def test_every_row_is_of_a_run(records):
    tables = plain_tables(records)
    ids = {record.run_id for record in records}
    assert set(tables["runs"].run_id) == ids and len(tables["runs"]) == len(ids)
    for name, table in tables.items():
        assert len(table) and set(table.run_id) <= ids, name


def test_numbers_are_the_records(records):
    tables = plain_tables(records)
    one = records[0]
    run = tables["runs"].set_index("run_id").loc[one.run_id]
    assert run.width == one.config.columns()["width"]
    curve = tables["curves"][tables["curves"].run_id == one.run_id]
    assert curve.train_loss.tolist() == one.curves["train_loss"]
    assert math.isclose(run.train_loss, one.curves["train_loss"][-1])
    lws = next(record for record in records if record.costs["backward"] < 1)
    row = tables["runs"].set_index("run_id").loc[lws.run_id]
    assert row.backward == lws.costs["backward"]


def test_a_failed_run_has_no_row(records):
    failed = Record(records[0].config, "failed: no memory")
    assert set(plain_tables([failed, records[1]])["runs"].run_id) == {records[1].run_id}


def test_all_committed_records_can_be_told():
    store = recorded_store()
    some = [record for i in store.ids()[::20] if (record := store.read(i))]
    assert len(plain_tables(some)["runs"]) == sum(record.done for record in some)


def test_no_records_are_empty_tables():
    assert all(table.empty for table in plain_tables([]).values())
