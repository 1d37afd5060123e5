"""What an export holds. Another table is a module like `item_table` and a line here.

A table that only some rounds have (a panel's, say) goes into `CONDITIONAL` with the question whether
a round has it; its module may import any app below `exports`.
"""

from collections.abc import Callable

from annotation_site.annotation.models import Round
from annotation_site.exports.item_table import ITEMS
from annotation_site.exports.label_studio import CONFIG, TASKS
from annotation_site.exports.people_table import PEOPLE
from annotation_site.exports.posterior_table import POSTERIORS
from annotation_site.exports.response_table import RESPONSES
from annotation_site.exports.tables import Document, Table

TABLES: tuple[Table, ...] = (RESPONSES, ITEMS, PEOPLE, POSTERIORS)
DOCUMENTS: tuple[Document, ...] = (TASKS, CONFIG)
CONDITIONAL: tuple[tuple[Callable[[Round], bool], Table], ...] = ()


def tables_of(round_: Round) -> tuple[Table, ...]:
    """Give the tables that an export of this round holds."""
    return TABLES + tuple(table for has, table in CONDITIONAL if has(round_))
