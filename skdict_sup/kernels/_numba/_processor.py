"""Registers of the processor that functions are compiled for.

These are those that numba knows of, also where NUMBA_CPU_FEATURES names others. Numba's cache on
disk is keyed by them, so that machine code never meets a processor with other registers.
"""

from numba.core.registry import cpu_target

_FEATURES = set(cpu_target.target_context.codegen().magic_tuple()[2].split(","))
_IS_512 = "+avx512f" in _FEATURES
# bytes of a vector: of AVX-512, of AVX, or of SSE and NEON
BYTES = 64 if _IS_512 else 32 if "+avx" in _FEATURES else 16
# number of vector registers: AVX-512 and 64-bit ARM have 32
REGISTERS = 32 if _IS_512 or "+neon" in _FEATURES else 16
