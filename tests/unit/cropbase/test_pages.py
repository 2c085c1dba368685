"""Pages for people: well-formed, escaped, nothing from outside the file."""

from xml.etree import ElementTree

from cropbase.pages import Cell, Row, number, page, paragraph, table

NASTY = '<script>alert("x")</script> & co'


def parsed(text):
    body = text[text.index("<body>") : text.index("</html>")]
    return ElementTree.fromstring(body)


def test_whatever_is_written_is_escaped():
    text = page(NASTY, table([NASTY], [[NASTY], [Cell(NASTY, "good")]]), note=NASTY)
    assert "<script" not in text
    tree = parsed(text)
    assert [cell.text for cell in tree.iter("td")] == [NASTY, NASTY]
    assert tree.find("h1").text == NASTY
    assert tree.find("p").text == NASTY and tree.find("p").get("class") == "note"


def test_rows_kinds_and_groups():
    tree = parsed(page("t", table(["a", number("b")], [Row(["x", number("1")], first=True)])))
    row = tree.findall(".//tbody/tr")[0]
    assert row.get("class") == "first"
    assert [cell.get("class") for cell in row] == [None, "number"]
    assert [head.get("scope") for head in tree.iter("th")] == ["col", "col"]


def test_a_page_needs_nothing_from_outside():
    text = page("t", paragraph("said", "verdict"))
    assert "http" not in text and "src=" not in text and "href=" not in text
