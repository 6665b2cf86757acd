"""Records of any shape, for tests that must lose nothing of them."""

from hypothesis import strategies as st

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

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
maybe = st.one_of(st.none(), st.booleans())
matrices = st.lists(st.tuples(numbers, numbers, numbers), min_size=3, max_size=3)


@st.composite
def geometries(draw: st.DrawFn, *, periodic: bool | None = None) -> Geometry:
    """Crystals and molecules of up to three atoms."""
    whole = draw(st.booleans()) if periodic is None else periodic
    size = draw(st.integers(1, 3))
    along = (True,) * 3 if whole else tuple(draw(st.lists(st.booleans(), min_size=3, max_size=3)))
    bounded = st.floats(-9, 9)
    skew = draw(st.lists(bounded, min_size=6, max_size=6))
    lengths = draw(st.lists(st.floats(2, 9), min_size=3, max_size=3))
    return Geometry(
        cell=((lengths[0], 0.0, 0.0), (skew[0], lengths[1], 0.0), (skew[1], skew[2], lengths[2])),
        symbols=tuple(draw(st.lists(st.sampled_from(["H", "Fe", "O"]), min_size=size, max_size=size))),
        positions=tuple(draw(st.lists(st.tuples(*[bounded] * 3), min_size=size, max_size=size))),
        periodic=along,
        supercell=draw(st.one_of(st.none(), st.just(((1, 0, 0), (0, 2, 0), (0, 0, 1))))),
    )


@st.composite
def records(draw: st.DrawFn, *, periodic: bool | None = None) -> Record:
    """Records with and without everything that a record may lack."""
    geometry = draw(geometries(periodic=periodic))
    size = len(geometry.symbols)
    rows = st.lists(st.tuples(numbers, numbers, numbers), min_size=size, max_size=size)
    value = st.one_of(numbers, words, st.booleans(), st.lists(numbers, max_size=3).map(tuple))
    return Record(
        identifier=draw(words),
        geometry=geometry,
        energy_free=draw(st.one_of(st.none(), numbers)),
        energy_sigma0=draw(st.one_of(st.none(), numbers)),
        correction=draw(st.one_of(st.none(), st.builds(Correction, scheme=words, energy=numbers))),
        forces=draw(st.one_of(st.none(), rows)),
        stress=draw(st.one_of(st.none(), matrices)),
        magmoms=draw(st.one_of(st.none(), st.lists(numbers, min_size=size, max_size=size))),
        properties=draw(st.dictionaries(words, st.builds(Property, value=value, unit=words), max_size=2)),
        theory=draw(
            st.builds(Theory, code=words, version=st.none(), setups=st.dictionaries(words, words, max_size=1))
        ),
        convergence=draw(st.builds(Convergence, electronic=maybe, ionic=maybe, complete=maybe)),
        provenance=draw(
            st.one_of(
                st.builds(Ingested, source=words, calculation=words, parser=words, seconds=st.none()),
                st.builds(
                    Computed,
                    oracle=words,
                    input_digest=words,
                    seconds=numbers,
                    cpu_seconds=numbers,
                    host=words,
                    log=st.none(),
                ),
            )
        ),
        quality=draw(
            st.one_of(st.none(), st.builds(Quality, accepted=st.booleans(), reasons=st.just(("a",))))
        ),
    )
