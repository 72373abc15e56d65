"""The cache of a lane keeps within its bounds, and only open runs."""

from orchestrator.core.state import ExecutionState
from orchestrator.store.cache import Cache
from orchestrator.store.loaded import Loaded
from orchestrator.store.ports import Node, RunKey


def loaded(number: int, *, history: int = 0, status: int = 1) -> Loaded:
    state = ExecutionState("namespace", f"w{number}", f"r{number}", "", "Type", "queue", 0, 0, 0, 0, 0, "request")
    state.status = status
    run = Loaded(RunKey(1, state.run_id), state, 1, b"", nodes=[])
    run.append([Node(1, 1, b"x" * history)])
    return run


def test_the_run_not_used_for_longest_goes_first() -> None:
    cache = Cache(2, 1000)
    cache.keep([loaded(1), loaded(2)])
    cache.keep([loaded(1)])
    cache.keep([loaded(3)])
    assert [key.run_id for key in cache.kept()] == ["r1", "r3"]


def test_long_histories_count_by_their_bytes() -> None:
    cache = Cache(100, 1000)
    cache.keep([loaded(1, history=600), loaded(2, history=300)])
    assert len(cache.kept()) == 2
    cache.keep([loaded(3, history=200)])
    assert [key.run_id for key in cache.kept()] == ["r2", "r3"]


def test_a_run_that_grew_counts_as_it_is_now() -> None:
    cache = Cache(100, 1000)
    run = loaded(1, history=400)
    cache.keep([run])
    run.append([Node(2, 2, b"x" * 500)])
    cache.keep([run])
    cache.keep([loaded(2, history=90)])
    assert len(cache.kept()) == 2
    cache.drop([run.key])
    cache.keep([loaded(3, history=900)])
    assert [key.run_id for key in cache.kept()] == ["r2", "r3"]


def test_a_closed_run_is_forgotten() -> None:
    cache = Cache(100, 1000)
    cache.keep([loaded(1)])
    cache.keep([loaded(1, status=2)])
    assert cache.kept() == []
