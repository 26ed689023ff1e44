"""How much memory there is, as the files of a system say it."""

import os
import resource
from pathlib import Path

import pytest

from onemcp.ops.health.memory import MIB, Memory, limit, used

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
UNLIMITED_V1 = 0x7FFFFFFFFFFFF000


def system(root: Path, cgroup: str, **limits: object) -> Path:
    """A system whose process is in these groups; limits by their path with `__` for `/`."""
    files = {
        "proc/self/cgroup": cgroup,
        **{f"sys/fs/cgroup/{p.replace('__', '/')}": v for p, v in limits.items()},
    }
    for path, value in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
    return root


def test_the_limit_is_the_smallest_of_the_group_and_those_around_it(tmp_path: Path) -> None:
    limits = {"a__b__memory.max": 3 * MIB, "a__memory.max": 2 * MIB, "memory.max": "max"}
    assert limit(system(tmp_path, "0::/a/b", **limits)) == 2 * MIB


def test_in_a_container_the_group_is_the_mount(tmp_path: Path) -> None:
    assert limit(system(tmp_path, "0::/", **{"memory.max": 64 * MIB})) == 64 * MIB


@pytest.mark.parametrize("path", ["/docker/abc", "/"])
def test_the_first_version_of_cgroups_counts_too(tmp_path: Path, path: str) -> None:
    root = system(
        tmp_path,
        f"5:cpu,cpuacct:{path}\n4:hugetlb,memory:{path}\n0::/x",
        **{"memory__memory.limit_in_bytes": 5 * MIB},
    )
    assert limit(root) == 5 * MIB


@pytest.mark.parametrize(
    ("cgroup", "limits"),
    [
        ("0::/", {"memory.max": "max"}),
        ("0::/", {}),
        ("4:memory:/", {"memory__memory.limit_in_bytes": UNLIMITED_V1}),
        ("nonsense", {"memory.max": 1}),
        ("", {}),
    ],
)
def test_without_a_limit_it_is_the_machine_s_memory(
    tmp_path: Path, cgroup: str, limits: dict[str, object]
) -> None:
    assert limit(system(tmp_path, cgroup, **limits)) == MACHINE


def test_a_path_that_leads_out_of_the_mount_harms_nothing(tmp_path: Path) -> None:
    assert limit(system(tmp_path, "0::/../../..", **{"memory.max": MIB})) <= MACHINE


def test_this_process_uses_some_and_less_than_there_is() -> None:
    assert MIB < used() < limit() <= MACHINE


def test_where_nothing_is_told_the_largest_use_so_far_stands_for_the_present(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert used(tmp_path) >= before


def test_it_is_shown_in_mebibytes_and_per_cent() -> None:
    assert Memory(int(50.5 * MIB), 100 * MIB).document() == {
        "used": 50.5,
        "total": 100.0,
        "percentage": 50.5,
    }
    assert Memory(1, 0).document()["percentage"] == 0.0
