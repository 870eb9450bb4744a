"""Deal gives lab tests to kernels one by one."""

from __future__ import annotations

import itertools

from tests.lab.deal import CLUSTERS_KEPT, Deal, Task


def test_a_kernel_keeps_its_cluster_while_it_has_tests() -> None:
    deal = Deal([Task("a", "x", 8), Task("b", "y", 5), Task("c", "x", 1)])
    assert [task.nodeid for task in iter(lambda: deal.take(1), None)] == ["a", "c", "b"]


def test_the_next_kernel_takes_the_cluster_with_the_most_work_for_each_kernel() -> None:
    deal = Deal([Task("a", "x", 30), Task("b", "x", 30), Task("c", "y", 40)])
    assert [deal.take(kernel) for kernel in (1, 2, 3)] == [
        Task("a", "x", 30),
        Task("c", "y", 40),
        Task("b", "x", 30),
    ]


def test_long_tests_start_first_and_the_others_keep_their_random_order() -> None:
    deal = Deal([Task("short", "x", 1), Task("long", "x", 25), Task("short 2", "x", 2), Task("longest", "x", 90)])
    assert [task.nodeid for task in iter(lambda: deal.take(1), None)] == ["longest", "long", "short", "short 2"]


def test_the_longest_tests_start_before_everything_else() -> None:
    deal = Deal([*(Task(f"x {number}", "x", 25) for number in range(9)), Task("y", "y", 70), Task("z", "z", 200)])
    taken = [deal.take(kernel) for kernel in (1, 2, 3)]
    assert [task.nodeid for task in taken if task is not None] == ["z", "y", "x 0"]


def test_a_cluster_that_the_kernel_no_longer_has_is_not_counted() -> None:
    work = [Task(f"{cluster} {number}", cluster, 10) for cluster in range(CLUSTERS_KEPT + 2) for number in range(2)]
    deal = Deal(work)
    taken = list(filter(None, iter(lambda: deal.take(1), None)))
    assert {task.nodeid for task in taken} == {task.nodeid for task in work}
    changes = sum(one.cluster != other.cluster for one, other in itertools.pairwise(taken))
    assert changes == CLUSTERS_KEPT + 1  # each cluster is built once


def test_the_clusters_that_are_still_needed_are_known() -> None:
    deal = Deal([Task("a", "x", 8), Task("b", "y", 5), Task("c", "x", 1)])
    assert deal.one_of_each() == ["a", "b"]
    deal.take(1)
    assert deal.one_of_each() == ["c", "b"]
    deal.take(1)
    assert deal.one_of_each() == ["b"]
