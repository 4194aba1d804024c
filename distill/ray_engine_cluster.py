"""The Ray cluster that a job runs on: the one at ``RAY_ADDRESS``, or one of its own on this machine."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import distill
import tinyclf
from distill.teacher import Teacher
from tinyclf.errors import DataError
from tinyclf.llm import BACKENDS

SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ENABLE_AUTO_CONNECT": "0"}
"""Unless the user has set them: Ray reports nothing to its makers, prints no warnings, and never starts by itself."""


@contextmanager
def cluster() -> Iterator[None]:
    """Ray, quiet, for the time of a job; ``DataError`` when it is not installed or not to be reached."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise DataError("the engine ray needs Ray: pip install -e '.[ray]'") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"ray\.data")
    # Without an address Ray would join any cluster that it finds on this machine.
    address = os.environ.get("RAY_ADDRESS") or "local"
    rooms = [str(Path(str(room.__file__)).parent) for room in (distill, tinyclf)]
    there: dict[str, Any] = {"runtime_env": {"py_modules": rooms}}
    here = {"include_dashboard": False, "num_cpus": 2, "object_store_memory": 256 * 2**20}
    try:
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **(here if address == "local" else there))
        yield
    except ConnectionError as error:
        raise DataError(
            f"no Ray cluster at RAY_ADDRESS={address}: is it up, and are RAY_AUTH_MODE and RAY_AUTH_TOKEN as it wants?"
        ) from error
    finally:
        ray.shutdown()


def with_key(teacher: Teacher) -> Teacher:
    """The teacher with the key that stands in this machine's environment, for other nodes have another one."""
    return replace(teacher, key=teacher.key or os.environ.get(BACKENDS[teacher.backend].key_variable) or None)
