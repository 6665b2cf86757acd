"""What a person has written: read as plain YAML, checked by a model, wrong in one clear sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.judge.target import Target
from zonemelt.tasks.settings import problem_of, read_mapping, read_settings


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    depth: int = Field(gt=0)


class Left(BaseModel):
    model_config = ConfigDict(extra="forbid")

    side: Literal["left"] = "left"
    length: int = 1


class Right(BaseModel):
    model_config = ConfigDict(extra="forbid")

    side: Literal["right"] = "right"
    radius: int = 1


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seed: int = Field(description="of everything random")
    inner: Inner | None = None
    many: dict[str, Inner] = Field(default_factory=dict)
    token: int = 0
    several: tuple[Inner, ...] = ()
    sides: dict[str, Annotated[Left | Right, Field(discriminator="side")]] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plain:
    steps: int = 1
    side: Literal["left", "right"] = "left"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 1\n", "not a mapping of fields"),
        ("", "not a mapping"),
        ("1: 2\n", "not a mapping"),
        ("a: 1\nb: [2\nc: 3\n", r"f\.yaml:\d+: not YAML"),
        ("a: &x [*x]\n", "not YAML: '\\*x' stands inside what it names"),
        ("a: !!python/object/apply:os.getcwd []\n", "not YAML"),
    ],
)
def test_files_that_hold_no_fields(text, said, tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_mapping(path)
    assert caught.value.remedy


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "latin").write_bytes(b"a: \xe4\n")
    for name in ("absent", "latin"):
        with pytest.raises(InputError, match="cannot be read"):
            read_mapping(tmp_path / name)


def test_a_file_of_fields(tmp_path):
    (tmp_path / "f.yaml").write_text("seed: 3\ninner: {depth: 2}\n")
    read = read_settings(Outer, read_mapping(tmp_path / "f.yaml"), where="f.yaml")
    assert (read.seed, read.inner) == (3, Inner(depth=2))


@pytest.mark.parametrize(
    ("document", "error", "said"),
    [
        ({}, InputError, r"'seed' is missing\n.*add 'seed: …', of everything random; see docs/x\.md"),
        ({"sead": 1}, UnknownKeyError, r"here: sead: unknown key[\s\S]*did you mean 'seed'"),
        ({"sead": 1, "seed": 1}, UnknownKeyError, r"here: sead: unknown key[\s\S]*did you mean 'seed'"),
        ({"seed": 1, "inner": {"dept": 1, "depth": 1}}, UnknownKeyError, "did you mean 'depth'"),
        ({"seed": 1, "many": {"a": {"deep": 1, "depth": 1}}}, UnknownKeyError, "did you mean 'depth'"),
        ({"seed": 1, "several": [{"deth": 1, "depth": 1}]}, UnknownKeyError, "did you mean 'depth'"),
        (
            {"seed": 1, "sides": {"a": {"side": "right", "radus": 2}}},
            UnknownKeyError,
            "did you mean 'radius'",
        ),
        ({"seed": "x"}, InputError, r"here: seed: 'x' cannot be used\n.*valid integer"),
        ({"seed": 1, "many": {"a": {"depth": 0}}}, InputError, r"here: many\.a\.depth: 0 cannot be used"),
        ({"seed": 1, "inner": 3}, InputError, r"here: inner: 3 cannot be used"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(document, error, said):
    with pytest.raises(error, match=said):
        read_settings(Outer, document, where="here", page="docs/x.md")


@pytest.mark.parametrize(
    ("document", "error", "said"),
    [
        ({"step": 2}, UnknownKeyError, "here: unknown key 'step'\n.*did you mean 'steps'"),
        ({"steps": 1.5}, InputError, "here: steps: 1.5 cannot be used\n.*integer"),
        ({"side": "up"}, InputError, "here: side: 'up' cannot be used\n.*'left' or 'right'"),
    ],
)
def test_a_dataclass_is_read_likewise(document, error, said):
    with pytest.raises(error, match=said):
        read_settings(Plain, document, where="here")
    assert read_settings(Plain, {"steps": 3}, where="here") == Plain(steps=3)


def test_what_holds_no_fields_is_shown_itself():
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate("a word")
    assert "here: 'a word' cannot be used" in str(problem_of(caught.value, Outer, where="here"))


def test_a_secret_is_not_shown():
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"seed": 1, "token": "hunter2"})
    assert "hunter2" not in str(problem_of(caught.value, Outer, where="here", secret=("token",)))


@given(st.text("abc ", min_size=61, max_size=300))
def test_a_long_value_is_shown_in_short(value):
    with pytest.raises(InputError) as caught:
        read_settings(Outer, {"seed": f"x{value}"}, where="here")
    assert len(caught.value.what) < 100


def test_words_that_a_model_reads_itself_say_what_is_wrong_once():
    """Not the words and then the reason: the reason quotes what it is about."""
    with pytest.raises(InputError) as caught:
        Target.of("above_hull < 0.05, no Al, with Al")
    assert str(caught.value) == "target: Al: both required and forbidden\n  → see docs/screening.md"
