from __future__ import annotations

import random
from itertools import pairwise

from assetflow.graph.ordering import cycles, topological_order


def test_ties_keep_the_order_of_declaration() -> None:
    assert topological_order({"d": ["b"], "c": [], "b": [], "a": ["c"]}) == ["c", "b", "d", "a"]


def test_what_reads_the_same_twice_waits_once() -> None:
    assert topological_order({"a": ["b", "b"], "b": []}) == ["b", "a"]


def test_upstreams_come_first_in_random_graphs() -> None:
    random_numbers = random.Random(7)
    for _ in range(50):
        names = [f"n{number}" for number in range(30)]
        upstream = {name: random_numbers.sample(names[:index], min(index, 3)) for index, name in enumerate(names)}
        shuffled = dict(random_numbers.sample(list(upstream.items()), len(names)))
        order = topological_order(shuffled)
        assert sorted(order) == sorted(names)
        assert all(order.index(each) < order.index(name) for name in names for each in upstream[name])


def test_a_cycle_is_a_shortest_one_through_its_first_name() -> None:
    upstream = {"a": ["d"], "b": ["a"], "c": ["b"], "d": ["c", "b"], "before": [], "e": ["before", "a"]}
    assert cycles(upstream) == [["a", "b", "d"]]


def test_each_knot_gives_one_cycle_and_what_lies_between_none() -> None:
    upstream = {"a": ["b"], "b": ["a"], "between": ["a"], "c": ["between", "d"], "d": ["c"], "own": ["own"]}
    assert cycles(upstream) == [["a", "b"], ["c", "d"], ["own"]]


def test_a_cycle_of_ten_thousand() -> None:
    names = [f"n{number}" for number in range(10_000)]
    upstream = {name: [before] for before, name in pairwise(names)} | {names[0]: [names[-1]]}
    [cycle] = cycles(dict(sorted(upstream.items())))
    assert set(cycle) == set(names)


def test_cycles_of_random_graphs_are_real() -> None:
    random_numbers = random.Random(11)
    for _ in range(50):
        names = [f"n{number}" for number in range(12)]
        upstream = {name: random_numbers.sample(names, 2) for name in names}
        found = cycles(upstream)
        assert bool(found) == (len(topological_order(upstream)) < len(names))
        for cycle in found:
            assert all(before in upstream[name] for before, name in pairwise([*cycle, cycle[0]]))
