"""The contents of the report have every item of the paper, and rules that make them."""

from __future__ import annotations

import re
from pathlib import Path

from croplayer.report.contents import CONTENTS

FIGURES, TABLES = set(range(1, 18)), set(range(1, 7))


def numbers(kind):
    return {
        int(number)
        for item in CONTENTS
        if item.number.startswith(kind)
        for number in re.findall(r"\d+", item.number)
    }


def test_every_figure_and_table_of_the_paper_is_there():
    assert numbers("Figure") == FIGURES
    assert numbers("Table") == TABLES
    assert len({item.key for item in CONTENTS}) == len(CONTENTS)


def test_every_item_has_a_rule_that_makes_it():
    rules = "\n".join(path.read_text() for path in Path("workflow/rules").glob("*.smk"))
    for item in CONTENTS:
        assert f"/{item.path}" in rules, item.path


def test_items_come_in_the_order_of_the_paper():
    for kind in ("Figure", "Table"):
        found = [re.search(r"\d+", i.number) for i in CONTENTS if i.number.startswith(kind)]
        order = [int(number.group()) for number in found]
        assert order == sorted(order)
