"""YAML files as people write them: one mapping a file, every mistake told with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cropbase.errors import ConfigError

_MOST_VALUES = 1_000_000
"""A file of more values, aliases counted as what they stand for, is no configuration."""
_QUOTES = (
    "put a text that begins with { [ * & ! % @ or holds `: ` or ` #` between quotation marks, "
    "close what is opened, and check the indentation"
)
_REMEDIES = {
    "'\\t'": "indent with spaces: YAML allows no tab there",
    "could not determine a constructor": "leave the tag (!...) out: a configuration holds plain "
    "texts, numbers, lists and mappings",
}


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read one YAML mapping. An empty file is an empty mapping.

    Raises ConfigError, with the line where there is one, if the file is absent, is not UTF-8, is
    not YAML, is not a mapping, gives a key twice (YAML parsers take the last one in silence), or
    refers to itself or so often to its own parts that it would fill the memory.
    """
    path = Path(path)
    loader = yaml.SafeLoader(_text_of(path))
    try:
        node = loader.get_single_node()
        if node is None:
            return {}
        _check(node, path)
        value = loader.construct_document(node)
    except ConfigError:
        raise
    except RecursionError:
        raise ConfigError(
            f"configuration file {path} is nested too deeply", allowed="some levels of sections"
        ) from None
    # Besides its own errors PyYAML lets through whatever a tag's constructor raises.
    except Exception as error:
        raise _not_yaml(path, error) from None
    finally:
        loader.dispose()
    if not isinstance(value, dict):
        raise ConfigError(
            f"configuration file {path} must hold keys and values",
            given=type(value).__name__,
            allowed="lines `key: value`, as in config/default.yaml",
        )
    return value


def _text_of(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"configuration file {path} does not exist",
            remedy="check the name, or copy one of config/provinces/*.yaml to it",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"configuration file {path} cannot be read",
            given=error.strerror,
            allowed="a text file that may be read, no folder",
        ) from None
    try:
        text = data.decode("utf-8-sig")
        # The loader checks this too, but tells no line.
        forbidden = yaml.reader.Reader.NON_PRINTABLE.search(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"configuration file {path} is not UTF-8",
            given=f"byte 0x{data[error.start]:02x} in line {line}",
            remedy="save the file in the encoding UTF-8 (a choice of the editor when it saves)",
        ) from None
    if forbidden:
        line = text.count("\n", 0, forbidden.start()) + 1
        raise ConfigError(
            f"configuration file {path}, line {line} holds a character that no text has",
            given=repr(forbidden.group()),
            remedy="delete it, or save the file anew as plain text",
        )
    return text


def _not_yaml(path: Path, error: Exception) -> ConfigError:
    where = getattr(error, "problem_mark", None)
    given = str(getattr(error, "problem", None) or error)
    return ConfigError(
        f"configuration file {path}{_line(where)} is not valid YAML",
        given=given,
        remedy=next((text for sign, text in _REMEDIES.items() if sign in given), _QUOTES),
    )


def _line(mark: yaml.Mark | None) -> str:
    return f", line {mark.line + 1}" if mark else ""


def _check(root: yaml.Node, path: Path) -> None:
    """Refuse keys that stand twice, a node inside itself, and aliases that multiply."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in open_nodes:
            raise ConfigError(
                f"configuration file {path}{_line(node.start_mark)}: a section stands inside "
                "itself",
                remedy="write the values out in the place of the alias (*...)",
            )
        open_nodes.add(id(node))
        inner = node.value
        if isinstance(node, yaml.MappingNode):
            _refuse_doubled_keys(node, path)
            inner = [part for pair in node.value for part in pair]
        sizes[id(node)] = total = 1 + sum(map(size, inner))
        open_nodes.discard(id(node))
        if total > _MOST_VALUES:
            raise ConfigError(
                f"configuration file {path}{_line(node.start_mark)}: its aliases (*...) stand for "
                "too many values",
                given=f"more than {_MOST_VALUES}",
                allowed=f"at most {_MOST_VALUES} in a file",
            )
        return total

    size(root)


def _refuse_doubled_keys(node: yaml.MappingNode, path: Path) -> None:
    first: dict[str, yaml.Mark] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
            continue
        if key.value in first:
            raise ConfigError(
                f"configuration file {path}{_line(key.start_mark)}: the key {key.value!r} is given "
                "twice",
                given=f"it stands in line {first[key.value].line + 1} too",
                remedy="delete one of the two, or put what they hold under one",
            )
        first[key.value] = key.start_mark
