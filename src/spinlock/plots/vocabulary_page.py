"""The vocabulary as files: a page of HTML that names every token, and the pictures it shows."""

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

import numpy as np

from spinlock.artifacts import replacing
from spinlock.evaluation.exemplars import Code, Dictionary, Entry
from spinlock.plots import vocabulary, vocabulary_overview
from spinlock.plots.vocabulary import label, signed

STRONGEST = 4  # columns that are named for a token
LEAST = 0.1  # standard deviations; what is less is not named
STYLE = (
    "body{font:14px/1.45 sans-serif;color:#222;margin:2em auto;max-width:1780px;padding:0 1em}"
    "img{max-width:100%}table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;"
    "padding:.15em .9em .15em 0;border-bottom:1px solid #e6e6e6}summary{cursor:pointer}"
    "code{background:#f3f3f3}"
)


def save(dictionary: Dictionary, folder: Path) -> None:
    """Write overview.png and a picture for each category, and beside the folder the page.

    The folder is replaced. The page has its name and ends in .html: `dvc plots` complains of
    anything but pictures in a folder of pictures.
    """
    with replacing(folder) as beside:
        beside.mkdir()
        vocabulary_overview.overview(dictionary).save(beside / "overview.png")
        for entry in dictionary.entries:
            vocabulary.category(entry, dictionary).save(beside / f"{entry.name}.png")
    with replacing(folder.with_suffix(".html")) as beside:
        text = "\n".join(page(dictionary, folder.name)) + "\n"
        beside.write_text(text, encoding="utf-8")


def page(dictionary: Dictionary, folder: str) -> Iterator[str]:
    """Lines of the page; `folder` holds the pictures."""
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8"><title>Vocabulary</title>'
    yield f"<style>{STYLE}</style></head><body>"
    yield f"<h1>Vocabulary of {len(dictionary.entries)} categories</h1>"
    yield (
        f"<p>Described by {dictionary.train} training operators and counted on {dictionary.test} "
        "test operators. Features are in standard deviations of the training operators; exemplars "
        f"are the nearest of {dictionary.pool} training operators. A finer level is read as what "
        "it adds, on average, to the coarser ones. Look up one of your tokens by its name "
        "<code>category/level</code>.</p>"
    )
    yield f'<p><img src="{folder}/overview.png" alt="all categories"></p>'
    yield from (line for entry in dictionary.entries for line in _entry(entry, dictionary, folder))
    yield "</body></html>"


def _entry(entry: Entry, dictionary: Dictionary, folder: str) -> Iterator[str]:
    name = escape(entry.name)
    yield f'<h2 id="{name}">{name}</h2>'
    yield f"<p>{escape(vocabulary.facts(entry))}</p>"
    yield from _table(
        ("defining feature", "explained so far", "tells apart"),
        ((f.name, f"{f.told:.0%}", f.purpose) for f in entry.features),
    )
    picture = f"{folder}/{name}.png"
    yield f'<p><a href="{picture}"><img src="{picture}" alt="{name}" loading="lazy"></a></p>'
    yield f"<details><summary>{name}/0 in words</summary>"
    yield from _table(
        ("code", "training", "test", "farthest from the mean", "in common", "exemplars"),
        (_code(entry, code, dictionary) for code in entry.codes),
    )
    yield f"</details><details><summary>columns of {name}</summary>"
    yield f"<p>{escape(', '.join(entry.columns))}</p></details>"
    for number, level in enumerate(entry.levels[1:], 1):
        share = vocabulary.percent(level.told)
        yield f"<details><summary>{name}/{number} adds (explained: {share})</summary>"
        effects = vocabulary.by_column(level, entry)
        yield from _table(
            ("code", "training", "adds"),
            (
                (str(code), str(count), strongest(entry.columns, effect))
                for code, count, effect in zip(level.codes, level.counts, effects, strict=True)
            ),
        )
        yield "</details>"


def _code(entry: Entry, code: Code, dictionary: Dictionary) -> tuple[str, ...]:
    ids = [str(dictionary.shown[one.row].operator) for one in code.exemplars]
    return (
        str(code.code),
        str(code.count),
        str(code.test),
        strongest(entry.columns, code.mean),
        "; ".join(map(str, code.tendencies)),
        ", ".join(ids),
    )


def strongest(columns: tuple[str, ...], values: np.ndarray) -> str:
    """The columns of the largest absolute values, with them."""
    known = np.nan_to_num(values)
    order = np.argsort(-np.abs(known), kind="stable")[:STRONGEST]
    named = [
        f"{label(columns[n])} {signed(float(known[n]))}" for n in order if abs(known[n]) >= LEAST
    ]
    return "; ".join(named) or "nothing"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "<table><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</table>"
