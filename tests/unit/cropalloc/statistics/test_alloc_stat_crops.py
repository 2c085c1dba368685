"""The concordance of crop names."""

from __future__ import annotations

from pathlib import Path

import pytest

from cropalloc.statistics.crops import UnknownCropError, read_concordance
from cropbase.errors import ConfigError, InputError

CROPS = Path(__file__).parents[4] / "config" / "crops.yaml"
TABLE_2 = {
    "maize", "rice", "wheat", "soybean", "rapeseed", "groundnut", "potato", "sorghum",
    "millet", "cotton", "tea", "tobacco", "sugarbeet", "sugarcane", "sesame", "sunflower",
}  # fmt: skip


@pytest.fixture(scope="module")
def concordance():
    return read_concordance(CROPS)


def test_the_paper_has_16_crops_each_with_names(concordance):
    assert set(concordance.paper_ids) == TABLE_2
    for crop in TABLE_2:
        assert set(concordance.crops[crop].names) >= {"spam", "faostat", "chinese"}


def test_every_crop_has_one_spam_code_of_four_letters(concordance):
    codes = [crop.names["spam"] for crop in concordance.crops.values()]
    assert all(len(code) == 1 and len(code[0]) == 4 for code in codes)
    assert len({code[0] for code in codes}) == len(concordance.crops) == 40


@pytest.mark.parametrize(
    ("name", "vocabulary", "crop"),
    [
        ("whea", "spam", "wheat"),
        ("玉米", "chinese", "maize"),
        ("稻谷", None, "rice"),
        ("56", "faostat", "maize"),
        ("Maize (corn)", "faostat", "maize"),
        ("SOYA  beans", None, "soybean"),
        ("other cereals", "spam", "other_cereals"),
        ("wpo", "gaez", "potato"),
    ],
)
def test_a_name_is_found(concordance, name, vocabulary, crop):
    assert concordance.find(name, vocabulary) == crop


def test_a_vocabulary_limits_the_search(concordance):
    with pytest.raises(UnknownCropError, match="vocabulary 'gaez'"):
        concordance.find("玉米", "gaez")


def test_all_unknown_names_are_listed_at_once_with_near_ones(concordance):
    with pytest.raises(UnknownCropError) as error:
        concordance.find_all(["whea", "Maizze", "wheet", "xyzzy"])
    text = str(error.value)
    assert "3 crop name(s)" in text and "'Maizze' (did you mean maize" in text
    assert "'xyzzy'" in text and "whea'" not in text


def test_first_name_in_a_vocabulary(concordance):
    assert concordance.name("rice", "spam") == "rice"
    assert concordance.name("lentil", "gaez") is None
    with pytest.raises(UnknownCropError, match=r"did you mean wheat"):
        concordance.name("weat", "spam")


def test_totals_are_no_crops(concordance):
    assert concordance.is_left_out("粮食作物", "chinese")
    assert not concordance.is_left_out("玉米", "chinese")
    assert concordance.is_left_out("Cereals, primary", "faostat")


HEAD = "vocabularies: {spam: synonyms}\ncrops:\n"
CROP = "  {id}: {{title: {title}, group: g, dry_matter_share: {share}, names: {{spam: {name}}}}}\n"


def write(path, *crops, head=HEAD):
    path.write_text(
        head + "".join(CROP.format(**{"share": 0.9, "title": c["id"], **c}) for c in crops)
    )
    return path


def test_a_name_of_two_crops_is_refused(tmp_path):
    path = write(tmp_path / "crops.yaml", {"id": "a", "name": "xx"}, {"id": "b", "name": "XX"})
    with pytest.raises(InputError, match="'XX' is claimed by a and by b"):
        read_concordance(path)


def test_an_id_must_be_readable_and_vocabularies_declared(tmp_path):
    path = write(
        tmp_path / "crops.yaml", {"id": "Bad-Id", "name": "x"}, head="vocabularies: {}\ncrops:\n"
    )
    with pytest.raises(InputError) as error:
        read_concordance(path)
    assert "'Bad-Id'" in str(error.value) and "no vocabulary 'spam'" in str(error.value)


def test_a_share_above_one_is_refused(tmp_path):
    path = write(tmp_path / "crops.yaml", {"id": "a", "name": "x", "share": 3.44})
    with pytest.raises(ConfigError, match=r"crops.a.dry_matter_share.*less than or equal to 1"):
        read_concordance(path)
