"""Why a request is refused. Does not import the web framework."""

RETRY_AFTER_S = 1
"""The seconds after which a client may try again."""


class LimitError(Exception):
    """A request exceeds a limit.

    Attributes:
        status: The HTTP status: 413, or 429 for a server that is busy.
        limit: The name of the limit.
        found: What the request has.
        allowed: What it may have.
    """

    def __init__(
        self, status: int, limit: str, found: int, allowed: int, message: str
    ) -> None:
        """Take the status, the limit, both values and the message for the client."""
        super().__init__(message)
        self.status = status
        self.limit = limit
        self.found = found
        self.allowed = allowed


class InvalidRequest(Exception):  # noqa: N818 - the request is wrong, not the server
    """The body of a request is not what the route expects.

    Attributes:
        fields: Each wrong field, with what is wrong.
    """

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        """Take each wrong field with what is wrong."""
        shown = [f"{name}: {message}" if name else message for name, message in fields]
        super().__init__("; ".join(shown))
        self.fields = fields


class UnknownModel(Exception):  # noqa: N818 - the request is wrong, not the server
    """The path names another model than the one of this server."""
