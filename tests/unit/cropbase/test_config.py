"""Configuration: overlays, and one readable message for everything wrong."""

import pytest
from pydantic import Field, model_validator

from cropbase.config import Section, overlay, validate
from cropbase.errors import ConfigError
from cropbase.yaml_files import read_yaml


class Inner(Section):
    area_ha: float = Field(1.0, gt=0)
    names: list[str] = Field(default_factory=list)


class Outer(Section):
    inner: Inner = Inner()
    seed: int = 0


def check(tmp_path, base, upper):
    files = []
    for name, text in (("default.yaml", base), ("p.yaml", upper)):
        (tmp_path / name).write_text(text)
        files.append(tmp_path / name)
    return validate(Outer, overlay(*(read_yaml(f) for f in files)), files=files)


def test_overlay_merges_in_depth_and_replaces_lists():
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 2}
    assert overlay(base, {"a": {"y": [3]}}) == {"a": {"x": 1, "y": [3]}, "b": 2}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 2}


def test_an_unknown_key_names_file_key_and_the_nearest_known_one(tmp_path):
    with pytest.raises(ConfigError) as caught:
        check(tmp_path, "seed: 1", "inner: {aera_ha: 3}")
    text = str(caught.value)
    assert "p.yaml: unknown key 'inner.aera_ha'" in text and "'area_ha'" in text


def test_a_value_out_of_range_names_what_was_given_and_allowed(tmp_path):
    with pytest.raises(ConfigError) as caught:
        check(tmp_path, "inner: {area_ha: -2}", "seed: 1")
    text = str(caught.value)
    assert "default.yaml: key 'inner.area_ha': given -2; " in text and "greater than 0" in text


def test_all_faults_come_in_one_message(tmp_path):
    with pytest.raises(ConfigError, match=r"2 fault"):
        check(tmp_path, "seed: x", "inner: {area_ha: many}")


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1", "not valid YAML"), ("- 1", "must hold keys"), ("a: 1\n b: 2", "line 2")],
)
def test_files_that_are_no_configuration(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_yaml(tmp_path / "x.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml does not exist"):
        read_yaml(tmp_path / "none.yaml")


class Fetching(Section):
    url: str = ""
    terms_accepted: bool = False

    @model_validator(mode="after")
    def _terms(self):
        if not self.terms_accepted:
            raise ValueError("accept the terms first")
        return self


class WithSource(Section):
    source: Fetching


def test_a_fault_of_a_whole_section_does_not_repeat_it_nor_a_key_pasted_into_it(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("source: {url: 'https://a/?key=SECRET'}")
    with pytest.raises(ConfigError) as caught:
        validate(WithSource, read_yaml(path), files=[path], schema="other.json")
    text = str(caught.value)
    assert "p.yaml: key 'source': accept the terms first" in text
    assert "SECRET" not in text
    assert "`other.json` lists all keys" in text
