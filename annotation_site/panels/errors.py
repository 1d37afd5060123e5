"""Why a visit or a lead's wish was refused; the words of `PanelRefused` are for the lead.

PanelError
    BadEntryToken    the signed entry token does not hold
    KeysUnreachable  the keys to check it with cannot be had now
    TurnedAway       this person may not begin; says which outcome that is
    EntryRefused     somebody else's seat, or an entry that must be signed and is not
    PanelRefused     a lead's verb cannot be done
    RemoteError      the panel's API did not do as asked
"""


class PanelError(Exception):
    """Something about a panel was refused."""


class BadEntryToken(PanelError):
    """The signed entry token does not hold."""


class KeysUnreachable(PanelError):
    """The panel's public keys cannot be fetched now."""


class TurnedAway(PanelError):
    """This person may not begin now; `outcome` is one of `codes.Outcome`."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class EntryRefused(PanelError):
    """The entry proves too little: it must come from the panel itself."""


class PanelRefused(PanelError):
    """A lead's verb that cannot be done now."""


class RemoteError(PanelError):
    """The panel's API did not answer as asked; the message is for the lead."""
