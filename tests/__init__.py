from pathlib import Path

import pytest

# pytest explains a failed `assert` of a helper only if its package is registered before the import.
pytest.register_assert_rewrite(
    *(f"tests.{each.parent.name}" for each in Path(__file__).parent.glob("*/__init__.py"))
)
