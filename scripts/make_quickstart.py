"""Write the quick-start data set: invented news in which word order decides.

The files have the form of AG News.

Half of the rows are *mirror pairs*: two texts made of the very same words that belong
to different sections, because a text belongs to the section of whoever acts. The other
half are plain rows whose words give the section away. See data/README.md.
"""

import argparse
import csv
import io
import random
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")
Words = Mapping[str, Sequence[str]]

DEFAULT_OUT = Path(__file__).resolve().parents[1] / "data" / "quickstart"
SIZES = {"train.csv": 6000, "test.csv": 1000}


def phrases(text: str) -> tuple[str, ...]:
    """Split a comma-separated word list."""
    return tuple(phrase.strip() for phrase in text.split(","))


# --- Who there is
# ---------------------------------------------------------------------------------

# A town has one name in each section, so that "Calder" says nothing and "Calder Bank"
# says Business.
TOWNS = {
    # town:       World,              Sports,        Business,      Sci/Tech
    "Aldermere": ("Parliament", "Wanderers", "Steel", "Observatory"),
    "Brackmoor": ("Senate", "Otters", "Bank", "Laboratory"),
    "Calder": ("Cabinet", "Rovers", "Bank", "Observatory"),
    "Corvane": ("Treasury", "Athletic", "Airways", "Robotics Lab"),
    "Drosk": ("Border Guard", "Wolves", "Shipping", "Institute"),
    "Fenwold": ("Embassy", "Harriers", "Foods", "Genome Centre"),
    "Ilmaria": ("Foreign Ministry", "United", "Telecom", "Space Centre"),
    "Jorvath": ("Senate", "Athletic", "Insurance", "Seismic Station"),
    "Keldport": ("Embassy", "Rowing Club", "Shipping", "Marine Lab"),
    "Lumbrick": ("Parliament", "Strollers", "Breweries", "Laboratory"),
    "Marrowick": ("Cabinet", "United", "Motors", "Institute"),
    "Norvane": ("Foreign Ministry", "Wolves", "Airways", "Seismic Station"),
    "Ostrand": ("Presidency", "Rowing Club", "Insurance", "Marine Lab"),
    "Pellory": ("Treasury", "Harriers", "Foods", "Genome Centre"),
    "Quillon": ("Border Guard", "Lanterns", "Telecom", "Space Centre"),
    "Skarnholm": ("Presidency", "Otters", "Steel", "Observatory"),
    "Sorrelby": ("Council", "Rovers", "Breweries", "Institute"),
    "Ulverholt": ("Parliament", "Strollers", "Motors", "Robotics Lab"),
    "Vastrel": ("Senate", "Lanterns", "Bank", "Laboratory"),
    "Velmark": ("Council", "Wanderers", "Motors", "Space Centre"),
}
NAMES = {
    section: tuple(f"{town} {kinds[section - 1]}" for town, kinds in TOWNS.items())
    for section in (1, 2, 3, 4)
}

# --- Words that every section uses
# ----------------------------------------------------------------

SHARED = {
    "town": tuple(TOWNS),
    "person": phrases(
        "Aszkeldi, Brackwater, Dunmarrow, Fennimorrow, Grizzlewade, Ildrisson,"
        " Macklethorn, Ostergrave, Pemberlane, Quibley, Rookhampton, Tillwright,"
        " Umberfold, Varkonnen, Wexlebury, Yarrowby"
    ),
    "agency": phrases("Pigeon Post, Lamplighter, Evening Semaphore, Foghorn Wire"),
    "day": phrases("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "month": phrases(
        "January, February, March, April, May, June, August, October, November"
    ),
    "ordinal": phrases("second, third, fourth, fifth, sixth, tenth"),
    "number": phrases(
        "3, 5, 8, 11, 12, 14, 17, 19, 23, 27, 30, 42, 58, 64, 75, 90, 120, 300"
    ),
    "year": phrases("1923, 1948, 1957, 1966, 1971, 1979, 1984, 1988, 1993, 1999"),
    "quarrel": phrases(
        "stadium deal, tax records, data leak, telescope contract, car park, missing"
        " invoices, borrowed bus, noisy generator, roof repairs, unpaid rent, river"
        " access, parade route, stolen mascot, satellite dish, late fireworks, naming"
        " rights, shared kitchen, leaked memo, lost keys"
    ),
}
DATELINES = ("", "", "{town} ({agency}) - ", "{agency} - ")

# --- Mirror pairs: {a} acts, {b} is acted upon; {x} and {y} are the same two in an
# order that says nothing --

# No name may touch a punctuation mark: "Bank." and "Bank" would be two words, and the
# bags would differ.
ACTS = (
    ("applauds", "applauded"),
    ("bills", "billed"),
    ("challenges", "challenged"),
    ("criticises", "criticised"),
    ("defies", "defied"),
    ("fines", "fined"),
    ("misleads", "misled"),
    ("mocks", "mocked"),
    ("outwits", "outwitted"),
    ("petitions", "petitioned"),
    ("questions", "questioned"),
    ("reassures", "reassured"),
    ("rebukes", "rebuked"),
    ("snubs", "snubbed"),
    ("sues", "sued"),
    ("warns", "warned"),
)
ACT_TITLES = (
    "{a} {does} {b} over {quarrel}",
    "{a} {does} {b} again",
    "{a} says it {done} {b} over {quarrel}",
    "{a} has {done} {b} before, says {person}",
    "Report says {a} {done} {b} over {quarrel}",
    "Letter in which {a} {does} {b} is leaked",
    "{b} {done} by {a} over {quarrel}",
    "{b} is {done} by {a} again",
    "{b} says it was {done} by {a}",
    "{b} still upset at being {done} by {a}",
    "Report says {b} was {done} by {a}",
    "Judge agrees that {b} was {done} by {a}",
)
ACT_SENTENCES = (
    # These mirror along with the title ...
    "On {day} {a} {done} {b} for the {ordinal} time this year.",
    "According to {person}, it was {a} that {done} {b} and not the other way round.",
    "{b} learned on {day} that it had been {done} by {a} over the {quarrel}.",
    (
        "The minutes show that {b} was {done} by {a} in {month}, in front of {number}"
        " guests."
    ),
    # ... these name both and keep their order ...
    "Both {x} and {y} have kept an office in {town} since {year}.",
    "A meeting between {x} and {y} in {town} broke up after {number} minutes.",
    "Until {month} {x} and {y} had shared a coffee machine without a single complaint.",
    # ... these call in somebody from a third section ...
    "{third} has offered to settle the matter in {town} on {day}.",
    (
        "Meanwhile {third} asked everybody for calm and for its {number} folding chairs"
        " back."
    ),
    # ... and these name nobody.
    (
        "The two sides have {number} days to settle the {quarrel} before a judge in"
        " {town} decides."
    ),
    "Neither side would say a word about the {quarrel} on {day}.",
    (
        '"Nobody comes out of this well," said {person}, who has followed the {quarrel}'
        " for years."
    ),
    (
        "A letter seen by {agency} runs to {number} pages and mentions the {quarrel}"
        " only once."
    ),
    (
        "It is {town}'s {ordinal} such affair since {year}, and the neighbours have"
        " stopped counting."
    ),
)
# Any two sections meet equally often when the three ways of pairing up four sections
# take turns.
PAIRINGS = (((1, 2), (3, 4)), ((1, 3), (2, 4)), ((1, 4), (2, 3)))

# --- Plain rows
# -----------------------------------------------------------------------------------


class Section(NamedTuple):
    """What the plain rows of one class are made of."""

    titles: Sequence[str]
    leads: Sequence[str]
    details: Sequence[str]
    words: Words


WORLD = Section(
    titles=(
        "{org} calls early election after {trouble}",
        "{leader} {person} survives no confidence vote",
        "Ceasefire holds along {town} border for {ordinal} day",
        "{number} hurt in {town} amid {trouble}",
        "{town} and its neighbour sign {treaty}",
        "Rebels free hostages near {town} before talks",
        "{leader} {person} flies to {town} for {treaty} talks",
        "Voters in {town} queue for hours in record turnout",
        "{org} recalls envoy over {quarrel}",
    ),
    leads=(
        (
            "{leader} {person} said on {day} that the {treaty} would be signed before"
            " {month}."
        ),
        (
            "Police fired tear gas in {town} on {day} as {trouble} entered the"
            " {ordinal} week."
        ),
        "{org} voted on {day} to send {number} peacekeepers to the border.",
        (
            "Rebels and government troops around {town} laid down their arms on {day},"
            " for the {ordinal} time."
        ),
        (
            "An aid convoy reached {town} on {day} after {trouble} had closed the only"
            " road."
        ),
        (
            "Diplomats fear that {trouble} could sink the {treaty}, which took {number}"
            " months to write."
        ),
        (
            "The {leader}'s plane landed in {town} on {day} with {number} ministers and"
            " no luggage."
        ),
    ),
    details=(
        (
            '"The people of {town} have waited long enough," {leader} {person} told the'
            " nation."
        ),
        "Opposition leader {person} called the vote a farce and left the hall.",
        "At least {number} families have fled across the border since {month}.",
        "Monitors counted {number} breaches of the {treaty} in {month}.",
        "Troops still guard the palace.",
    ),
    words={
        "leader": phrases(
            "Prime Minister, President, Chancellor, Foreign Minister, Governor"
        ),
        "trouble": phrases(
            "flood warnings, bread shortages, border clashes, a disputed count, a ferry"
            " strike"
        ),
        "treaty": phrases(
            "fishing treaty, border treaty, grain accord, ceasefire plan, refugee pact"
        ),
    },
)
SPORTS = Section(
    titles=(
        "{org} win {game} with {feat}",
        "{person} leads {org} to {ordinal} straight victory",
        "{org} sign {player} {person} for {number} matches",
        "Injured {player} {person} to miss {game}",
        "Rain stops {game} in {town} with scores level",
        "Veteran {player} {person} retires after {number} seasons",
        "{town} crowd cheers {person} to marathon record",
        "Extra time again as {org} draw {game}",
        "{org} fans protest over {quarrel} before {game}",
    ),
    leads=(
        (
            "{person} decided the {game} with a {feat} on {day} and sent {org} to the"
            " top of the table."
        ),
        (
            "A {feat} in front of {number} wet supporters gave {org} their {ordinal}"
            " win since {month}."
        ),
        (
            "The {player} {person} will miss the {game} in {town} after twisting a knee"
            " in training on {day}."
        ),
        "{org} lost their {ordinal} {game} in a row and whistled all the way home.",
        (
            "Coach {person} dropped {number} players before the {game}, then needed a"
            " {feat} to save the day."
        ),
        "Swimmers, runners and one lost cyclist shared the medals in {town} on {day}.",
        "{town}'s star {player} broke a record that had stood since {year}.",
    ),
    details=(
        '"The boys ran their socks off," coach {person} said after the final whistle.',
        "Referee {person} showed {number} yellow cards and lost one of them.",
        "The trophy was last won in {year}, on penalties.",
        "The return leg is on {day}.",
        "Tickets for the final cost {number} crowns.",
    ),
    words={
        "player": phrases("striker, goalkeeper, captain, sprinter, winger, defender"),
        "game": phrases(
            "cup tie, derby, semifinal, league match, regatta, relay, playoff"
        ),
        "feat": phrases(
            "late penalty, hat trick, photo finish, diving header, record sprint"
        ),
    },
)
BUSINESS = Section(
    titles=(
        "{org} {figure} rises {number} percent",
        "{org} shares slide on {move} rumours",
        "{org} to cut {number} jobs at {town} plant",
        "Strong demand for {goods} lifts {org}",
        "{org} rejects {move} from rival",
        "Oil price nears record as {town} refinery shuts",
        "{org} chief {person} quits after {move}",
        "Investors wait for {org} results before {move}",
        "{org} shareholders uneasy over {quarrel}",
    ),
    leads=(
        (
            "{org} said on {day} that its {figure} had grown by {number} percent,"
            " helped by sales of {goods}."
        ),
        (
            "Shares in {org} fell {number} percent on {day} after a {move} came to"
            " nothing."
        ),
        (
            "Consumers bought more {goods} in {month} than in any month since {year},"
            " the retailers' union said."
        ),
        (
            "Chief executive {person} will leave {org} in {month} with {number} million"
            " crowns in stock."
        ),
        (
            "A {move} worth {number} million crowns will make {org} the largest maker"
            " of {goods} in {town}."
        ),
        (
            "Stocks in {town} closed higher on {day} as oil fell below {number} crowns"
            " a barrel."
        ),
        "Workers at the {org} plant voted on {day} to end a strike over {goods}.",
    ),
    details=(
        "Analysts had expected a {figure} of {number} million crowns.",
        '"The market wants {goods}," finance director {person} told investors.',
        "The {move} still needs the approval of shareholders.",
        "Creditors are owed {number} million crowns.",
        "Rivals cut their prices the same day.",
    ),
    words={
        "figure": phrases(
            "quarterly profit, annual revenue, operating margin, order book, dividend"
        ),
        "move": phrases(
            "merger offer, takeover bid, stock offering, bond sale, price cut, hiring"
            " freeze"
        ),
        "goods": phrases(
            "frozen peas, lorry tyres, cheap flights, oat biscuits, umbrella handles"
        ),
    },
)
SCI_TECH = Section(
    titles=(
        "Researchers at {org} find new {thing}",
        "First test of {gadget} succeeds in {town}",
        "Virus slows {gadget} users across {town}",
        "Study links {thing} to warmer seas",
        "{org} launches {gadget} into orbit",
        "Rocket carrying {gadget} explodes near {town}",
        "Gene map of {thing} finished after {number} years",
        "Software flaw leaves {gadget} open to hackers",
        "{org} delays launch over {quarrel}",
    ),
    leads=(
        (
            "Scientists at {org} have found a {thing} that glows for {number} hours,"
            " they reported on {day}."
        ),
        "A {gadget} built by {org} passed its {ordinal} field test in {town} on {day}.",
        (
            "The probe will carry a {gadget} past {number} moons and should wake up in"
            " {month}."
        ),
        (
            "A flaw in the {gadget} lets hackers read passwords, and a software patch"
            " is due in {month}."
        ),
        "The genome of the {thing} is {number} times longer than ours, a study says.",
        (
            "{town}'s biologists filmed a {thing} at a depth of {number} metres and"
            " thought it was a star."
        ),
        (
            "Users can download the {gadget} from {day} if their computer has {number}"
            " megabytes to spare."
        ),
    ),
    details=(
        '"We thought the {thing} was dust on the lens," astronomer {person} said.',
        "The findings appear in the {month} issue of a science journal.",
        "Engineers will restart the {gadget} on {day}.",
        "Only {number} fossils of the {thing} are known.",
        "The experiment used {number} computers and a kettle.",
    ),
    words={
        "thing": phrases(
            "comet, dwarf planet, glow worm, deep sea squid, fossil beetle, slime mould"
        ),
        "gadget": phrases(
            "pocket telescope, solar kite, search engine, quantum abacus, robot mule"
        ),
    },
)
SECTIONS = {1: WORLD, 2: SPORTS, 3: BUSINESS, 4: SCI_TECH}
WORDS = {**SHARED, **WORLD.words, **SPORTS.words, **BUSINESS.words, **SCI_TECH.words}
VAGUE_TITLES = (
    "{person} says goodbye to {town}",
    "Questions remain over {quarrel} in {town}",
    "{day} brings a surprise for {town}",
    "What {person} did next in {town}",
)
VAGUE_LEADS = (
    (
        "{org} opened a new hall in {town} on {day}, with {number} guests from {third}"
        " looking on."
    ),
    "{org} apologised on {day} to {third}, whose name it had misspelt since {year}.",
    "{org} named {person} as its new head on {day} after {number} months of searching.",
    "{org} will leave {town} in {month} after {number} years and one flooded cellar.",
)
VAGUE_DETAILS = (
    "{person} could not be reached for comment.",
    "The news had been expected since {month}.",
    "It was the {ordinal} such case in {town} this year.",
    "The row over the {quarrel} was not mentioned.",
    '"It is too early to celebrate," said {person}, who celebrated.',
    "A deal, a record and a launch in one week: {town} has rarely been so busy.",
    "More is expected on {day}.",
)

# --- Chance
# --------------------------------------------------------------------------------------


def pick(rng: random.Random, items: Sequence[T]) -> T:
    """Draw one item.

    Of all methods, only `random()` is promised to repeat itself on every Python.
    """
    return items[int(rng.random() * len(items))]


def shuffled(rng: random.Random, items: Sequence[T]) -> list[T]:
    """Return the items in random order (by `random()` alone, as in `pick`)."""
    return sorted(items, key=lambda _: rng.random())


def expand(rng: random.Random, template: str, words: Words) -> str:
    """Fill each slot that is in `words` with a different word; keep the other slots."""
    return re.sub(
        r"{(\w+)}", lambda slot: pick(rng, words.get(slot[1], (slot[0],))), template
    )


# --- Rows
# --------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One news item."""

    section: int
    title: str
    description: str


Bag = tuple[str, ...]


def bag(row: Row) -> Bag:
    """Return the words of a row without their order."""
    return tuple(sorted(f"{row.title} {row.description}".split()))


def outsiders(sections: Sequence[int]) -> list[str]:
    """Return the names of all other sections."""
    return [
        name
        for section, names in NAMES.items()
        if section not in sections
        for name in names
    ]


def name_pairs(sections: tuple[int, int], *, held_out: bool) -> list[tuple[str, str]]:
    """Return the pairs of names; every fourth is held out for the test file."""
    first, second = (NAMES[section] for section in sections)
    return [
        (one, two)
        for i, one in enumerate(first)
        for j, two in enumerate(second)
        if i != j and (held_out or (i + j) % 4 != 0)
    ]


def mirror_pair(
    rng: random.Random, sections: tuple[int, int], *, held_out: bool
) -> list[Row]:
    """Make two rows of the same words: another section acts in each of them."""
    does, done = pick(rng, ACTS)
    # One act and one quarrel a row, so that the description tells the same story as the
    # title.
    quarrel = pick(rng, SHARED["quarrel"])
    words = SHARED | {
        "does": (does,),
        "done": (done,),
        "quarrel": (quarrel,),
        "third": outsiders(sections),
    }
    title = expand(rng, pick(rng, ACT_TITLES), words)
    sentences = shuffled(rng, ACT_SENTENCES)[: pick(rng, (1, 2, 2, 3))]
    description = expand(rng, pick(rng, DATELINES) + " ".join(sentences), words)
    one, two = pick(rng, name_pairs(sections, held_out=held_out))
    x, y = shuffled(rng, (one, two))
    rows = []
    for section, actor, other in ((sections[0], one, two), (sections[1], two, one)):
        cast = {"a": actor, "b": other, "x": x, "y": y}
        rows.append(Row(section, title.format(**cast), description.format(**cast)))
    return shuffled(rng, rows)


def plain_row(rng: random.Random, section: int) -> list[Row]:
    """Make a row, as a list of one, whose words reveal its section.

    Not every sentence helps.
    """
    topic = SECTIONS[section]
    # As in AG News, a title may say little or be missing.
    titles = pick(rng, (topic.titles,) * 14 + (VAGUE_TITLES,) * 5 + (("",),))
    sentences = [pick(rng, pick(rng, (topic.leads,) * 4 + (VAGUE_LEADS,)))]
    sentences += [detail(rng, section) for _ in range(pick(rng, (0, 0, 1, 2, 3)))]
    words = WORDS | {"org": NAMES[section], "third": outsiders([section])}
    title = expand(rng, pick(rng, titles), words)
    description = expand(rng, pick(rng, DATELINES) + " ".join(sentences), words)
    return [
        Row(
            section, title, damaged(description) if rng.random() < 0.06 else description
        )
    ]


def detail(rng: random.Random, section: int) -> str:
    """Draw another sentence: on the topic, neutral or, rarely, on another topic."""
    other = pick(rng, [number for number in SECTIONS if number != section])
    own, strange = SECTIONS[section].details, SECTIONS[other].details
    return pick(rng, pick(rng, (own,) * 5 + (VAGUE_DETAILS,) * 4 + (strange,)))


def damaged(text: str) -> str:
    """Break a text as careless feed readers do: entities left over, the end cut off."""
    kept = text.replace("'", " #39;").replace('"', " quot;").split()[:-3]
    return " ".join([*kept, "&lt;b&gt;...&lt;/b&gt;"])


# --- Files
# --------------------------------------------------------------------------------------


def unseen(make: Callable[[], list[Row]], seen: set[Bag]) -> list[Row]:
    """Make rows until their bag of words is new in this file and all earlier ones."""
    while True:
        rows = make()
        bags = {bag(row) for row in rows}
        if not bags & seen:
            seen |= bags
            return rows


def make_rows(
    rng: random.Random, size: int, seen: set[Bag], *, held_out: bool
) -> list[Row]:
    """Make a file's rows, half mirrored and half plain, as many of each section."""
    groups = []
    for turn in range(size // 8):  # two mirror pairs and four plain rows a turn
        makers = [
            *(
                partial(mirror_pair, rng, pair, held_out=held_out)
                for pair in PAIRINGS[turn % 3]
            ),
            *(partial(plain_row, rng, section) for section in SECTIONS),
        ]
        groups += [unseen(make, seen) for make in makers]
    # Mirror images stay neighbours: a reader finds them, and a contiguous split keeps
    # them together.
    return [row for group in shuffled(rng, groups) for row in group]


def to_csv(rows: Sequence[Row]) -> bytes:
    """Write rows as AG News does: no header, every field quoted, LF line ends."""
    lines = io.StringIO()
    csv.writer(lines, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return lines.getvalue().encode()


def make_files(seed: int) -> dict[str, bytes]:
    """Make the content of both files.

    The test file comes last, and has no text of the training file.
    """
    rng = random.Random(seed)
    seen: set[Bag] = set()
    return {
        name: to_csv(make_rows(rng, size, seen, held_out=name == "test.csv"))
        for name, size in SIZES.items()
    }


def differs(path: Path, content: bytes) -> bool:
    """Tell whether a file is missing or holds something else."""
    return not path.is_file() or path.read_bytes() != content


def main() -> int:
    """Write the files, or compare them with `--check`; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Write the quick-start data set (see data/README.md)."
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, help="folder of train.csv and test.csv"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=2004,
        help="the files in the repository have the default",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit 1 when the files differ",
    )
    options = parser.parse_args()
    files = {
        options.out / name: content
        for name, content in make_files(options.seed).items()
    }
    if options.check:
        stale = [path for path, content in files.items() if differs(path, content)]
        sys.stderr.writelines(
            f"{path} is not what this script writes\n" for path in stale
        )
        return 1 if stale else 0
    options.out.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        path.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
