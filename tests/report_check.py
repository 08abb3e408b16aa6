#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is a page of kerf-diff report what it should be? report_check.py PAGE JSON [NAME ...]

PAGE: well-formed, complete in itself, its tables add up to the delta's size, the data of its picture too; JSON: what --json printed
for the same pair. Each NAME must be in the table of symbols. Says what is wrong, and exits with 1 then.
"""
import html.parser
import json
import re
import sys

VOID = {"meta", "br", "hr", "img", "input", "link"}
# What makes a browser fetch something.
FETCHING = {"src", "srcset", "href", "xlink:href", "action", "formaction", "poster", "data", "background", "ping"}
problems = []


def complain(text):
    problems.append(text)


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.tables, self.raw = [], set(), {}, {}
        self.table = self.row = self.cell = None
        self.headings, self.elements = [], 0

    def handle_starttag(self, tag, attrs):
        self.elements += 1
        attributes = dict(attrs)
        if len(attributes) != len(attrs):
            complain(f"<{tag}> has an attribute twice")
        for name in FETCHING & set(attributes):
            if not (tag == "path" or (attributes[name] or "").startswith("#")):
                complain(f"<{tag} {name}={attributes[name]!r}> refers to something outside")
        if any(name.startswith("on") for name in attributes):
            complain(f"<{tag}> has an inline handler")
        if "id" in attributes:
            if attributes["id"] in self.ids:
                complain(f"id {attributes['id']} is there twice")
            self.ids.add(attributes["id"])
        if tag == "table":
            self.table = self.tables.setdefault(attributes.get("id"), [])
        elif tag == "tr":
            self.row = []
        elif tag in ("td", "th"):
            self.cell = [attributes.get("data-v"), ""]
        elif tag in ("script", "style"):
            self.raw[tag, attributes.get("id")] = ""
            self.current = (tag, attributes.get("id"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            complain(f"</{tag}> at line {self.getpos()[0]} closes <{self.open[-1] if self.open else 'nothing'}>")
            return
        self.open.pop()
        if tag in ("td", "th") and self.row is not None:
            self.row.append(self.cell)
            self.cell = None
        elif tag == "tr" and self.table is not None:
            self.table.append(self.row)
            self.row = None
        elif tag == "table":
            self.table = None

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw[self.current] += data
        elif self.cell is not None:
            self.cell[1] += data
        elif self.open and self.open[-1] in ("h1", "h2", "title"):
            self.headings.append(data)


def near(a, b, what, slack=0.5):
    if abs(a - b) > slack:
        complain(f"{what}: {a} is not {b}")


def column(table, title):
    return [cell[1] for cell in table[0]].index(title)


def check_regions(page, report, placed):
    """A row for each region of the delta, and one for the bytes outside of them."""
    rows = page.tables.get("t-regions", [[]])[1:]
    if len(rows) != len(report["regions"]) + (len(report["regions"]) > 0):
        complain(f"{len(rows)} rows for {len(report['regions'])} regions")
        return
    for row, region in zip(rows, report["regions"]):
        place = f"0x{region['new_pos']:x}+0x{region['new_len']:x}"
        if row[0][1] != place or row[3][1] != region["isa"].replace("none", "data"):
            complain(f"region {place} of {region['isa']}: {row[0][1]} of {row[3][1]}")
        if not row[1][1].startswith((f"0x{region['new_addr']:08x}", "unknown")):
            complain(f"region {place} is loaded at {row[1][1]}")
        near(float(row[4][0]), region["cost"], f"cost of {place}", 0.01)
    if rows:
        near(sum(float(row[4][0]) for row in rows[:-1]) + float(rows[-1][1][0]), placed, "sum of regions")


def check_tables(page, report):
    size = report["delta_size"]
    parts = page.tables["t-parts"]
    near(sum(float(row[1][0]) for row in parts[1:-1]), size, "sum of parts")
    near(float(parts[-1][1][0]), size, "total of parts")
    coded = sum(report["part_bytes"].values())
    rest = size - report["header_size"] - report["chain_size"] - coded
    if not -8 < rest < 8:
        complain(f"{rest} bytes are in no part")
    if sum(report["origin_bytes"].values()) != report["new_size"]:
        complain("origins do not add up to new")
    placed = coded - report["part_bytes"]["map"]
    if "sections" in report:
        near(sum(item["cost"] for item in report["sections"]), placed, "sum of sections in JSON", 0.1)
        near(sum(float(row[4][0]) for row in page.tables["t-sections"][1:]), placed, "sum of sections")
        names = [row[0][1] for row in page.tables["t-symbols"][1:]]
        for item in sorted(report["symbols"], key=lambda item: -item["cost"])[:10]:
            if item["name"] not in names:
                complain(f"{item['name']}, one of the costliest symbols, is not in the table")
    elif "t-symbols" in page.tables:
        complain("a table of symbols without symbols")
    places = page.tables.get("t-places", [[]])
    costs = [float(row[column(places, "cost")][0]) for row in places[1:]]
    if costs != sorted(costs, reverse=True) or len(costs) != len(report["places"]):
        complain("the table of places is not in order")
    return placed


def check_profiles(page, report):
    rows = page.tables.get("t-profiles", [[]])[1:]
    if len(rows) != len(report["profiles"]):
        complain("profiles of page and JSON differ")
    for row, profile in zip(rows, report["profiles"]):
        if profile["fits"] and int(row[1][1]) != profile["delta_size"]:
            complain(f"profile of {profile['ram']}: {row[1][1]} is not {profile['delta_size']}")
        if profile["fits"] and profile["workspace"] > profile["ram"]:
            complain(f"profile of {profile['ram']} takes more: {profile['workspace']}")


def check_ribbons(text, report):
    """Each ribbon goes from inside of old to inside of new."""
    for match in re.finditer(r"<title>old 0x(\w+)\.\.0x(\w+) to new 0x(\w+)\.\.0x(\w+)", text):
        old_from, old_to, new_from, new_to = (int(group, 16) for group in match.groups())
        if not (old_from < old_to <= report["old_size"] and new_from < new_to <= report["new_size"]):
            complain(f"a ribbon leads outside of the images: {match.group()}")


def check_data(page, report, placed):
    data = json.loads(page.raw["script", "data"])
    origins, costs, length = [0] * 5, 0, 0
    for i, block in enumerate(data["blocks"]):
        size = min(data["block"], data["new_len"] - i * data["block"])
        block = block or [size, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        length += size
        if len(block) != 11 or sum(block[:5]) != size:
            complain(f"block {i}: {block} is not {size} bytes")
        origins = [a + b for a, b in zip(origins, block[:5])]
        costs += sum(block[5:]) / 10
    if length != report["new_size"]:
        complain(f"blocks are of {length} bytes, new has {report['new_size']}")
    if origins != [report["origin_bytes"][k] for k in ("old", "references", "changed", "new", "literals")]:
        complain(f"origins of the blocks: {origins}")
    near(costs, placed, "cost of all blocks", 2 + 0.4 * len(data["blocks"]))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    with open(sys.argv[2], encoding="utf-8") as file:
        report = json.load(file)
    page = Page()
    page.feed(text)
    page.close()
    if page.open:
        complain(f"not closed: {page.open}")
    for pattern in (r"https?:", r"url\(", r"@import", r"<link", r"//[a-z]+\.[a-z]"):
        for match in re.finditer(pattern, text):
            complain(f"refers to something outside: {text[match.start():match.start() + 40]!r}")
    if "default-src 'none'" not in text:
        complain("no policy that forbids to fetch")
    if len(text) > 1_000_000:
        complain(f"{len(text)} bytes are too many for a page")
    placed = check_tables(page, report)
    check_regions(page, report, placed)
    check_profiles(page, report)
    check_ribbons(text, report)
    check_data(page, report, placed)
    names = {row[0][1] for row in page.tables.get("t-symbols", [])}
    for name in sys.argv[3:]:
        if name not in names:
            complain(f"no symbol '{name}' in the table")
    for problem in problems:
        print(f"{sys.argv[1]}: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
