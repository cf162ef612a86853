"""Additive input signatures and the keys made of them.

The signature of an edge is the sum, modulo 2**64 in each of two lanes, of ``mix(upstream uid, ordinal, data hash,
parameter)`` over exactly the upstream partitions that were read. Sums make the signature of any contiguous range a
difference of two prefix sums. The finaliser is splitmix64's (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number
Generators", OOPSLA 2014).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from assetflow.keys import CodeVersion, DataHash

Lanes = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_BLOCK = 16_384
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


def hash_lanes(data_hash: DataHash) -> tuple[int, int]:
    """The two lanes of a data hash.

    >>> hash_lanes(DataHash("a1:" + "00" * 7 + "01" + "00" * 7 + "02"))
    (1, 2)
    """
    digits = data_hash.removeprefix("a1:")
    return int(digits[:16], 16), int(digits[16:], 16)


def lanes_hash(high: int, low: int) -> DataHash:
    """The data hash of two lanes.

    >>> lanes_hash(1, 2)
    'a1:00000000000000010000000000000002'
    """
    return DataHash(f"a1:{high:016x}{low:016x}")


def text_lanes(text: str) -> Lanes:
    """Two lanes, shape ``(2,)``, that identify a text."""
    return _texts_lanes([text])[0]


def _texts_lanes(texts: Iterable[str]) -> Lanes:
    octets = b"".join([blake2b(text.encode(), digest_size=16).digest() for text in texts])
    return np.frombuffer(octets, dtype="<u8").astype(np.uint64).reshape(-1, 2)


def mix(uid: int, parameter: str, ordinals: NDArray[np.int64], hashes: Lanes) -> Lanes:
    """The summands of an edge, shape ``(n, 2)``: one for each upstream partition read."""
    return _mixed(text_lanes(f"{uid}:{parameter}"), ordinals, hashes)


def mix_all(
    edges: Sequence[tuple[int, str]], ordinals: Sequence[NDArray[np.int64]], hashes: Sequence[Lanes]
) -> tuple[Lanes, list[int]]:
    """The summands of many small edges ``(uid, parameter)`` at once, one edge after the other, and where each begins.

    They are what :func:`mix` gives for each.
    """
    if not edges:
        return np.empty((0, 2), np.uint64), []
    sizes = np.array([len(each) for each in ordinals], np.int64)
    seeds = _texts_lanes(f"{uid}:{parameter}" for uid, parameter in edges)
    summands = _mixed(np.repeat(seeds, sizes, axis=0), np.concatenate(ordinals), np.concatenate(hashes))
    return summands, (np.cumsum(sizes) - sizes).tolist()


def _mixed(seeds: Lanes, ordinals: NDArray[np.int64], hashes: Lanes) -> Lanes:
    """Mixed a block at a time, whose lanes stay in the processor's cache and take no memory worth mentioning."""
    mixed = np.empty((len(ordinals), 2), np.uint64)
    for first in range(0, len(ordinals), _BLOCK):
        block = slice(first, first + _BLOCK)
        start = ordinals[block].astype(np.uint64) * _GOLDEN
        lanes = np.empty((2, len(start)), np.uint64)
        high, low = hashes[block, 0], hashes[block, 1]
        high_seeds, low_seeds = (each if each.ndim == 0 else each[block] for each in (seeds[..., 0], seeds[..., 1]))
        lanes[0] = (start + high_seeds) ^ high
        lanes[1] = (start ^ low_seeds) + low
        lanes = _final(lanes)
        lanes[0] += low
        lanes[1] ^= high
        mixed[block] = _final(lanes).T
    return mixed


def prefix_sums(summands: Lanes) -> Lanes:
    """Prefix sums, shape ``(n + 1, 2)``: the signature of ``[lo, hi)`` is ``sums[hi] - sums[lo]``."""
    sums = np.zeros((len(summands) + 1, 2), np.uint64)
    np.cumsum(summands, axis=0, out=sums[1:])
    return sums


def derivation_keys(code: CodeVersion, count: int, inputs: Mapping[str, Lanes]) -> Lanes:
    """Keys of what a version is made from, shape ``(count, 2)``: the code version and each edge's signature."""
    keys = np.tile(text_lanes(code), (count, 1))
    for parameter in sorted(inputs):
        keys = _absorb(keys, inputs[parameter], text_lanes(parameter))
    return keys


def try_keys(derivations: Lanes, check_versions: Iterable[CodeVersion]) -> Lanes:
    """Keys of a try: what it is made from and the versions of the checks that it must pass."""
    seed = text_lanes("\n".join(sorted(check_versions)))
    return _absorb(derivations, np.zeros_like(derivations), seed)


def _absorb(keys: Lanes, values: Lanes, seed: Lanes) -> Lanes:
    lanes = np.empty((2, len(keys)), np.uint64)
    lanes[0] = keys[:, 0] ^ seed[0]
    lanes[1] = keys[:, 1] + seed[1]
    lanes = _final(lanes)
    lanes[0] += values[:, 0]
    lanes[1] ^= values[:, 1]
    first, second = _final(lanes)
    return np.stack((first + second * _GOLDEN, second ^ _final(first)), axis=1)


def _final(value: Lanes) -> Lanes:
    value = value + _GOLDEN
    value ^= value >> _S30
    value *= _FIRST
    value ^= value >> _S27
    value *= _SECOND
    value ^= value >> _S31
    return value
