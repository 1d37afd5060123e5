"""Public keys of signed entries, fetched when one is missing and remembered in this process."""

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from annotation_site.panels.entry_tokens import read_keys
from annotation_site.panels.errors import BadEntryToken, KeysUnreachable, RemoteError
from annotation_site.panels.prolific import Limits, ProlificClient

FRESH_SECONDS: Final = 12 * 3600.0
"""Prolific asks to renew at least daily."""
PAUSE_SECONDS: Final = 30.0
"""Unknown key ids ask the panel at most so often, so that forged tokens cannot flood it."""
QUICK = Limits(timeout=3.0, tries=2, first_pause=0.2, longest_pause=1.0)


@dataclass(slots=True)
class KeyCache:
    """Keys by id."""

    _keys: dict[str, RSAPublicKey] = field(default_factory=dict)
    _fetched: float = float("-inf")
    _tried: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, kid: str) -> RSAPublicKey | None:
        """Give a key; asks the panel where it is unknown or old.

        Raises:
            KeysUnreachable: The panel could not be asked, and there is no key to go by.
        """
        with self._lock:
            now = time.monotonic()
            is_old = now - self._fetched > FRESH_SECONDS
            may_ask = now - self._tried > PAUSE_SECONDS
            if (kid not in self._keys or is_old) and may_ask:
                self._tried = now
                self._fetch(now)
            if is_old and now - self._fetched > 2 * FRESH_SECONDS:
                raise KeysUnreachable("Prolific's public keys could not be fetched")
            return self._keys.get(kid)

    def forget(self) -> None:
        """Forget everything, as after a start."""
        with self._lock:
            self._keys, self._fetched, self._tried = {}, float("-inf"), float("-inf")

    def _fetch(self, now: float) -> None:
        try:
            self._keys = read_keys(ProlificClient(limits=QUICK).keys())
            self._fetched = now
        except (RemoteError, BadEntryToken, ValueError):
            # Old keys serve for a day; without any the caller is told.
            return


keys = KeyCache()
"""Of this process."""
