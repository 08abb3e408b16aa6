#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns a text file of seeds into a folder of inputs: make_seeds.py SEEDS.txt FOLDER

One seed a line; blank lines and lines that begin with # are skipped:
    x 4b 52 46 00     bytes in hexadecimal
    t {"a": 1}\\n     text, with the escapes of a Python bytes literal
    r 4b52*100        hexadecimal, repeated
"""
import pathlib
import sys


def decode(line, where):
    kind, _, rest = line.partition(" ")
    try:
        if kind == "x":
            return bytes.fromhex(rest)
        if kind == "t":
            return rest.encode().decode("unicode_escape").encode("latin-1")
        if kind == "r":
            unit, _, count = rest.partition("*")
            return bytes.fromhex(unit) * int(count)
    except ValueError as error:
        sys.exit(f"{where}: {error}")
    sys.exit(f"{where}: a seed begins with x, t or r and a blank")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: make_seeds.py SEEDS.txt FOLDER")
    source, folder = map(pathlib.Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("seed-*"):
        old.unlink()
    for number, line in enumerate(source.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            seed = decode(line, f"{source}:{number}")
            (folder / f"seed-{number:04}").write_bytes(seed)


main()
