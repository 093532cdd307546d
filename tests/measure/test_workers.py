"""Real worker processes: forked once torch is imported, or spawned."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.measure import workers
from bench.measure.messages import Close, Describe, Facts, Measure, Open, Reply, Request, Take, Warm, send
from bench.measure.schedule import Step
from bench.measure.workers import Processes, ProcessWorker, WorkerDied

pytestmark = pytest.mark.skipif(not workers.CAN_FORK, reason="no fork server here")

SUITE = '''
"""What becomes of a worker?"""

import os, signal, sys, time

import torch
from torch import nn

from bench import Subject, benchmark


def plain(x): return x * 2
def crashes(x): os.kill(os.getpid(), signal.SIGSEGV)
def is_killed(x): os.kill(os.getpid(), signal.SIGKILL)
def leaves(x): os._exit(3)
def hangs(x): time.sleep(60)
def raises(x): raise ValueError("no")
def eats(x): raise MemoryError
def fills(x): return torch.empty(1 << 50)
def prints(x):
    print("printed", flush=True)
    os.write(1, b"written\\n")
    return x * 2
def hangs_with_a_child(x):
    child = os.fork()
    if child:
        with open(os.environ["CHILD"], "w") as file:
            file.write(str(child))
    time.sleep(60)

CALLS = [plain, crashes, is_killed, leaves, hangs, raises, eats, fills, prints, hangs_with_a_child]


@benchmark(variants={f.__name__: f for f in CALLS}, cpu={"n": [8]}, phases=("forward",))
def calls(call, n):
    """Functions."""
    return Subject(call, torch.randn(n))


@benchmark(variants={"conv": 0}, cpu={"n": [4]}, phases=("forward",))
def conv(_, n):
    """A convolution whose output and scratch memory come and go."""
    return Subject(nn.Conv2d(16, 16, 3, padding=1), torch.randn(n, 16, 32, 32))


@benchmark(variants={"vast": 0}, cpu={"n": [8]}, bytes_needed=lambda _, n: n << 60)
def vast(_, n):
    """More than there is."""
    return Subject(torch.sin, torch.randn(n))
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "suite.py").write_text(SUITE)
    return folder


@pytest.fixture(scope="module")
def processes(folder: Path) -> Iterator[Processes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHILD", str(folder / "child"))
        launcher = Processes()
        launcher.launch().close()
    yield launcher
    launcher.close()


@pytest.fixture
def worker(processes: Processes) -> Iterator[ProcessWorker]:
    made = ready(processes)
    yield made
    made.close()


def ready(launcher: Processes) -> ProcessWorker:
    worker = launcher.launch()
    assert worker.ask(Take(torch_name="cpu")) == Reply()
    return worker


def case(folder: Path, variant: str, benchmark: str = "calls") -> Open:
    like = "plain" if benchmark == "calls" else variant
    size = 4 if benchmark == "conv" else 8
    file = str(folder / "suite.py")
    return Open(name=variant, file=file, benchmark=benchmark, variant=variant, like=like, point=(("n", size),), seed=0)


def call(worker: ProcessWorker, folder: Path, variant: str, *, limit_seconds: float = 20.0) -> Reply:
    """Open a variant and call it a few times."""
    assert worker.ask(case(folder, variant)).failure is None
    return worker.ask(Warm(name=variant, phase="forward"), limit_seconds=limit_seconds)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] != "Z"
    return False


def ends(pid: int, within_seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + within_seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)


def test_every_worker_is_a_fresh_process_that_leads_its_own_group(processes: Processes) -> None:
    first, second = processes.launch(), processes.launch()
    assert len({first.pid, second.pid, os.getpid()}) == 3
    assert [os.getpgid(w.pid) for w in (first, second)] == [first.pid, second.pid]
    for worker in (first, second):
        worker.close()
        assert not is_alive(worker.pid)


def test_a_worker_measures(worker: ProcessWorker, folder: Path) -> None:
    warm = call(worker, folder, "plain").warm_up
    assert warm is not None
    assert 0 < warm.seconds < warm.first_call < 1
    step = Step(name="plain", phase="forward", loops=100)
    taken = worker.ask(Measure(steps=(Step(name=""), step, step))).taken
    assert list(taken[0].metronomes) == ["hash", "copy", "python"]
    assert all(t.sample is not None and 0 < t.sample.seconds < 0.1 for t in taken[1:])


@pytest.mark.parametrize(
    ("variant", "status", "reason"),
    [
        ("crashes", "failed", "the process crashed: SIGSEGV"),
        ("leaves", "failed", "the process left with status 3"),
        ("is_killed", "oom", "the process was killed (signal 9), most often by the kernel for lack of memory"),
        ("hangs", "timeout", "no answer within 0.5 s"),
    ],
)
def test_a_worker_that_dies_is_told_by_how_it_died(
    worker: ProcessWorker, folder: Path, variant: str, status: str, reason: str
) -> None:
    with pytest.raises(WorkerDied) as died:
        call(worker, folder, variant, limit_seconds=0.5 if variant == "hangs" else 20.0)
    assert (died.value.status, died.value.reason) == (status, reason)
    with pytest.raises(WorkerDied):  # and so it stays
        worker.ask(Close())


@pytest.mark.parametrize(
    ("variant", "status", "reason"), [("raises", "failed", "ValueError: no"), ("eats", "oom", "MemoryError")]
)
def test_a_worker_outlives_what_its_suite_raises(
    worker: ProcessWorker, folder: Path, variant: str, status: str, reason: str
) -> None:
    failure = call(worker, folder, variant).failure
    assert failure is not None
    assert (failure.status, failure.reason) == (status, reason)
    assert call(worker, folder, "plain").failure is None


def test_a_tensor_that_no_machine_can_hold_is_out_of_memory(worker: ProcessWorker, folder: Path) -> None:
    failure = call(worker, folder, "fills").failure
    assert failure is not None
    assert failure.status == "oom"
    assert "memory" in failure.reason


def test_a_case_that_does_not_fit_is_skipped_with_the_bytes_it_needs(worker: ProcessWorker, folder: Path) -> None:
    failure = worker.ask(case(folder, "vast", "vast")).failure
    assert failure is not None
    assert failure.status == "skipped"
    assert failure.reason.startswith("needs 8589934592.0 GiB, ")


def test_what_a_suite_prints_does_not_spoil_the_replies(
    worker: ProcessWorker, processes: Processes, folder: Path
) -> None:
    assert call(worker, folder, "prints").warm_up is not None
    assert call(worker, folder, "plain").warm_up is not None
    assert "printed\nwritten\n" in processes.said()


def test_a_worker_takes_the_processes_that_it_started_with_it(worker: ProcessWorker, folder: Path) -> None:
    with pytest.raises(WorkerDied, match="no answer within"):
        call(worker, folder, "hangs_with_a_child", limit_seconds=0.5)
    child = int((folder / "child").read_text())
    worker.close()
    assert ends(child)


def test_the_allocator_is_steady_so_that_a_convolution_faults_no_pages(worker: ProcessWorker, folder: Path) -> None:
    assert worker.ask(case(folder, "conv", "conv")).failure is None
    assert worker.ask(Warm(name="conv", phase="forward")).warm_up is not None
    steps = (Step(name="conv", phase="forward", loops=3),) * 15
    flags = [taken.sample.flags for taken in worker.ask(Measure(steps=steps)).taken if taken.sample]
    assert sum("page_faults" in f for f in flags) <= 3


def test_an_environment_is_set_before_torch_is_imported(processes: Processes) -> None:
    worker = processes.launch(environment={"OMP_NUM_THREADS": "1", "MINE": "x"})
    assert worker.ask(Take(torch_name="cpu")) == Reply()
    environment = worker.ask(Describe()).environment
    assert environment is not None
    assert environment.facts["threads"] == 1
    variables = Path(f"/proc/{worker.pid}/environ").read_bytes().split(b"\0")
    wanted = {**workers.STEADY, "MINE": "x"}
    assert {f"{name}={value}".encode() for name, value in wanted.items()} <= set(variables)
    worker.close()


def test_closing_ends_every_worker_even_one_that_hangs(folder: Path) -> None:
    launcher = Processes()
    worker = ready(launcher)
    worker.ask(case(folder, "hangs"))
    send(worker._requests, Warm(name="hangs", phase="forward"))
    assert is_alive(worker.pid)
    launcher.close()
    assert ends(worker.pid)


def test_a_launcher_that_is_prepared_starts_what_workers_are_forked_from_and_ends_it_at_once() -> None:
    launcher = Processes()
    launcher.prepare({"OMP_NUM_THREADS": "1"})
    (server,) = launcher._servers.values()
    assert is_alive(server._process.pid)
    launcher.launch(environment={"OMP_NUM_THREADS": "1"}).close()
    assert list(launcher._servers.values()) == [server]
    launcher.prepare({})
    unused = next(other for other in launcher._servers.values() if other is not server)
    unused.close()
    assert unused._process.returncode == -signal.SIGKILL, "it was waited for until torch was imported"
    launcher.close()
    assert server._process.returncode == 0


def test_what_is_to_be_done_meanwhile_is_done_once_for_each_server_and_before_it_is_ready() -> None:
    done: list[str] = []
    with contextlib.closing(Processes(meanwhile=lambda: done.append("meanwhile"))) as launcher:
        launcher.prepare({})
        assert done == []
        for _ in range(2):
            launcher.launch().close()
        assert done == ["meanwhile"]


def test_a_worker_that_was_let_go_is_gone_once_it_is_closed(processes: Processes) -> None:
    worker = ready(processes)
    worker.let_go()
    with pytest.raises(ValueError, match="closed file"):
        worker.ask(Close())
    worker.close()
    assert not Path(f"/proc/{worker.pid}").exists()


def test_a_spawned_worker_gives_the_replies_of_a_forked_one(
    processes: Processes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replies(worker: ProcessWorker) -> list[Reply]:
        requests: list[Request] = [Facts(case=case(folder, "prints")), Close(), case(folder, "plain"), Close()]
        answers = [worker.ask(request) for request in requests]
        failed = call(worker, folder, "raises").failure
        assert failed is not None
        with pytest.raises(WorkerDied) as died:
            call(worker, folder, "crashes")
        worker.close()
        rough = {name for name in answers[0].values if name.startswith("memory/rss")}
        exact = {name: value for name, value in answers[0].values.items() if name not in rough}
        return [*answers[1:], exact, answers[0].checks, failed.reason, died.value.reason]  # type: ignore[list-item]

    forked = replies(ready(processes))
    monkeypatch.setattr(workers, "CAN_FORK", False)
    launcher = Processes()
    spawned = ready(launcher)
    assert os.getpgid(spawned.pid) == spawned.pid
    assert replies(spawned) == forked
    launcher.close()


def test_a_python_without_torch_is_one_line_that_says_what_it_said(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # -S: no site-packages
    python.chmod(0o755)
    launcher = Processes(str(python))
    with pytest.raises(BenchError, match=rf"{python} could not start a worker: ModuleNotFoundError: No module named"):
        launcher.launch()
    launcher.close()


def test_a_fork_that_fails_is_one_line(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("socket.send_fds", refused)
    with pytest.raises(BenchError, match="could not fork a worker"):
        processes.launch()


def lies_at(launcher: Processes, environment: dict[str, str]) -> tuple[str, str, str, bytes]:
    """Whether addresses are fixed in a worker, where heap and stack begin, and its arguments, which move them."""
    worker = launcher.launch(environment=environment)
    try:
        assert worker.ask(Take(torch_name="cpu")) == Reply()
        described = worker.ask(Describe()).environment
        lines = Path(f"/proc/{worker.pid}/maps").read_text(encoding="utf-8").splitlines()
        arguments = Path(f"/proc/{worker.pid}/cmdline").read_bytes()
        stack = Path(f"/proc/{worker.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[25]
    finally:
        worker.close()
    assert described is not None
    heap = next(line.split("-")[0] for line in lines if line.endswith("[heap]"))
    return str(described.facts["addresses"]), heap, stack, arguments


def test_workers_of_two_servers_lie_at_the_same_addresses_unless_asked_otherwise(processes: Processes) -> None:
    with contextlib.closing(Processes()) as other, contextlib.ExitStack() as files:
        for _ in range(100):  # descriptors of three digits, as after many groups
            files.enter_context(open(os.devnull))
        ours, theirs = lies_at(processes, {}), lies_at(other, {})
        if ours[0] == "random":
            pytest.skip("this container does not let a process fix its addresses")
        assert ours == theirs
        assert lies_at(other, {"ANOTHER": "x" * 77, "AND_ANOTHER": ""}) == ours
        assert lies_at(other, {"BENCH_FIXED_ADDRESSES": ""})[0] == "random"


def heap_of_server(folder: Path, monkeypatch: pytest.MonkeyPatch, *, changing: bool) -> str:
    """From where to where the heap of a server reaches that was started in a folder, which may change meanwhile."""
    monkeypatch.chdir(folder)
    with contextlib.closing(Processes()) as launcher:
        launcher.prepare({})
        (server,) = launcher._servers.values()
        while changing and not select.select([server._control], [], [], 0.002)[0]:
            Path(f"{time.monotonic_ns()}.py").touch()
        launcher.launch().close()
        lines = Path(f"/proc/{server._process.pid}/maps").read_text(encoding="utf-8").splitlines()
    return next(line.split()[0] for line in lines if line.endswith("[heap]"))


def test_a_folder_that_changes_while_servers_import_moves_nothing_in_them(
    tmp_path: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python lists folders of its path once more when they changed, and what it allocates for that moves the rest."""
    if lies_at(processes, {})[0] == "random":
        pytest.skip("this container does not let a process fix its addresses")
    heaps = {heap_of_server(tmp_path, monkeypatch, changing=changing) for changing in (False, True, True)}
    assert len(list(tmp_path.iterdir())) > 100
    assert len(heaps) == 1


def test_suites_import_what_lies_in_the_users_folder_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_helper.py").write_text("WIDTH = 8\n")
    (tmp_path / "theirs.py").write_text(
        '"""Why?"""\nimport torch\nfrom their_helper import WIDTH\nfrom bench import Subject, benchmark\n'
        "try:\n    import timing\nexcept ModuleNotFoundError:\n    pass\n"  # bench/measure has one
        'else:\n    raise RuntimeError("found what is ours")\n'
        '@benchmark(variants={"a": 1}, cpu={"n": [8]}, phases=("forward",))\n'
        'def theirs(_, n):\n    """Because."""\n    return Subject(torch.abs, torch.ones(WIDTH))\n'
    )
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(Processes()) as launcher:
        worker = launcher.launch()
        assert worker.ask(Take(torch_name="cpu")) == Reply()
        asked = Open(
            name="a",
            file=str(tmp_path / "theirs.py"),
            benchmark="theirs",
            variant="a",
            like="a",
            point=(("n", 8),),
            seed=0,
        )
        assert worker.ask(asked).failure is None
        worker.close()


@pytest.mark.parametrize(
    "more",
    [{}, {"A": ""}, {"A": "x" * 40_000}, {"A": "b", "LONGER": "ü" * 77}, {f"A{n}": "" for n in range(300)}],
    ids=("nothing", "empty", "long", "two", "many"),
)
@pytest.mark.parametrize("python", ["/usr/bin/python", "/opt/an/environment/of/a/long/name/bin/python3"])
def test_environment_has_as_many_variables_and_bytes_as_all_others(python: str, more: dict[str, str]) -> None:
    command = [python, "server.py", "fork"]
    made = workers.of_one_size(command, {"PATH": "/bin", **more})
    texts = [f"{name}={value}" for name, value in made.items()] + [*command, python]
    assert len(made) % 256 == 0
    assert (8 * len(made) + sum(len(text.encode()) + 1 for text in texts)) % (1 << 15) == 0
    assert {"PATH": "/bin", **more}.items() <= made.items()
    assert all(len(made[name]) > 1 for name in made.keys() - {"PATH", "BENCH_PADDING", *more})  # nothing Python shares
