import gc
import os
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch
from hypothesis import settings

from rezsl.data import Benchmark, Split
from rezsl.semantics import ClassSemantics
from tests.browser import Browser, find_chromium

TESTS = Path(__file__).parent
ROOMS_OF_WHOLE_RUNS = {"cli", "docs", "estimators", "experiments", "export", "play", "torture"}
SHARED = Path(__file__).parents[2] / "shared" / "data"

# To look for doctests in it would register its device in the process of the tests.
collect_ignore = ["second_device.py"]

# A run beside other processes stalls at OpenMP barriers; the tests' tensors are too small to gain from threads anyway.
torch.set_num_threads(1)
# The machine may be busy, so no deadline; the same examples each time, so that a red test stays red.
settings.register_profile("rezsl", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("rezsl")
os.environ["OMP_NUM_THREADS"] = "1"
# What the collection makes, half a million objects, lasts until the end; each search for cycles among it takes half a second.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("real data is not at hand")
    return SHARED


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser without a window, in which pages are tested; such tests are skipped where there is none."""
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with Browser(program, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test draws the same random numbers, whichever tests ran before it in the same process."""
    torch.default_generator.manual_seed(0)
    if torch.cuda.is_initialized():  # otherwise torch.manual_seed would keep a note of its caller for each test
        torch.cuda.manual_seed_all(0)


@pytest.fixture(autouse=True)
def shapes_are_checked_where_functions_are_tested(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whole runs repeat thousands of times what the tests of its rooms call, and the checks take half of their time."""
    room = request.path.relative_to(TESTS).parts[0] if request.path.is_relative_to(TESTS) else ""
    whole_runs = room in ROOMS_OF_WHOLE_RUNS or request.node.get_closest_marker("slow") is not None
    jaxtyping.config.update("jaxtyping_disable", whole_runs)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the run-time type checks of the test run, as users have it: what do our own checks say?

    Whole trainings have it as well, because other tests check the shapes of what they repeat.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def semantics(generator: torch.Generator) -> ClassSemantics:
    """Six classes, four attributes."""
    values = torch.rand(6, 4, generator=generator) + 0.1
    return ClassSemantics(tuple("abcdef"), ("wings", "fur", "stripes", "tail"), values)


@pytest.fixture
def features(semantics: ClassSemantics, generator: torch.Generator) -> Benchmark:
    """Features that depend linearly on the semantics, 20 per class; the classes e and f are unseen."""
    return linear_benchmark(semantics, generator, seen=4, per_class=20, dim=8)


@pytest.fixture
def learnable(generator: torch.Generator) -> Benchmark:
    """The same with enough classes for the unseen ones to be learnt: 20 seen and 4 unseen, 40 images each."""
    values = torch.rand(24, 6, generator=generator) + 0.1
    names = tuple(f"class {number}" for number in range(24))
    semantics = ClassSemantics(names, tuple(f"attribute {number}" for number in range(6)), values)
    return linear_benchmark(semantics, generator, seen=20, per_class=40, dim=16)


def linear_benchmark(
    semantics: ClassSemantics, generator: torch.Generator, seen: int, per_class: int, dim: int
) -> Benchmark:
    class_count, attribute_count = semantics.values.shape
    labels = torch.arange(class_count).repeat_interleave(per_class)
    mixing = torch.randn(attribute_count, dim, generator=generator)
    noise = 0.1 * torch.randn(len(labels), dim, generator=generator)
    index = torch.arange(len(labels))
    of_seen, held_out = labels < seen, index % 5 == 0
    split = Split(index[of_seen & ~held_out], index[of_seen & held_out], index[~of_seen])
    return Benchmark("toy", semantics.values[labels] @ mixing + noise, labels, semantics, split)
