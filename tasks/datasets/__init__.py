"""Records kept for good: parts that never change, and versions that say which parts belong together."""

from zonemelt.tasks.datasets.dataset import Dataset, open_dataset
from zonemelt.tasks.datasets.parts import Part, write_part
from zonemelt.tasks.datasets.versions import Version, commit

__all__ = ["Dataset", "Part", "Version", "commit", "open_dataset", "write_part"]
