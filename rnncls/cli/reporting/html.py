"""Self-contained HTML pages: one file, without scripts, fonts or external resources.

A page is a list of parts, each made by a function of this module, which escapes every
text. Each picture is also described in words or by a table, for readers who cannot
see it.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup, escape

from rnncls.machine.files import write_atomic

_ENVIRONMENT = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)

_LETTERS = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_RIGHT_TO_LEFT = re.compile(rf"[{_LETTERS}]+(?: +[{_LETTERS}]+)*")
"""Words of the scripts that are written from right to left."""

_PAGE = _ENVIRONMENT.from_string("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --paper: #ffffff; --line: #c9d1d9; --soft: #f3f5f7;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --paper: #14171a; --line: #3d444d; --soft: #20252a; }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 60rem; padding: 1rem;
  color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, "Segoe UI", "Noto Sans", "Noto Sans Arabic",
    "Noto Sans Thai", "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic UI",
    sans-serif, "Apple Color Emoji", "Segoe UI Emoji", "Noto Color Emoji";
  overflow-wrap: anywhere;
}
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table {
  border-collapse: collapse; width: max-content; margin: .5rem 0;
  font-variant-numeric: tabular-nums;
}
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td {
  padding: .25rem .6rem; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: top;
}
th, td { overflow-wrap: normal; max-width: min(34rem, 55vw); }
td.number, th.number { text-align: right; white-space: nowrap; }
thead th { background: var(--soft); }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #ffffff; }
figcaption { font-size: .9rem; }
.tokens { white-space: pre-wrap; line-height: 1.8; }
.tokens span { padding: .1rem 0; border-radius: .2rem; }
.tokens .framed { outline: 2px solid currentcolor; }
.card {
  margin: 1rem 0; padding: .25rem 1rem; border: 1px solid var(--line);
  border-radius: .5rem;
}
.card h3 { font-size: 1rem; margin: .5rem 0; }
.card .aside {
  margin: .75rem 0; padding-left: .75rem; border-left: 3px solid var(--line);
}
.card p { margin: .25rem 0; }
</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
{% for part in parts %}
{{ part }}
{% endfor %}
</main>
</body>
</html>
""")

_TABLE = _ENVIRONMENT.from_string("""\
<div class="scroll" tabindex="0" role="region" aria-label="{{ caption }}">
<table>
<caption>{{ caption }}</caption>
<thead><tr>
{% for name in header %}
<th scope="col"{{ classes[loop.index0] }}>{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in rows %}
<tr>
{% for cell in row %}
<td{{ classes[loop.index0] or direction }}>{{ cell }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>""")


def save_page(path: Path, title: str, parts: Sequence[Markup]) -> None:
    """Write a page atomically.

    Raises:
        RunError: The file cannot be written.
    """
    text = _PAGE.render(title=title, parts=parts)
    write_atomic(path, text.encode("utf-8", "backslashreplace"))


def heading(text: str) -> Markup:
    """Return the heading of a section."""
    return Markup('<h2 dir="auto">{}</h2>').format(text)


def paragraph(text: str) -> Markup:
    """Return a paragraph of plain text."""
    return Markup("<p>{}</p>").format(isolate(text))


def isolate(text: str) -> Markup:
    """Return a text in which right-to-left words do not reorder what is beside them."""
    return Markup(_RIGHT_TO_LEFT.sub(r"<bdi>\g<0></bdi>", str(escape(text))))


def written_text(parts: Sequence[Markup]) -> Markup:
    """Return a user's text, with its spaces and in the direction of its script."""
    # An empty language lets the browser choose fonts by the characters alone.
    return Markup('<p class="tokens" dir="auto" lang="">{}</p>').format(
        Markup("").join(parts)
    )


def subheading(text: str) -> Markup:
    """Return the heading of a part of a section."""
    return Markup("<h3>{}</h3>").format(text)


def card(title: Markup, parts: Sequence[Markup], aside: Sequence[Markup]) -> Markup:
    """Return an item of a list to go through, in a frame.

    Args:
        title: Its heading.
        parts: What it is.
        aside: What to compare it with, beside a line.
    """
    content = Markup("").join(parts)
    if aside:
        content += Markup('<div class="aside">{}</div>').format(Markup("").join(aside))
    return Markup('<section class="card"><h3>{}</h3>{}</section>').format(
        title, content
    )


def table(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    num_texts: int = 1,
) -> Markup:
    """Return a table.

    Args:
        caption: Its title.
        header: The names of the columns.
        rows: The cells, shown as `str` shows them.
        num_texts: How many columns, from the left, hold text. The others hold numbers
            and are aligned to the right.
    """
    number_class = Markup(' class="number"')
    classes = [
        "" if column < num_texts else number_class for column in range(len(header))
    ]
    html = _TABLE.render(
        caption=caption,
        header=header,
        rows=rows,
        classes=classes,
        direction=Markup(' dir="auto"'),
    )
    return Markup(html)


def picture(png: bytes, caption: str, alt: str) -> Markup:
    """Return a picture embedded in the page.

    Args:
        png: The picture.
        caption: The line below it.
        alt: What the picture shows, in words.
    """
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    return Markup(
        '<figure><img src="{}" alt="{}"><figcaption>{}</figcaption></figure>'
    ).format(source, alt, isolate(caption))
