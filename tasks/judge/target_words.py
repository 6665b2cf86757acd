"""A target in one line of words, taken apart into its fields."""

from __future__ import annotations

import re
from typing import Any, Final

from zonemelt.tasks.judge.ranges import NUMBER, SHAPE

ALSO: Final = {"e_above_hull": "above_hull", "energy_above_hull": "above_hull"}
"""Names of others for what has one here."""
_NAMED: Final = re.compile(
    rf"^(?P<name>[A-Za-z][\w. ]*?)\s*(?P<range>(?:[<>]=?|{NUMBER}\s*(?:to|\.\.|…)).*)$"
)
_COUNTED: Final = re.compile(
    r"^(?P<sign><=?|>=?|at most|at least)\s*(?P<value>\d+)\s+(?P<what>elements?|atoms?)$"
)
_ELEMENTS: Final = re.compile(r"^(?P<word>no|without|with|only)\s+(?P<some>.+)$")
_FIELD: Final = {"no": "forbid", "without": "forbid", "with": "require", "only": "only"}


def of_words(said: str) -> dict[str, Any]:
    """The fields that a line says.

    Raises:
        ValueError: a part of it cannot be read.
    """
    fields: dict[str, Any] = {"ranges": {}, "require": [], "forbid": [], "only": []}
    text = said.replace("≤", "<=").replace("≥", ">=")
    for part in (one.strip() for one in re.split(r"[,;\n]|\band\b", text)):
        if not part:
            continue
        if found := _COUNTED.match(part):
            _count(fields, found)
        elif found := _ELEMENTS.match(part):
            fields[_FIELD[found["word"]]] += [one for one in re.split(r"\s+or\s+|\s+", found["some"]) if one]
        elif found := _NAMED.match(part):
            name = found["name"].strip().replace(" ", "_")
            name = ALSO.get(name, name)
            if name in fields["ranges"]:
                raise ValueError(f"'{name}' has two ranges: write one, {SHAPE}")
            fields["ranges"][name] = found["range"].strip()
        else:
            raise ValueError(
                f"'{part}' cannot be read: write 'NAME 1.1 to 1.7', 'NAME < 0.05', 'no Pb', 'with Li',"
                " 'only Li Fe O', 'at most 4 elements' or 'at most 20 atoms', with commas between"
            )
    return fields


def _count(fields: dict[str, Any], found: re.Match[str]) -> None:
    what = "elements" if found["what"].startswith("element") else "atoms"
    number, sign = int(found["value"]), found["sign"]
    if sign in {"<", "<=", "at most"}:
        fields[f"most_{what}"] = number - (sign == "<")
    else:
        fields[f"least_{what}"] = number + (sign == ">")
