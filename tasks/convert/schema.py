"""The JSON schema of a record, for whoever reads records without Python.

``python -m zonemelt.tasks.convert.schema`` prints it; ``docs/record.schema.json`` is a copy.
"""

from __future__ import annotations

import json
import sys


def record_schema() -> str:
    """The schema as JSON text that ends in a newline; the same for the same model."""
    from zonemelt.tasks.records import Record

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Record.model_json_schema(
        mode="serialization"
    )
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(record_schema())
