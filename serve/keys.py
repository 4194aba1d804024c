"""Bearer keys (RFC 6750), kept as digests and compared in constant time."""

import hashlib
import hmac
from pathlib import Path

LEAST = 16
"""Characters of a key: shorter ones can be guessed."""


class Keys:
    """Who may ask. Without keys everybody may, which is why the service then listens to this machine alone."""

    def __init__(self, digests: tuple[bytes, ...]) -> None:
        self._digests = digests

    def __bool__(self) -> bool:
        return bool(self._digests)

    def allow(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether the request carries one of the keys; every key is compared, whichever it is."""
        given = next((value for name, value in headers if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        offered = hashlib.sha256(token.strip()).digest()
        found = False
        for digest in self._digests:
            found |= hmac.compare_digest(digest, offered)
        return found and scheme.lower() == b"bearer"


def read_keys(path: Path | None, environment: str) -> tuple[bytes, ...]:
    """The digests of the keys in a file, a key a line, and of those in an environment variable, joined by commas.

    ``ValueError`` names the place of a key that is too short or not ASCII; never the key.
    """
    found = []
    lines = path.read_text(encoding="utf-8").splitlines() if path else []
    places = [(f"{path}:{number}", line) for number, line in enumerate(lines, 1) if not line.startswith("#")]
    places += [("TINYCLF_API_KEYS", key) for key in environment.split(",")]
    for place, line in places:
        key = line.strip()
        if key and (len(key) < LEAST or not key.isascii() or len(key.split()) > 1):
            raise ValueError(f"{place}: a key is at least {LEAST} ASCII characters without spaces")
        if key:
            found.append(hashlib.sha256(key.encode()).digest())
    if path and not found:
        raise ValueError(f"{path}: holds no key; without the option the service needs none")
    return tuple(found)
