"""The schema in the documentation is the model's, and records can be read only whole and unchanged."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from records_for_tests import records

from zonemelt.tasks.convert.schema import record_schema
from zonemelt.tasks.records import Record

COPY = Path(__file__).parents[3] / "docs/record.schema.json"


def test_the_copy_in_the_documentation_is_the_models() -> None:
    assert COPY.read_text(encoding="utf-8") == record_schema(), (
        "python -m zonemelt.tasks.convert.schema > docs/record.schema.json"
    )


def test_the_schema_names_units_and_what_may_be_absent() -> None:
    schema = json.loads(record_schema())
    fields = schema["properties"]
    assert fields["forces"]["description"] == "eV/Å, one row an atom"
    assert {"type": "null"} in fields["energy_free"]["anyOf"]
    assert schema["additionalProperties"] is False


@settings(max_examples=25)
@given(record=records())
def test_json_round_trip_is_exact(record: Record) -> None:
    text = record.model_dump_json()
    back = Record.model_validate_json(text)
    assert back == record
    assert back.model_dump_json() == text


@settings(max_examples=40)
@given(record=records(), data=st.data())
def test_spoilt_text_is_refused_or_read_as_it_stands(record: Record, data: st.DataObject) -> None:
    """Cut, doubled, overwritten and foreign bytes: a ValidationError or a record, never anything else."""
    text = record.model_dump_json().encode()
    start = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 8))
    spoilt = text[:start] + data.draw(st.binary(max_size=6)) + text[start + length :]
    try:
        found = Record.model_validate_json(spoilt)
    except ValidationError:
        return
    assert Record.model_validate_json(found.model_dump_json()) == found


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a nested document."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        found += places(one, (*path, key))
    return found


@settings(max_examples=40)
@given(record=records(), junk=JUNK, data=st.data())
def test_a_spoilt_value_is_refused_or_kept_never_changed(
    record: Record, junk: Any, data: st.DataObject
) -> None:
    document = record.model_dump(mode="json")
    path = data.draw(st.sampled_from(places(document)))
    inner: Any = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    try:
        found = Record.model_validate_json(json.dumps(document))
    except ValidationError:
        return
    kept: Any = found.model_dump(mode="json")
    for key in path:
        if isinstance(kept, dict) and key not in kept:
            return  # a tagged union chose the other kind, which has a default
        kept = kept[key]
    if isinstance(junk, int | float) and not isinstance(junk, bool) and isinstance(kept, float):
        assert kept == float(junk)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@settings(max_examples=3)
@given(record=records())
def test_what_is_no_number_is_refused(number: str, record: Record) -> None:
    text = record.model_copy(update={"energy_free": 1.25}).model_dump_json()
    assert '"energy_free":1.25' in text
    with pytest.raises(ValidationError):
        Record.model_validate_json(text.replace('"energy_free":1.25', f'"energy_free":{number}'))
