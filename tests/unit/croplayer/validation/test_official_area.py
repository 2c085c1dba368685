"""The official area: a number, a table, or none; never zero."""

import pytest

from cropbase.errors import InputError
from croplayer.validation.official import official_area_ha


def table(tmp_path, text):
    path = tmp_path / "areas.csv"
    path.write_text(text)
    return path


def test_the_figure_itself_or_none():
    assert official_area_ha("p", area_ha=5.0) == 5.0
    assert official_area_ha("p") is None


def test_the_row_of_the_province(tmp_path):
    path = table(tmp_path, "province,area_ha,source\nq,1,x\np,12.5,survey\n")
    assert official_area_ha("p", table=path) == 12.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("province,ha\np,1\n", "no column 'area_ha'"),
        ("province,area_ha,source\nq,1,x\n", "0 rows for province 'p'"),
        ("province,area_ha,source\np,1,x\np,2,x\n", "2 rows for province 'p'"),
        ("province,area_ha,source\np,0,x\n", "not positive"),
        ("province,area_ha,source\np,many,x\n", "not positive"),
        ("", "is empty"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        official_area_ha("p", table=table(tmp_path, text))


def test_an_absent_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv does not exist"):
        official_area_ha("p", table=tmp_path / "none.csv")
