"""XML elements in few words."""

from __future__ import annotations

from xml.etree import ElementTree


def node(
    tag: str, *content: ElementTree.Element | str, **attributes: object
) -> ElementTree.Element:
    """An element with its text or children; True and False become 1 and 0, as in QGIS."""
    values = {
        key.rstrip("_"): str(int(value)) if isinstance(value, bool) else str(value)
        for key, value in attributes.items()
    }
    element = ElementTree.Element(tag, values)
    for part in content:
        if isinstance(part, str):
            element.text = part
        else:
            element.append(part)
    return element


def options(**values: object) -> ElementTree.Element:
    """QGIS' `<Option type="Map">` of texts."""
    return node("Option", *(option(name, value) for name, value in values.items()), type="Map")


def option(name: str, value: object) -> ElementTree.Element:
    """One named text."""
    return node("Option", name=name, type="QString", value=value)


def to_text(root: ElementTree.Element) -> str:
    """The document as indented text."""
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
