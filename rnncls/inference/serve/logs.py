"""Log messages as JSON, one object a line. No message has a text of a request."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

LOGGERS = ("rnncls", "uvicorn")
_FIELDS = "fields"


class JsonFormatter(logging.Formatter):
    """Write a message as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level and message, and the fields that `log` was given."""
        time = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log(logger: logging.Logger, level: int, message: str, **fields: object) -> None:
    """Log a message with fields of its own."""
    if logger.isEnabledFor(level):
        logger.log(level, message, extra={_FIELDS: fields})


def start_json_logs() -> None:
    """Write the messages of rnncls and uvicorn to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False


@contextmanager
def json_logs() -> Iterator[None]:
    """Write messages as JSON; at the end the loggers are as they were."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [
        (logger, logger.handlers[:], logger.level, logger.propagate)
        for logger in loggers
    ]
    start_json_logs()
    try:
        yield
    finally:
        for logger, handlers, level, propagate in before:
            logger.handlers[:] = handlers
            logger.setLevel(level)
            logger.propagate = propagate
