"""What a verb raises when it cannot be done now."""


class Refused(Exception):
    """A verb that cannot be done now; its text is written for the person who asked."""
