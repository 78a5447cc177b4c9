import subprocess
import sys

import rezsl


def test_import_stays_light() -> None:
    """What costs seconds is loaded by what needs it, not by ``import rezsl``."""
    heavy = "{'torch', 'lightning', 'transformers', 'matplotlib', 'kornia', 'sklearn', 'scipy'}"
    code = f"import sys, rezsl; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_evaluating_needs_no_training_library() -> None:
    heavy = "{'lightning', 'kornia', 'sklearn'}"
    code = f"import sys, rezsl; rezsl.evaluate, rezsl.load_model; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_exists_and_is_documented() -> None:
    for name in rezsl.__all__:
        assert getattr(rezsl, name).__doc__
    assert set(rezsl.__all__) <= set(dir(rezsl))
    for room in (
        rezsl.classifier,
        rezsl.data,
        rezsl.estimators,
        rezsl.evaluation,
        rezsl.functional,
        rezsl.losses,
        rezsl.metrics,
        rezsl.models,
        rezsl.regions,
        rezsl.semantics,
        rezsl.training,
    ):
        for name in room.__all__:
            assert hasattr(room, name), name
