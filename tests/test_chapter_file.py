"""A chapter as a file: found by any of its names."""

import pytest

from lazyrich_helpers.runner import chapter_file
from lazyrich_helpers.runner.chapter_file import find_chapter
from tests.refresh_outputs import chapters


def test_the_chapters_are_those_of_the_book():
    assert chapter_file.chapters() == chapters()


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_a_chapter_is_found_by_number_name_and_path(path, monkeypatch):
    number, name = path.stem.split("_", 1)
    monkeypatch.chdir(path.parent)
    numbers = (number, str(int(number))) if number.isdecimal() else ()
    for text in (*numbers, name, path.stem, path.name, str(path)):
        assert find_chapter(text) == path, text


@pytest.mark.parametrize("text", ["99", "", "0", "_setup", "book", "no.ipynb", "*"])
def test_what_is_no_chapter_is_a_sentence_with_all_there_are(text):
    with pytest.raises(ValueError) as stopped:
        find_chapter(text)
    told = str(stopped.value)
    assert told.endswith(f"got {text!r}.") and "\n" not in told
    assert all(path.stem in told for path in chapters())
