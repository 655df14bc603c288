"""The tables of docs/COMPATIBILITY.md."""

from pathlib import Path

from known import KNOWN
from scenarios import CODE_KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "COMPATIBILITY.md"
BEGIN, END = "<!-- tables: begin (UPDATE=1 make test-compat) -->", "<!-- tables: end -->"


def number(rule):
    return KNOWN.index(rule) + 1


def verdict(lines):
    """What became of the message that met the code, in a few words."""
    report = next((line for line in lines if line.startswith("report of 1: ")), "no report")
    code, status = report.removeprefix("report of 1: ").split(", ")[:2]
    word = {"NO_ERROR": "delivered", "_MSG_TIMED_OUT": "times out"}.get(code, "fails")
    # Whether a message was in flight just when its time was up is chance.
    if word == "fails" and status == "possibly persisted":
        word = "fails?"
    if not any(line == "fatal error: none" for line in lines):
        word += ", fatal"
    return word


def tables(named, results, codes, library):
    out = ["", "### Scenarios", "", "| scenario | |", "|---|---|"]
    for r in named:
        # A difference that hangs on chance is told as one, whether it has shown this time or not.
        says = f"different: {number(r.rule)}" if r.rule else "same"
        out.append(f"| {r.scenario.name} | {says} |")

    out += ["", "### Broker error codes", "",
            "What becomes of a message whose partition is answered with the code once, or each time; and of the same with few",
            "`retries`, and with `enable.idempotence`. *fails*: the report bears that code, and the message is not in the log; *fails?*:",
            "it may be; *times out*: tried again until `message.timeout.ms` is over, then `_MSG_TIMED_OUT`; *fatal*: the producer is at its",
            "end. A number is that of the difference below; then what librdkafka does stands after rkafka's. Codes with the same row",
            "share it.", "", f"| codes | {' | '.join(CODE_KINDS)} |", "|---|" + "---|" * len(CODE_KINDS)]
    by_name = {r.scenario.name: r for r in results}
    rows = {}
    for code in codes:
        cells = []
        for kind in CODE_KINDS:
            r = by_name[f"code {code}, {kind}"]
            ours, theirs = verdict(r.ours), verdict(r.theirs)
            if not r.rule:
                cells.append(ours)
            elif ours == theirs:
                cells.append(f"{ours} ({number(r.rule)})")
            else:
                cells.append(f"{ours} / {theirs} ({number(r.rule)})")
        rows.setdefault(tuple(cells), []).append(code)
    for cells, same in rows.items():
        # The many codes that Produce is never answered with go by their numbers.
        names = [f"{code} {library.name_of_code(code).decode()}" for code in same] if len(same) < 20 else spans(same)
        out.append(f"| {', '.join(names)} | {' | '.join(cells)} |")

    out += ["", "### Differences", ""]
    for k in KNOWN:
        out += [f"{number(k)}. **{k.title}.** {k.why}", ""]
    return out


def spans(numbers):
    """1, 2, 3, 7: 1–3, 7"""
    out = []
    for n in numbers:
        if out and n == out[-1][1] + 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return [str(a) if a == b else f"{a}–{b}" for a, b in out]


def check(named, results, codes, library, update):
    """0 if the page has these tables or has been given them, else 1."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    wanted = head + BEGIN + "\n" + "\n".join(tables(named, results, codes, library)) + END + tail
    if text == wanted:
        return 0
    if update:
        PAGE.write_text(wanted, encoding="utf-8")
        print(f"wrote {PAGE.name}")
        return 0
    old, new = next((a, b) for a, b in zip(text.splitlines() + [""], wanted.splitlines() + [""]) if a != b)
    print(f"FAILED: docs/COMPATIBILITY.md is stale; run UPDATE=1 make test-compat\n  is:     {old}\n  should: {new}")
    return 1
