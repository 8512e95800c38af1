"""The Merkle tree against RFC 9162, its definitions written down again, and public vectors."""

import hashlib
from itertools import pairwise

import pytest

from redbutton.record.tree import (
    Frontier,
    consistency,
    consistent,
    included,
    inclusion,
    leaf_hash,
    node_hash,
    root_of,
)

SIZES = range(1, 34)

# Certificate Transparency's public test data: leaves, roots of the first 0 to 8 of them.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
GROWTH = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def split(count: int) -> int:
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def mth(data: list[bytes]) -> bytes:
    """MTH of section 2.1.1, word for word."""
    if not data:
        return sha(b"")
    if len(data) == 1:
        return sha(b"\x00" + data[0])
    k = split(len(data))
    return sha(b"\x01" + mth(data[:k]) + mth(data[k:]))


def path(m: int, data: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(data) == 1:
        return []
    k = split(len(data))
    if m < k:
        return [*path(m, data[:k]), mth(data[k:])]
    return [*path(m - k, data[k:]), mth(data[:k])]


def subproof(m: int, data: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.4.1."""
    if m == len(data):
        return [] if whole else [mth(data)]
    k = split(len(data))
    if m <= k:
        return [*subproof(m, data[:k], whole), mth(data[k:])]
    return [*subproof(m - k, data[k:], False), mth(data[:k])]


DATA = [f"entry {i}".encode() for i in range(SIZES[-1])]
HASHES = [leaf_hash(data) for data in DATA]


def test_roots_are_those_of_the_public_vectors() -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    assert [root_of(hashes[:size]).hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize("sizes", GROWTH, ids=str)
def test_proofs_of_consistency_are_those_of_the_public_vectors(sizes: tuple[int, int]) -> None:
    first, second = sizes
    hashes = [leaf_hash(leaf) for leaf in LEAVES[:second]]
    assert [node.hex() for node in consistency(hashes, first)] == GROWTH[sizes]


def test_a_proof_of_inclusion_is_that_of_the_public_vectors() -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    assert [node.hex()[:8] for node in inclusion(hashes, 5)] == [
        "bc1a0643",
        "ca854ea1",
        "d37ee418",
    ]


@pytest.mark.parametrize("size", SIZES)
def test_roots_and_proofs_are_those_of_the_definitions(size: int) -> None:
    hashes, data = HASHES[:size], DATA[:size]
    assert root_of(hashes) == mth(data)
    for index in range(size):
        assert inclusion(hashes, index) == path(index, data)
    for first in range(1, size + 1):
        assert consistency(hashes, first) == subproof(first, data, True)


@pytest.mark.parametrize("size", SIZES)
def test_every_proof_is_accepted_where_it_belongs_and_nowhere_else(size: int) -> None:
    hashes, root = HASHES[:size], mth(DATA[:size])
    for index in range(size):
        proof = inclusion(hashes, index)
        for other in range(size + 1):
            assert included(hashes[index], other, size, proof, root) == (other == index)
        assert not included(hashes[index], index, size, [*proof, root], root)
        assert not included(hashes[index], index, size, proof, root[::-1])
        if proof:
            assert not included(hashes[index], index, size, proof[:-1], root)
            assert not included(hashes[index], index, size, proof[1:], root)
    roots = [mth(DATA[:first]) for first in range(size + 1)]
    for first in range(1, size + 1):
        proof = consistency(hashes, first)
        assert consistent(first, roots[first], size, root, proof)
        for other in range(1, size + 1):
            if other != first:
                assert not consistent(other, roots[first], size, root, proof)
                assert not consistent(first, roots[other], size, root, proof)
        assert not consistent(first, roots[first], size, root[::-1], proof)
        assert not consistent(first, roots[first], size, root, [*proof, root])
        if proof:
            assert not consistent(first, roots[first], size, root, proof[:-1])


def test_a_tree_that_grows_keeps_no_more_than_its_whole_subtrees_and_can_be_gone_on_with() -> None:
    tree = Frontier()
    for size, leaf in enumerate(HASHES, 1):
        tree = Frontier(tree.size, tree.nodes)
        tree.append(leaf)
        assert tree.root() == mth(DATA[:size])
        assert len(tree.nodes) == bin(size).count("1")


@pytest.mark.parametrize(("size", "nodes"), [(1, 0), (3, 1), (4, 2), (0, 1)])
def test_nodes_that_are_no_tree_of_that_size_are_refused(size: int, nodes: int) -> None:
    with pytest.raises(ValueError, match="no tree"):
        Frontier(size, [bytes(32)] * nodes)


def test_there_is_no_proof_of_what_is_not_there() -> None:
    for index in (-1, 3):
        with pytest.raises(ValueError, match="no entry"):
            inclusion(HASHES[:3], index)
    for first in (0, 4):
        with pytest.raises(ValueError, match="no beginning"):
            consistency(HASHES[:3], first)


def test_a_node_is_no_leaf() -> None:
    for left, right in pairwise(HASHES):
        assert leaf_hash(left + right) != node_hash(left, right)
