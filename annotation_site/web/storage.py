"""Static files: under names that carry a hash of their content, and compressed, once collected."""

import posixpath
import re
from collections.abc import Callable
from functools import partial

from whitenoise.storage import CompressedManifestStaticFilesStorage

_PART = r"""(?P<matched>@import\s*["']\./(?P<url>[^"']+)["']\s*;)"""
_PUT_IN = "%(content)s"


def with_parts(sheet: str, read: Callable[[str], str]) -> str:
    """Put the parts that a style sheet imports by `./name` into it.

    Args:
        sheet: The style sheet.
        read: Gives the content of a part beside it, by name.
    """
    return re.sub(_PART, lambda match: read(match["url"]), sheet)


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # no stubs
    """Hashed names after `collectstatic`, which browsers keep for good; plain names before it.

    Modules that import one another are rewritten to the hashed names as well, so that a module
    preloaded by a page is the one that is imported. A style sheet that imports its parts by
    `./name` gets them put in, since every file more is one more to wait for.
    """

    patterns = (
        ("*.css", ((_PART, _PUT_IN),)),
        *CompressedManifestStaticFilesStorage.patterns,
    )
    support_js_module_import_aggregation = True
    manifest_strict = False

    def stored_name(self, name: str) -> str:
        """Give the name a file is served under."""
        if not self.hashed_files:
            return name
        stored: str = super().stored_name(name)
        return stored

    def url_converter(
        self, name: str, hashed_files: dict[str, str], template: str | None = None
    ) -> Callable[[re.Match[str]], str]:
        """Give what rewrites the addresses in a file; others' scripts are left as they are."""
        if template == _PUT_IN:
            return lambda match: with_parts(match.group(), partial(self._beside, name))
        if name.endswith(".js") and not name.startswith("js/"):
            return lambda match: match.group()
        converter: Callable[[re.Match[str]], str] = super().url_converter(
            name, hashed_files, template
        )
        return converter

    def _beside(self, name: str, part: str) -> str:
        with self.open(posixpath.join(posixpath.dirname(name), part)) as file:
            content: bytes = file.read()
        return content.decode()
