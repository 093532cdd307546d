from __future__ import annotations

import sys
from pathlib import Path

import psutil  # noqa: F401  while the platform is still the real one
import pytest

from bench.measure import host
from bench.measure.reading import read

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc and /sys are Linux's")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(host, "ROOT", tmp_path)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("container", raising=False)
    return tmp_path


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text + "\n")


@pytest.mark.parametrize(
    ("numbers", "text"), [(set(), ""), ({3}, "3"), ({0, 1}, "0-1"), ({0, 1, 2, 5, 7, 8}, "0-2,5,7-8")]
)
def test_cores_are_written_as_taskset_writes_them(numbers: set[int], text: str) -> None:
    assert host.ranges(numbers) == text


@linux
def test_the_processor_is_named_by_its_model_or_by_its_numbers(root: Path) -> None:
    write(root, "proc/cpuinfo", "processor\t: 0\nmodel name\t: Fast(R) CPU @ 3 GHz\nflags\t: fpu\nmodel name\t: Other")
    assert host.cpu_model() == "Fast(R) CPU @ 3 GHz"
    write(root, "proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f")
    assert host.cpu_model().startswith("CPU 0x41 0xd4f")


@linux
@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, "none"),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, "none"),
        ({"sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ({"sys/fs/cgroup/jobs/7/cpu.max": "50000 100000", "sys/fs/cgroup/cpu.max": "max 100000"}, 0.5),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"}, "none"),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 2.0),
    ],
)
def test_a_container_s_cpu_quota_is_found_in_either_cgroup_version(
    root: Path, files: dict[str, str], quota: object
) -> None:
    write(root, "proc/self/cgroup", "0::/jobs/7")
    for path, text in files.items():
        write(root, path, text)
    assert host.quota() == quota


@linux
def test_governors_of_all_cores_are_told_and_a_machine_without_has_a_reason(root: Path) -> None:
    assert "no cpufreq" in read(host.governor).reason
    write(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave")
    write(root, "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance")
    assert host.governor() == "performance,powersave"


@linux
@pytest.mark.parametrize(
    ("path", "text", "turbo"),
    [
        ("sys/devices/system/cpu/intel_pstate/no_turbo", "0", True),
        ("sys/devices/system/cpu/intel_pstate/no_turbo", "1", False),
        ("sys/devices/system/cpu/cpufreq/boost", "1", True),
        ("sys/devices/system/cpu/cpufreq/boost", "0", False),
    ],
)
def test_turbo_is_read_from_whichever_driver_has_it(root: Path, path: str, text: str, turbo: bool) -> None:
    write(root, path, text)
    assert host.turbo() is turbo


@linux
def test_a_virtual_machine_tells_its_vendor_and_bare_metal_says_none(root: Path) -> None:
    write(root, "proc/cpuinfo", "flags : fpu hypervisor vme")
    assert host.hypervisor() == "unnamed"
    write(root, "sys/class/dmi/id/sys_vendor", "Amazon EC2")
    assert host.hypervisor() == "Amazon EC2"
    write(root, "proc/cpuinfo", "flags : fpu vme")
    assert host.hypervisor() == "none"


@linux
def test_a_container_is_known_by_its_marks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.container() == "none"
    write(root, "run/.containerenv", "")
    assert host.container() == "podman"
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert host.container() == "kubernetes"


@linux
def test_addresses_are_fixed_where_the_personality_says_so(root: Path) -> None:
    for personality, told in (("00000000\n", "random"), ("00040000\n", "fixed"), ("00440008\n", "fixed")):
        write(root, "proc/self/personality", personality)
        assert host.addresses() == told


@linux
def test_the_setting_of_huge_pages_is_the_word_in_brackets(root: Path) -> None:
    write(root, "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never")
    assert host.huge_pages() == "madvise"


@linux
def test_a_missing_file_is_a_reason_that_names_it(root: Path) -> None:
    reading = read(host.huge_pages)
    assert reading.value is None
    assert "transparent_hugepage/enabled: No such file" in reading.reason


def test_on_another_system_the_linux_facts_are_none_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("platform.system", lambda: "Windows")
    found = host.readings(host.FACTS)
    assert found["huge_pages"].reason == "Windows does not tell"
    assert found["cpu_cores"].value


def test_the_metronome_s_fingerprint_changes_with_interpreter_and_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    before = host.metronome()
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert host.metronome() != before
    monkeypatch.undo()
    monkeypatch.setattr(host, "cpu_model", lambda: "another CPU")
    assert host.metronome() != before
