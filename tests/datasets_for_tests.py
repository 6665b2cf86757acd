"""Records for the tests of datasets: any that are valid, many that are alike, and bulk without objects."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from zonemelt.tasks.datasets.rows import batch_of
from zonemelt.tasks.records import (
    Computed,
    Convergence,
    Correction,
    Geometry,
    Ingested,
    Property,
    Quality,
    Record,
)
from zonemelt.tasks.theory import Theory

floats = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(max_size=4)
vectors = st.tuples(floats, floats, floats)
matrices = st.tuples(vectors, vectors, vectors)
elements = st.sampled_from(["H", "C", "O", "Al", "Fe", "U", "Og"])
integers = st.integers(min_value=-(2**63), max_value=2**63 - 1)
flags = st.sampled_from([None, True, False])
LEVELS = [
    Theory(code="VASP", functional="PBE", cutoff=520.0),
    Theory(code="Quantum ESPRESSO", version="7.2", is_dft=True, spin=False),
    Theory(code="näive\u2028'\"", smearing="mv", smearing_width=0.1 + 0.2),
]


def maybe(one):
    return st.none() | one


def several(one, most=2):
    return st.lists(one, max_size=most).map(tuple)


provenances = st.builds(
    Computed,
    oracle=text,
    input_digest=text,
    seconds=floats,
    cpu_seconds=floats,
    host=text,
    log=maybe(text),
) | st.builds(
    Ingested,
    source=text,
    sha256=maybe(text),
    calculation=text,
    parser=text,
    frame=st.integers(min_value=0, max_value=2**63 - 1),
    frames=st.just(1),
    seconds=maybe(floats),
    cpu_seconds=maybe(floats),
)
values = floats | several(floats) | text | st.booleans()


@st.composite
def records(draw):
    """Any record: odd texts, cells without volume where nothing is periodic, all digits of floats."""
    symbols = draw(st.lists(elements, min_size=1, max_size=3))
    an_atom = {"min_size": len(symbols), "max_size": len(symbols)}
    periodic = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    theory = draw(st.sampled_from(LEVELS))
    return Record(
        identifier=draw(text),
        geometry=Geometry(
            cell=((3.1, 0, 0), (0.1, 3, -0.0), (0, 0, 1e-3)) if all(periodic) else draw(matrices),
            symbols=tuple(symbols),
            positions=draw(st.lists(vectors, **an_atom)),
            periodic=periodic,
            supercell=draw(maybe(several(st.tuples(integers, integers, integers)))),
        ),
        energy_free=draw(maybe(floats)),
        energy_sigma0=draw(maybe(floats)),
        correction=draw(maybe(st.builds(Correction, scheme=text, energy=floats))),
        forces=draw(maybe(st.lists(vectors, **an_atom))),
        stress=draw(maybe(matrices)),
        magmoms=draw(maybe(st.lists(floats, **an_atom))),
        properties=draw(st.dictionaries(text, st.builds(Property, value=values, unit=text), max_size=2)),
        theory=theory.model_copy(
            update={
                "hubbard_u": draw(st.dictionaries(elements, floats, max_size=2)),
                "setups": draw(st.dictionaries(elements, text, max_size=2)),
            }
        ),
        convergence=draw(
            st.builds(Convergence, electronic=flags, ionic=flags, complete=flags, iterations=maybe(integers))
        ),
        provenance=draw(provenances),
        quality=draw(maybe(st.builds(Quality, accepted=st.booleans(), reasons=several(text)))),
    )


def record(number: int, **changes) -> Record:
    """A plain record, the same for the same number; one of ten is in quarantine."""
    draws = np.random.default_rng(number)
    atoms = 2 + number % 4
    good = number % 10 != 7
    made = Record(
        identifier=f"record-{number:06}",
        geometry=Geometry(
            cell=((8, 0, 0.1), (0, 8, 0), (0, 0, 8)),
            symbols=tuple(["Al", "Au", "O", "O", "O"][:atoms]),
            positions=tuple(map(tuple, (8 * draws.random((atoms, 3))).tolist())),
        ),
        energy_free=-4.0 * atoms + draws.random(),
        energy_sigma0=-4.0 * atoms + draws.random() if number % 3 else None,
        forces=tuple(map(tuple, draws.random((atoms, 3)).tolist())) if number % 4 else None,
        stress=None if number % 5 else ((1e-3, 0, 0), (0, 1e-3, 0), (0, 0, 2e-3)),
        theory=LEVELS[0].model_copy(update={"setups": {"Al": "PAW_PBE Al 04Jan2001"}}),
        convergence=Convergence(electronic=True, complete=True),
        provenance=Ingested(source="outputs.zip::run/vasprun.xml", calculation=f"c{number}", parser="test 1"),
        quality=Quality(accepted=good, reasons=() if good else ("two atoms are 0.31 Å apart",)),
    )
    return made.model_copy(update=changes)


def bulk(first: int, rows: int, atoms: int = 10) -> pa.RecordBatch:
    """Structures straight as columns, each moved a little; no two are equal."""
    geometry = Geometry(
        cell=((8, 0, 0), (0, 8, 0), (0, 0, 8)),
        symbols=("Al",) * atoms,
        positions=((0.0, 0.0, 0.0),) * atoms,
    )
    template = record(1, geometry=geometry, forces=geometry.positions)
    one, _ = batch_of([template])
    batch = pa.Table.from_batches([one]).take(np.zeros(rows, np.int64)).combine_chunks().to_batches()[0]
    draws = np.random.default_rng(first)
    ends = np.arange(rows + 1, dtype=np.int32) * 3 * atoms
    changed = {
        "identifier": pa.array([f"b{number}" for number in range(first, first + rows)]),
        "positions": pa.ListArray.from_arrays(ends, draws.normal(size=rows * 3 * atoms)),
        "energy_sigma0": pa.array(draws.normal(size=rows)),
    }
    arrays = [changed.get(name, batch.column(name)) for name in batch.schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)
