"""Why a keyword cannot be honoured."""


class Refused(Exception):
    """Raised inside this package where the path is not known; the walk over the schema makes an
    `InvalidArgument` of it."""

    def __init__(self, keyword: str, reason: str) -> None:
        super().__init__(keyword, reason)
        self.keyword = keyword
        self.reason = reason
