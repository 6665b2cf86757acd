"""Models on paper: evaluations, predictions, cards, lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

MOST: Final = 8  # lines of what there can be many of


def number(value: float | None, digits: int = 4) -> str:
    """A number to be read; a dash for none."""
    return "-" if value is None else f"{value:.{digits}g}"


def plain_table(*columns: str, left: bool = False) -> Table:
    """A table without lines, numbers to the right of the first column unless all are ``left``."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place and not left else "left")
    return table


def print_evaluation(out: Console, found: dict[str, Any]) -> None:
    """An evaluation as :func:`zonemelt.tasks.train.evaluate.evaluate_model` returns it."""
    from rich.text import Text

    if parts := found.get("parts"):
        out.print(Text(", ".join(f"{count:,} records to {part}" for part, count in parts.items())))
    for name in found["not_judged"]:
        out.print(Text(f"{name}: no record with a label could be predicted: nothing was judged", "yellow"))
    if not found["properties"] and not found["not_judged"]:
        out.print("there is no test part: nothing was judged", style="yellow")
    for name, judged in found["properties"].items():
        _print_property(out, name, judged)
    if refused := found.get("refused"):
        out.print(Text(f"{len(refused):,} records were not predicted:", "yellow"))
        for one in refused[:MOST]:
            out.print(Text(f"  {one['record']}: {one['reason']}"))
    _print_seen(out, found.get("seen"))
    out.print(f"model {found['model']}", soft_wrap=True)


def _print_property(out: Console, name: str, judged: dict[str, Any]) -> None:
    from rich.text import Text

    unit = judged["unit"] or "1"
    out.print(Text.assemble((name, "bold"), f" ({unit}), {judged['records']:,} records"))
    line = f"  MAE {number(judged['mae'])}  RMSE {number(judged['rmse'])}  bias {number(judged['bias'])}"
    line += f"  R² {number(judged['r2'], 3)}  Spearman {number(judged['spearman'], 3)}"
    out.print(Text(f"{line}  (labels spread by {number(judged['label_spread'])})"))
    if told := judged["uncertainty"]:
        out.print(
            Text(
                f"  deviations: ENCE {number(told['ence'], 3)}, miscalibration area "
                f"{number(told['miscalibration_area'], 3)}, Spearman of |error| "
                f"{number(told['spearman'], 3)}, sharpness {number(told['sharpness'])} {unit}"
            )
        )
    if held := judged["intervals"]:
        out.print(
            Text(
                f"  intervals that promise {held['promised']:.0%} hold {held['held']:.1%} of the labels; "
                f"mean width {number(held['mean_width'])} {unit}"
            )
        )
    elements = plain_table("  element", "records", f"MAE ({unit})")
    for one in judged["elements"][:MOST]:
        elements.add_row(f"  {one['element']}", f"{one['records']:,}", number(one["mae"]))
    out.print(elements)
    largest = plain_table("  largest errors", "label", "predicted", f"error ({unit})")
    for one in judged["largest"][:MOST]:
        row = [number(one[key]) for key in ("label", "predicted", "error")]
        largest.add_row(Text(f"  {one['record']}"), *row)
    out.print(largest)


def _print_seen(out: Console, seen: dict[str, Any] | None) -> None:
    """A warning where the model knows what it was judged on."""
    from rich.text import Text

    if seen is None:
        return
    shown = ", ".join(seen["records"])
    if not seen["known"]:
        out.print(Text("it is not known what the model was trained on: a leak would not be seen", "yellow"))
    elif seen["same_structure"]:
        said = f"the model has seen {seen['same_structure']:,} of these records: {shown} ({seen['how']})"
        out.print(Text(said, "yellow"))
    elif seen["same_name"]:
        said = f"{seen['same_name']:,} records are called as training records, but are others: {shown}"
        out.print(Text(said, "yellow"))


def predictions_table(rows: Sequence[dict[str, Any]]) -> Table:
    """A line a structure and property; what was refused with its reason."""
    from rich.text import Text

    table = plain_table("structure", "formula", "property", "value", "deviation", "interval", "unit")
    for row in rows:
        name = Text(row["structure"])
        if row["refused"]:
            table.add_row(name, row["formula"], Text(f"refused: {row['refused']}", "yellow"), "", "", "", "")
        for key, one in row["properties"].items():
            ends = one["interval"]
            interval = f"{number(ends[0])} … {number(ends[1])}" if ends else "-"
            value, deviation = number(one["value"], 6), number(one["deviation"])
            table.add_row(name, row["formula"], key, value, deviation, interval, one["unit"] or "1")
    return table


def known_table(found: Sequence[dict[str, str]]) -> Table:
    """The models that can be trained."""
    from rich.text import Text

    table = plain_table("model", "reads", "what it is", "trained by", left=True)
    for one in found:
        table.add_row(Text(one["model"], "bold"), one["reads"], Text(one["about"]), one["command"])
    return table


def models_table(found: Sequence[dict[str, Any]]) -> Table:
    """The models of a directory."""
    from rich.text import Text

    table = plain_table("model", "kind", "properties", "metrics", "size", "made")
    for column in table.columns:
        column.justify = "left"
    for one in found:
        if one["error"]:
            table.add_row(Text(one["folder"]), Text(f"✗ {one['error']}", "red"), "", "", "", "")
            continue
        metrics = ", ".join(f"{key} {number(value)}" for key, value in one["metrics"].items())
        table.add_row(
            Text(one["folder"]), one["kind"], Text(", ".join(one["properties"])), Text(metrics),
            f"{one['nbytes'] / 1e6:.2f} MB", one["made"][:16].replace("T", " "),
        )  # fmt: skip
    return table


def print_card(out: Console, document: dict[str, Any]) -> None:
    """A card, key by key, indented as it is nested."""
    from rich.text import Text

    for depth, key, value in _lines(document):
        out.print(Text.assemble("  " * depth, (f"{key}: " if value else key, "" if depth else "bold"), value))


def _lines(value: dict[str, Any], depth: int = 0) -> Iterator[tuple[int, str, str]]:
    """Depth, key and value of each line; the value is empty where others follow below it."""
    for key, one in value.items():
        inner = one
        if isinstance(one, list) and one and all(isinstance(each, dict) for each in one):
            inner = {str(place): each for place, each in enumerate(one)}
        if isinstance(inner, dict) and inner:
            yield depth, key, ""
            yield from _lines(inner, depth + 1)
        else:
            yield depth, key, _short(one)


def _short(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict | list) and not value:
        return "-"
    if isinstance(value, list):
        numbers = all(isinstance(one, int | float) for one in value)
        if numbers and len(value) > MOST:
            return f"{len(value):,} numbers, {number(value[0])} to {number(value[-1])}"
        return ", ".join(
            " ".join(map(_short, one)) if isinstance(one, list) else _short(one) for one in value
        )
    return str(value)
