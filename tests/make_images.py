#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pairs of images that look like code of every instruction set: make_images.py FOLDER

Makes FOLDER/NAME.old and NAME.new. Functions of instructions that call, branch and load each other, pairs that make
addresses of RAM and of strings, tables of pointers; the new one has functions longer, shorter, added and in another
order, variables that moved, bytes that changed. Every form of slow_isa.py occurs. The same bytes every time.
"""
import pathlib
import random
import sys

import slow_isa
from slow_isa import (A32, AARCH64, ARC, AVR, BA2, BRANCH, BRANCH2, CALL, HEXAGON, JUMP, LOW, LITERAL, MCS51, MIPS, MIPS16, MIPS_BE, NDS32, PAIR, PAIR2, POWERPC,
                      POWERPC_LE, RISCV32, RAM, RISCV64, TC32, THUMB, VIDEOCORE, X86, X86_64, XTENSA, XTENSA_CALL0)

# Name, set, load address, RAM, bytes of a pointer, sizes of what is no reference.
IMAGES = [  # the name is that of kerf-diff's --isa
    ("thumb", THUMB, 0x08004000, 0x20000000, 4, (2, 2, 2, 4)),
    ("a32", A32, 0x00100000, 0x40000000, 4, (4,)),
    ("aarch64", AARCH64, 0x40080000, 0x40800000, 8, (4,)),
    ("xtensa-call0", XTENSA_CALL0, 0x40210000, 0x3ffe8000, 4, (3, 3, 2)),
    ("xtensa", XTENSA, 0x400d0020, 0x3ffb0000, 4, (3, 3, 2)),
    ("riscv32", RISCV32, 0x42000020, 0x3fc80000, 4, (2, 4)),
    ("riscv64", RISCV64, 0x80000000, 0x80100000, 8, (2, 4)),
    ("x86", X86, 0xc0100000, 0xc0400000, 4, (1, 2, 3, 5)),
    ("x86-64", X86_64, 0x400000, 0x600000, 8, (1, 3, 4, 7)),
    ("avr", AVR, 0, 0x800200, 2, (2,)),
    ("mips32le", MIPS, 0x80001000, 0x80100000, 4, (4,)),
    ("mips32be", MIPS_BE, 0x80001000, 0x80100000, 4, (4,)),
    ("powerpc", POWERPC, 0xfff00000, 0x00100000, 4, (4,)),
    ("powerpc64le", POWERPC_LE, 0x20000000, 0x20100000, 8, (4,)),
    ("nds32", NDS32, 0xe0008000, 0x02000000, 4, (2, 4)),
    ("mips16", MIPS16, 0x80004000, 0x80080000, 4, (2, 2, 4)),
    ("ba2", BA2, 0x00080000, 0x04000000, 4, (2, 3, 4, 6)),
    ("8051", MCS51, 0x00027800, 0x00800200, 2, (1, 2, 3)),
    ("tc32", TC32, 0x00008000, 0x00840000, 4, (2, 2, 2, 4)),
    ("hexagon", HEXAGON, 0x4b200000, 0xb0300000, 4, (4,)),
    ("arc", ARC, 0x00404000, 0x00800000, 4, (2, 2, 4)),
    ("videocore4", VIDEOCORE, 0x0ec02800, 0x0edf0000, 4, (2, 4, 6)),
]
FUNCTIONS = 70
VARIABLES = 40
STRINGS = 8


class Item:
    """Some bytes whose length is known and whose content is when all addresses are."""

    def __init__(self, length, make):
        self.length, self.make = length, make  # make(symbols, own address) -> bytes


class Maker:
    """Makes the items of one instruction set."""

    def __init__(self, name, isa, base, pointer, sizes):
        self.isa, self.base, self.pointer = isa, base, pointer
        self.random = random.Random(name)
        self.order = "big" if isa in (MIPS_BE, POWERPC, BA2) else "little"
        self.code_order = "big" if isa == NDS32 else self.order
        self.words = [self.random.randbytes(self.random.choice(sizes)) for _ in range(40)]

    def plain(self):
        data = self.random.choice(self.words)
        return Item(len(data), lambda symbols, at: data)

    def insn(self, form, fixed=0, free=0xffffffff):
        """Bytes of the form: its match, the bits of `fixed`, and noise in those of `free`."""
        number = self.random.getrandbits(32) & free & ~form.mask | fixed
        if form.mask != 0 or form.match != 1:
            number = number & ~form.mask | form.match
        if form.also is not None and not form.also(number):
            number &= ~0xfc0  # conditions: EQ
        number &= (1 << 8 * form.length) - 1
        if self.isa == BA2:
            return slow_isa.mirrored(number.to_bytes(form.length, "little"))
        return number.to_bytes(form.length, self.code_order)

    def put(self, form, data, name, minus=None):
        """An item: data with the address of `name` written into it, less that of the symbol `minus`."""
        def make(symbols, at):
            target = symbols[name] - (symbols[minus] if minus else 0)
            return form.put(data, at, target % (1 << 64), 64)
        return Item(len(data), make)

    def reference(self, function, near):
        """A random form, to a function or, if it does not reach far, to `near`."""
        r = self.random
        if self.isa in (X86, X86_64):
            return [self.x86(function, near)]
        kinds = (CALL, JUMP, BRANCH, BRANCH2, LITERAL, PAIR2)
        form = r.choice([form for form in slow_isa.FORMS[self.isa] if form.kind in kinds])
        if self.isa == MCS51 and form.kind == LITERAL:
            return self.far_table(function)
        data = self.insn(form, 0x4000 if self.isa == HEXAGON else 0)
        return [self.put(form, data, function if form.kind in (CALL, JUMP, PAIR2) else near)]

    def far_table(self, function):
        """Calls of one function, with an address behind each."""
        call, far = slow_isa.MCS51_FORMS[1], slow_isa.MCS51_FORMS[15]
        return [item for name in (function, "f0", function, "f1")
                for item in (self.put(call, bytes([0x12, 0, 0]), "f2"), self.put(far, bytes(3), name))]

    def x86(self, function, near):
        r = self.random
        form = slow_isa.X86Form
        data, kind, behind = r.choice([
            (b"\xe8", CALL, 0), (b"\xe9", JUMP, 0), (b"\x0f\x84", BRANCH, 0), (b"\x8b\x05", PAIR2, 0),
            (b"\x8d\x3d", PAIR2, 0), (b"\x80\x3d", PAIR2, 1), (b"\xc7\x05", PAIR2, 4), (b"\x0f\xb6\x05", PAIR2, 0)])
        absolute = self.isa == X86 and kind == PAIR2
        body = data + bytes(4) + r.randbytes(behind)
        put = self.put(form(len(data), behind, absolute), body, near if kind == BRANCH else function)
        if self.isa == X86 and r.random() < 0.3:
            put = self.put(form(1, 0, True), r.choice([b"\x68", b"\xb8", b"\xa1"]) + bytes(4), function)
        return put

    def pair(self, name):
        """A first half and its second halves, with something between."""
        forms, reg = slow_isa.FORMS.get(self.isa, []), self.random.randrange(1, 13)
        first = [form for form in forms if form.kind == PAIR]
        if self.isa == BA2:
            form = self.random.choice([form for form in forms if form.kind == RAM])
            return [self.put(form, self.insn(form), name)]
        if self.isa == VIDEOCORE:
            form = self.random.choice([form for form in forms if form.kind == RAM])
            return [self.put(form, self.insn(form), name, "ram")]
        if not first:
            return []
        return {THUMB: self.pair_thumb, A32: self.pair_a32, AARCH64: self.pair_aarch64, RISCV32: self.pair_riscv,
                RISCV64: self.pair_riscv, AVR: self.pair_avr, MIPS: self.pair_mips,
                MIPS_BE: self.pair_mips, POWERPC: self.pair_powerpc, POWERPC_LE: self.pair_powerpc,
                NDS32: self.pair_nds32, MCS51: self.pair_mcs51, HEXAGON: self.pair_hexagon}[self.isa](name, forms, reg)

    def between(self):
        return [self.plain()] if self.random.random() < 0.4 else []

    def whole(self, number):
        return number.to_bytes(4, self.code_order)

    def pair_thumb(self, name, forms, reg):
        first = self.put(forms[8], self.whole(0xf240 | reg << 24), name)
        return [first, *self.between(), self.put(forms[9], self.whole(0xf2c0 | reg << 24), name)]

    def pair_a32(self, name, forms, reg):
        first = self.put(forms[7], self.whole(0xe3000000 | reg << 12), name)
        return [first, *self.between(), self.put(forms[8], self.whole(0xe3400000 | reg << 12), name)]

    def pair_aarch64(self, name, forms, reg):
        add = self.put(forms[8], self.whole(0x91000000 | reg << 5 | reg), name)
        load = self.put(forms[8], self.whole(0xf9400000 | reg << 5 | 14), name)
        seconds = self.random.choice([[add], [load], [load, *self.between(), add], []])
        return [self.put(forms[0], self.whole(0x90000000 | reg), name), *self.between(), *seconds]

    def pair_riscv(self, name, forms, reg):
        upper = self.random.choice([0, 1])
        where = f"pc{self.random.getrandbits(64)}" if upper == 0 else None
        data = self.whole((0x17, 0x37)[upper] | reg << 7)
        first = self.put(forms[upper], data, name)
        if where:
            inner = first

            def make(symbols, at):
                symbols[where] = at
                return inner.make(symbols, at)
            first = Item(4, make)
        load = self.put(forms[7], self.whole(0x2003 | reg << 15 | 14 << 7), name, where)
        store = self.put(forms[8], self.whole(0x2023 | reg << 15 | 13 << 20), name, where)
        add = self.put(forms[7], self.whole(0x13 | reg << 15 | reg << 7), name, where)
        return [first, *self.between(), *self.random.choice([[add], [load], [load, store], [store, add]])]

    def pair_avr(self, name, forms, reg):
        first = self.put(forms[5], (0xe000 | reg << 4).to_bytes(2, "little"), name)
        second = self.put(forms[6], (0xe000 | (reg + 1) << 4).to_bytes(2, "little"), name)
        lds = self.put(forms[2], (0x9000 | reg << 4).to_bytes(4, "little"), name)
        return self.random.choice([[first, second], [first, *self.between(), second], [lds]])

    def pair_mips(self, name, forms, reg):
        add = self.put(forms[6], self.whole(9 << 26 | reg << 21 | reg << 16), name)
        load = self.put(forms[6], self.whole(35 << 26 | reg << 21 | 14 << 16), name)
        seconds = self.random.choice([[add], [load], [load, *self.between(), add]])
        return [self.put(forms[0], self.whole(15 << 26 | reg << 16), name), *self.between(), *seconds]

    def pair_powerpc(self, name, forms, reg):
        add = self.put(forms[4], self.whole(14 << 26 | reg << 21 | reg << 16), name)
        load = self.put(forms[5], self.whole(32 << 26 | 14 << 21 | reg << 16), name)
        float_load = self.put(forms[6], self.whole(50 << 26 | 14 << 21 | reg << 16), name)
        long_load = self.put(forms[7], self.whole(58 << 26 | 14 << 21 | reg << 16), name)
        seconds = self.random.choice([[add], [load], [float_load, *self.between(), add], [long_load]])
        upper = self.random.choice([0, 0, 2]) << 16
        return [self.put(forms[3], self.whole(15 << 26 | reg << 21 | upper), name), *self.between(), *seconds]

    def pair_mcs51(self, name, forms, reg):
        if self.random.random() < 0.5:
            return [self.put(forms[4], bytes([0x90, 0, 0]), name)]
        low, high = bytes([0x78 + reg % 7, 0]), bytes([0x79 + reg % 7, 0])
        return [self.put(forms[5], low, name), *self.between(), self.put(forms[6], high, name)]

    def pair_nds32(self, name, forms, reg):
        low, load = self.random.choice([(7, 0x58), (8, 0x50)]), self.random.choice([(12, 0x00), (12, 0x10), (13, 0x20)])
        add = self.put(forms[low[0]], self.whole(low[1] << 24 | reg << 20 | reg << 15), name)
        byte = self.put(forms[load[0]], self.whole(load[1] << 24 | 14 << 20 | reg << 15), name)
        word = self.put(forms[9], self.whole(0x04 << 24 | 14 << 20 | reg << 15), name)
        seconds = self.random.choice([[add], [byte], [byte, *self.between(), add], [word]])
        return [self.put(forms[6], self.whole(0x46 << 24 | reg << 20), name), *self.between(), *seconds]

    def pair_hexagon(self, name, forms, reg):
        low = self.random.choice([form for form in forms if form.kind == LOW])
        data = self.whole(0x78004000 | reg) if low is forms[-1] else self.insn(low, 0 if low is forms[1] else 0x4000)
        return [self.put(forms[2], self.insn(forms[2], 0x4000), name), self.put(low, data, name)]

    def pointer_to(self, name):
        length = self.pointer
        odd = 1 if self.isa in (THUMB, MIPS16, TC32) and name.startswith("f") else 0
        shift = 1 if self.isa == AVR else 0

        def make(symbols, at):
            return ((symbols[name] >> shift) + odd & (1 << 8 * length) - 1).to_bytes(length, self.order)
        return Item(length, make)

    def function(self, own):
        items = []
        for _ in range(self.random.randrange(6, 22)):
            what = self.random.random()
            other = f"f{self.random.randrange(FUNCTIONS)}"
            if what < 0.55:
                items.append(self.plain())
            elif what < 0.85:
                items += self.reference(other, own)
            else:
                variable, string = f"v{self.random.randrange(VARIABLES)}", f"s{self.random.randrange(STRINGS)}"
                items += self.pair(self.random.choice([variable, string]))
        return items


def layout(maker, functions, table, strings, variables, step):
    """The bytes: functions, padding, pointers, strings."""
    symbols, at, placed = dict(variables, ram=variables["v0"]), maker.base, []

    def place(items):
        nonlocal at
        for item in items:
            placed.append((item, at))
            at += item.length

    def align(unit):
        pad = bytes(-at % unit)
        place([Item(len(pad), lambda symbols, at, pad=pad: pad)])

    for name, items in functions:
        align(step)
        symbols[name] = at
        place(items)
    align(8)
    place(table)
    for name, text in strings:
        symbols[name] = at
        place([Item(len(text), lambda symbols, at, text=text: text)])
    return b"".join(item.make(symbols, where) for item, where in placed)


def changed(maker, functions):
    """Functions of the next release."""
    new = [(name, list(items)) for name, items in functions]
    for index, count in ((4, 3), (23, 1), (51, 7)):
        new[index][1][2:2] = [maker.plain() for _ in range(count)]
    del new[37][1][1:4]
    new[9], new[10] = new[10], new[9]
    new.insert(18, ("f70", maker.function("f70")))
    new.insert(60, ("f71", maker.function("f71")))
    for index in (13, 29, 44):
        new[index][1][-1] = maker.plain()
    return new


def make(name, isa, base, ram, pointer, sizes):
    maker = Maker(name, isa, base, pointer, sizes)
    step = 4 if isa in (*slow_isa.WORDS_OF_4, XTENSA, XTENSA_CALL0) else 2 if min(sizes) == 2 else 1
    functions = [(f"f{i}", maker.function(f"f{i}")) for i in range(FUNCTIONS)]
    pick = maker.random.randrange
    table = [maker.pointer_to(f"f{pick(FUNCTIONS)}" if pick(3) else f"v{pick(VARIABLES)}") for _ in range(96)]
    strings = [(f"s{i}", b"%s says %d: %s\0" % (name.encode(), i, b"what a string " * (i % 3))) for i in range(STRINGS)]
    old_ram = {f"v{i}": ram + 12 * i for i in range(VARIABLES)}
    new_ram = {f"v{i}": ram + 12 * i + (28 if i > 17 else 0) for i in range(VARIABLES)}
    new_strings = strings[:3] + [("s8", b"one more\0")] + strings[3:]
    old = layout(maker, functions, table, strings, old_ram, step)
    new = layout(maker, changed(maker, functions), table + [maker.pointer_to("f70")], new_strings, new_ram, step)
    return old, new


def types(release):
    """Type records of Linux with their header and names; the second release has more of both."""
    rnd = random.Random("types")
    gone = random.Random("gone") if release == 1 else None
    names, at, records, number = b"\0", {}, b"", {0: 0}
    for index in range(1, 700):
        kind, count = rnd.choice([1, 2, 2, 3, 4, 4, 5, 6, 8, 10, 12, 13, 14, 15, 16, 19]), rnd.randrange(5)
        layout, more = slow_isa.LAYOUTS[kind]
        length = count * len(layout) if more is None else more
        picks = [(rnd.randrange(400), rnd.randrange(index), rnd.getrandbits(rnd.choice([3, 9, 31])))
                 for _ in range(length + 2)]
        if gone and gone.random() < 0.02:
            continue
        number[index] = len(number)
        words = []
        for left, (name, other, value) in zip(range(length + 1, -1, -1), picks):
            text = f"name{name}"
            if text not in at:
                at[text] = len(names)
                names += text.encode() + b"\0"
            what = layout[left % len(layout)] if left > 0 else None
            if left == length + 1:
                words += [at[text], kind << 24 | (count if more is None else 0)]
            if left == length:
                words.append(number.get(other, 1) if layout in (slow_isa.A, slow_isa.B) and more is not None else 8)
            elif left < length:
                words.append(value)
            if left < length and layout[(left + 1) % len(layout)] is slow_isa.NAME:
                words[-1] = at[text]
            elif left < length and layout[(left + 1) % len(layout)] is slow_isa.TYPE:
                words[-1] = number.get(other, 1)
        records += b"".join(word.to_bytes(4, "little") for word in words)
    header = b"\x9f\xeb\x01\0" + b"".join(
        n.to_bytes(4, "little") for n in (24, 0, len(records), len(records), len(names)))
    return header + records + names + bytes(-len(names) % 4)


def make_types():
    """Code with type records between."""
    old, new = make(*next(image for image in IMAGES if image[0] == "aarch64"))
    cut = len(old) // 8 * 4
    return old[:cut] + types(1) + old[cut:], new[:cut] + types(2) + new[cut:]


def word(value, length=4):
    return (value % (1 << 8 * length)).to_bytes(length, "little")


def elf(seed, release):
    """A file of 64 bits: functions, pointers and relocations to them, the tables by which they are unwound."""
    dice = random.Random(seed)
    lengths = [4 * dice.randrange(4, 40) for _ in range(60)]
    for i in range(5, 60, 17 if release > 1 else 60):
        lengths[i] += 8
    starts = [0x1000 + sum(lengths[:i]) for i in range(60)]
    code = b"".join(word(0xd503201f + dice.randrange(1 << 20) * 32) for _ in range(sum(lengths) // 4))
    code = code.ljust((len(code) + 7) // 8 * 8, b"\0")
    table_at = 0x1000 + len(code)
    frames_at = table_at + 12 + 8 * 60
    frames_at += -frames_at % 8
    frames = word(20) + word(0) + bytes(16)
    entries = b""
    for start, length in zip(starts, lengths):
        at = frames_at + len(frames)
        entries += word(start - table_at) + word(at - table_at)
        frames += word(20) + word(at + 4 - frames_at) + word(start - at - 8) + word(length) + bytes(8)
    table = (word(0x3b031b01) + word(frames_at - table_at - 4) + word(60) + entries).ljust(frames_at - table_at, b"\0")
    data_at = frames_at + len(frames) + 0x10000
    targets = [dice.choice(starts) for _ in range(40)]
    data = b"".join(word(target, 8) for target in targets) + b"".join(
        word(data_at + 8 * i, 8) + word(0x403, 8) + word(target, 8) for i, target in enumerate(targets))
    body = code + table + frames + data
    head = bytes.fromhex("7f454c460201010000000000000000000300b70001000000") + bytes(16) + word(0x1000 + len(body), 8)
    return head.ljust(60, b"\0") + bytes(0x1000 - 60) + body


def make_files():
    """An archive of ELF files whose places move."""
    return tuple(b"".join(b"name %d" % i + bytes(4 * (i + release) + 58) + elf(i, release) for i in range(3))
                 for release in (1, 2))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_images.py FOLDER")
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for image in IMAGES:
        old, new = make(*image)
        (folder / f"{image[0]}.old").write_bytes(old)
        (folder / f"{image[0]}.new").write_bytes(new)


if __name__ == "__main__":
    main()
