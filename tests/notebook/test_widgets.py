"""What every explorer is: controls, data, a start, and the same text in each run."""

import json

import pytest

from lazyrich_helpers.analysis.figures import style as figure_style
from lazyrich_helpers.notebook.widgets import STATIC, Explorer, check, choice, slider

CONTROLS = [
    slider("x", "x", "abc"),
    slider("y", "y", "abc"),
    check("both", "together", "xy"),
    choice("row", "row", ["first", "second"]),
]


def explorer(**start):
    return Explorer("frames", CONTROLS, {"frames": {}}, start)


def test_controls_start_where_they_are_told_and_say_what_they_stand_at():
    made = explorer(x=2)
    assert made.state == {"x": 2, "y": 0, "both": 0, "row": 0}
    assert [made.chosen(name) for name in ("x", "both", "row")] == ["c", "no", "first"]


@pytest.mark.parametrize("place", [-1, 3, 0.5])
def test_a_start_outside_is_a_sentence(place):
    with pytest.raises(ValueError, match=r"start of x must be from 0 to 2; got "):
        explorer(x=place)


def test_the_text_is_the_same_for_the_same_data_and_no_other():
    assert repr(explorer()) == repr(explorer())
    assert repr(explorer()) != repr(explorer(x=1))
    other = Explorer("frames", CONTROLS, {"frames": {"0,0": 1}}, {})
    assert repr(explorer()) != repr(other)


def test_the_whole_state_may_be_written_into_a_page():
    state = explorer().get_state()
    assert json.loads(json.dumps(state["data"]))["controls"] == CONTROLS
    assert state["_esm"].count("export default") == 1


def test_the_scripts_are_small():
    sizes = {path.name: path.stat().st_size for path in STATIC.iterdir()}
    assert sum(sizes.values()) < 55_000 and sizes["frame.js"] < 10_000


@pytest.mark.parametrize("color", ["black", "white", "#440154", "#fde725", "tab:red"])
def test_colours_stand_out_from_both_grounds(color):
    drawn = figure_style.on_grounds(color)
    for own, ground in zip(drawn, figure_style.GROUNDS, strict=True):
        ratio = figure_style.contrast(own, ground)
        assert ratio >= figure_style.CONTRAST
        if figure_style.contrast(color, ground) < figure_style.CONTRAST:
            assert ratio < figure_style.CONTRAST + 1  # no farther than need be


def test_contrast_is_the_standards():
    assert figure_style.contrast("black", "white") == pytest.approx(21)
    assert figure_style.contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)
