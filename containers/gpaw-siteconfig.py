"""How GPAW is built for the oracle environment: serial, no BLAS, no libxc, only a C++ compiler needed.

On cells of a few atoms this build is as fast as one with libxc, OpenBLAS and MPI.
"""

mpi = False
compiler = "g++"
noblas = True
nolibxc = True
libraries = []
