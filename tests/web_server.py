"""A local web server, in place of the addresses that rnncls downloads from."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """A web server on this machine.

    Attributes:
        url: Where it listens.
        answers: What it answers, by the name of a file.
        asked: The files it was asked for.
    """

    url: str
    answers: dict[str, Answer]
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(answers: dict[str, Answer]) -> Iterator[Server]:
    """Run a web server in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            running.asked.append(name)
            running.answers[name](self)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        running = Server(f"http://127.0.0.1:{listener.server_port}", answers)
        thread = threading.Thread(
            target=listener.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        yield running
        listener.shutdown()
        thread.join()


def send(content: bytes, length: int | None = None) -> Answer:
    """Answer with `content`, which may claim to be longer than it is."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(length or len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def send_404(request: BaseHTTPRequestHandler) -> None:
    request.send_error(404)


def send_nonsense(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"nonsense\r\n\r\n")


def send_broken_chunks(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort"
    )
