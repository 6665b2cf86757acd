"""Records kept for good: parts that never change, and versions that say which parts belong together."""

from zonemelt.tasks.datasets.arrays import Labels
from zonemelt.tasks.datasets.check import check_dataset
from zonemelt.tasks.datasets.dataset import Dataset, open_dataset
from zonemelt.tasks.datasets.export import export
from zonemelt.tasks.datasets.parts import Part, write_part
from zonemelt.tasks.datasets.versions import Version, commit

__all__ = [
    "Dataset",
    "Labels",
    "Part",
    "Version",
    "check_dataset",
    "commit",
    "export",
    "open_dataset",
    "write_part",
]
