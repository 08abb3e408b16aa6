#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deltas that use all the format allows, and that no generator would make: make_deltas.py FOLDER [COUNT]

Makes FOLDER/N.old, N.krf and N.new. The slow decoder decodes a payload that doesn't exist: each decision is made up and
range-coded. So sources, lengths, references right, wrong and given up, corrections, maps, wide containers, regions in
any order with any kinds, and all sizes of tables come up, valid all. The same bytes every time.
"""
import hashlib
import pathlib
import random
import sys

import make_images
import slow_decoder
import slow_isa
from slow_decoder import DIGEST, NATIVE, Decisions, Native

COUNT = 62
TABLE_CODES = {60: 48, 61: 63}  # of deltas with larger byte tables than others: of 65536 counters, and the largest


def fold(d):
    return 2 * d if d >= 0 else -2 * d - 1


class Choices(Decisions):
    """Decisions made up; `payload` says them when all are made."""

    def __init__(self, rnd):
        super().__init__(b"")
        self.random, self.forced = rnd, []
        self.low, self.shifts, self.native = 0, 0, None

    def next_byte(self):
        return 0

    def decide(self, p):
        if self.forced:
            bit = self.forced.pop(0)
        else:
            bit = int(self.random.random() < 0.1 + 0.8 * p / 65536)
        while self.range < 1 << 24:
            self.range <<= 8
            self.low <<= 8
            self.shifts += 1
        bound = (self.range >> 16) * p + (((self.range & 0xffff) * p) >> 16)
        if bit:
            self.range = bound
        else:
            self.low, self.range = self.low + bound, self.range - bound
        return bit

    def finish(self):
        """The payload: of all numbers in the range one that ends in zeros, of which four need not be said."""
        zeros = next(n for n in range(32, -1, -8) if (self.low + self.range - 1) >> n << n >= self.low)
        data = ((self.low + self.range - 1) >> zeros << zeros).to_bytes(self.shifts, "big")
        said = len(data)
        while said > max(len(data) - 4, 0) and data[said - 1] == 0:
            said -= 1
        return data[:said]

    def say(self, context, value, *how):
        y = value + 1
        b = y.bit_length() - 1
        tree = context.bits.bit_length() - 1
        self.forced = [b >> i & 1 for i in range(tree - 1, -1, -1)] + [y >> i & 1 for i in range(b - 1, -1, -1)]
        said = super().number(context, *how)
        assert said == value and not self.forced
        return said

    def signed(self):
        """A signed number, folded."""
        r = self.random
        d = r.choice([0, 4, -4, 8, 24, -100, 3, -1, 1, r.randrange(-5000, 5000), r.randrange(-1 << 30, 1 << 30)])
        if self.native.header.wide and r.random() < 0.1:
            d = r.randrange(-1 << 62, 1 << 62)
        return fold(d)

    def number(self, context, *how):
        """Those that the slow decoder asks for itself: how a reference is corrected."""
        assert context is self.native.tables.numbers["fix"]
        return self.say(context, self.random.choice([0, 1, 1 + self.signed(), 1 + self.signed()]), *how)


class Composer(Native):
    """Decodes what it makes up."""

    def __init__(self, header, old, rnd):
        super().__init__(header, old, b"")
        self.dec = self.refs.dec = Choices(rnd)
        self.dec.native = self
        self.pending_from_new, self.src_pos = 0, 0  # the source of the segment that begins
        self.distances = []  # what number(distance) will say
        self.after_number = []  # and the bit after it
        if header.in_place:
            self.runs = self.make_runs(rnd)
            for _ in range(header.kept):  # None: a sector is made to hold old
                self.runs.insert(rnd.randrange(len(self.runs)), None)
            self.keeping = False

    def make_runs(self, rnd):
        """(start, length) of runs of sectors; some are as the format expects them."""
        runs, left = [], set(range(self.sector_count))
        start, length = self.sector_count, self.sector_count
        while left:
            n = min(length, start)
            if n == 0 or rnd.random() < 0.4 or not left.issuperset(range(start - n, start)):
                first = rnd.choice(sorted(left))
                n = 1
                while first + n in left and n < 6 and rnd.random() < 0.7:
                    n += 1
                start = first + n
            start, length = start - n, n
            left -= set(range(start, start + n))
            runs.append((start, n))
        return runs

    def keep_is_next(self):
        self.dec.forced = [int(self.runs[0] is None)]
        return super().keep_is_next()

    def keep(self):
        self.runs.pop(0)
        self.distances = [self.dec.random.choice([k for k in range(self.sectors()) if k not in self.produced])]
        self.keeping = True
        super().keep()
        self.keeping = False

    def move(self, start, content):
        self.src_pos, self.pending_from_new = self.dec.random.randrange(len(self.old)), 0
        super().move(start, content)

    def begin_run(self):
        start, n = self.runs.pop(0)
        below = start + n == self.first
        same = below and n == min(self.run_length, self.first)
        self.dec.forced = [int(not same)]
        self.distances = [] if same else [n - 1] if below else [n - 1, start + n]
        self.after_number = [] if same else [int(not below)]
        super().begin_run()

    def number(self, context):
        dec, left = self.dec, self.new_end - self.new_pos
        if context == "gap":
            few = dec.random.choice([0, 0, 1, 3, 9])
            value = left if dec.random.random() < 0.02 else min(left, few)
        elif context.endswith("length"):
            value = min(left, self.source_left(), dec.random.choice([1, 2, 3, 4, 5, 30, 90, 300])) - 1
        elif context == "jump":
            value = fold(self.src_pos - self.old_end)
        elif context == "map_start":
            value = dec.random.choice([0, 1, 5, 40, 200])
        elif context == "map_shift":
            value = dec.signed()
        else:
            value = self.distances.pop(0)
        said = dec.say(self.tables.numbers[context], value, *self.how(context))
        dec.forced, self.after_number = self.after_number, []
        return said

    def length(self, context, which, least):
        if self.header.in_place:
            fits = self.source_left() >= self.new_end - self.new_pos if which else True
            ends = self.keeping and (self.dec.random.random() < 0.2 or len(self.moves) == self.header.moves_cap)
            self.dec.forced = [int(fits and (self.dec.random.random() < 0.1 or (ends and not which)))]
        return super().length(context, which, least)

    def source_left(self):
        """Bytes that the source of the segment in progress has."""
        if not self.pending_from_new:
            return len(self.old) - self.src_pos
        if self.src_pos < self.new_pos and self.there(self.src_pos):
            end = self.src_pos
            while end < self.new_pos and self.there(end):
                end += 1
            return end - self.src_pos if end < self.new_pos else self.header.new_size
        end = self.src_pos
        while end < self.header.new_size and self.there(end):
            end += 1
        return end - self.src_pos

    def far_in_new(self, context):
        below = self.new_pos - self.run_start
        distance = self.new_pos - 1 - self.src_pos
        if not 0 <= distance < below:
            distance = below + (self.src_pos - self.new_end) % self.header.new_size
        self.distances = [distance]
        return super().far_in_new(context)

    def segment(self, gap):
        if self.header.reads_new:
            # A segment from new needs some new.
            some = any(self.there(i) for i in range(self.header.new_size))
            self.dec.forced = [int(some and self.dec.random.random() < 0.4)]
        return super().segment(gap)

    def jump(self, from_new, gap):
        new_pos, recent, rnd = self.new_pos, self.recent[from_new], self.dec.random
        sources = {0: recent[0], 1: self.map_distance(new_pos), 3: recent[1], 4: recent[2], 5: recent[3]}
        sources = {j: (new_pos + d) & self.mask for j, d in sources.items()}
        if from_new:
            there = [i for i in range(self.header.new_size) if self.there(i)]
            sources = {j: pos for j, pos in sources.items() if pos in there}
            sources[2] = rnd.choice(there)
        else:
            sources = {j: pos for j, pos in sources.items() if pos < len(self.old)}
            sources[2] = rnd.randrange(len(self.old))
        j = rnd.choice(list(sources))
        self.src_pos, self.pending_from_new = sources[j], from_new
        self.dec.forced = [1] * j + [0] * (j < 5)
        return super().jump(from_new, gap)


class Writer:
    """The fields of the header; those of slow_decoder.Plain."""

    def __init__(self, bits):
        self.data, self.bits = b"", bits

    def u8(self, value):
        self.data += bytes([value])

    def u(self, length, value):
        self.data += value.to_bytes(length, "little")

    def position(self, value):
        self.u(self.bits // 8, value % (1 << self.bits))

    def packed(self):
        """What was written so far, as slow_decoder.Reader.packed() reads it; and nothing is left."""
        packed = b""
        for at in range(0, len(self.data), 8):
            group = self.data[at:at + 8]
            packed += bytes([sum(1 << i for i, byte in enumerate(group) if byte)]) + bytes(byte for byte in group if byte)
        self.data = b""
        return packed


class Plan:
    """What the header will say; the same names as in slow_decoder.Header."""

    codec = NATIVE

    def __init__(self, rnd, table_code):
        name, isa, base, ram, _, _ = rnd.choice(make_images.IMAGES)
        self.old = make_images.make(*next(i for i in make_images.IMAGES if i[0] == name))[0]
        if rnd.random() < 0.1:
            self.old = rnd.randbytes(rnd.choice([1, 33, 3000]))
        self.wide = rnd.random() < 0.25
        self.bits = 64 if self.wide else 32
        self.reads_new = rnd.random() < 0.6
        self.old_size, self.new_size = len(self.old), rnd.choice([1, 70, 1500, 2500])
        self.in_place = rnd.random() < 0.3
        self.sector_log2, self.group = rnd.choice([4, 6, 8, 9, 12]), rnd.choice([1, 1, 2, 3])
        self.scratch = self.group + rnd.randrange(3)
        self.kept = rnd.choice([0, 1, 4]) if self.in_place and self.group == 1 and self.new_size > 0 else 0
        self.moves_cap, self.beyond = rnd.choice([1, 7, 30]), rnd.randrange(3)
        self.chunk_size = (16 + rnd.randrange(16)) << rnd.randrange(4, 9)
        self.flag_class, self.table_code = rnd.randrange(3), rnd.randrange(30)
        self.table_code = self.table_code if table_code is None else table_code
        self.literal_phases, self.length_phases = rnd.randrange(4), rnd.choice([0, 0, 1, 2, 3])
        self.phase_rule = rnd.choice([0, 0, 0, 1, 2, 3])
        self.lines = rnd.random() < 0.2
        self.table_size = (4 + (self.table_code & 3)) << ((self.table_code >> 2) + 2)
        self.map_cap = rnd.choice([0, 0, 1, 5, 20])
        self.learned_cap = rnd.choice([0, 1, 8, 40])
        high = rnd.choice([0, 0x1000000000, 0xffffff8000000000]) if self.wide else 0
        self.ranges = [] if rnd.random() < 0.3 else [(high + ram & ~255, high + (ram & ~255) + 4096)]
        self.regions = self.make_regions(rnd, isa, (base + high) % (1 << self.bits))
        if self.regions and rnd.random() < 0.5:
            self.sprinkle_words(rnd)
        if rnd.random() < 0.3:
            self.sprinkle_records(rnd)

    def sprinkle_records(self, rnd):
        """Type records, whole and not quite, somewhere in old; most regions look for them."""
        old = bytearray(self.old)
        for region in self.regions:
            region.kinds |= rnd.choice([0x4000, 0x4000, 0])
            pos = region.old_pos + -region.old_addr % 4
            while pos < region.old_end:
                kind, count = rnd.randrange(1, 20), rnd.choice([0, 0, 0, 1, 2, 3, 9])
                layout, more = slow_isa.LAYOUTS[kind]
                length = count * len(layout) if more is None else more
                count = count if more is None else rnd.choice([0, 0, 0, 0, 2])
                words = [rnd.choice([0, rnd.randrange(2000)]), kind << 24 | count | rnd.choice([0, 0, 1 << 31])]
                words += [rnd.choice([0, rnd.randrange(300), rnd.randrange(1 << 24)]) for _ in range(1 + length)]
                if rnd.random() < 0.1:
                    words[rnd.randrange(len(words))] = rnd.getrandbits(32)
                data = b"".join(word.to_bytes(4, "little") for word in words)
                if rnd.random() < 0.7 and pos + len(data) <= region.old_end:
                    old[pos:pos + len(data)] = data
                pos += len(data) if rnd.random() < 0.9 else rnd.randrange(4, 200)
        self.old = bytes(old)

    def sprinkle_words(self, rnd):
        """Pointers to the image and to RAM, of 4 and of 8 bytes, and what looks like one up to its upper half."""
        old = bytearray(self.old)
        for region in self.regions:
            order = "big" if region.kinds >> 15 else "little"
            first = region.old_pos + -region.old_addr % 8
            for pos in range(first, region.old_end - 7, 8):
                if rnd.random() < 0.3:
                    start, end = rnd.choice(self.ranges + [(region.old_addr, region.old_addr + region.old_len)] * 2)
                    length = rnd.choice([4, 8])
                    upper = rnd.choice([0, 0, 0, 1 << 32]) if length == 8 else 0
                    value = rnd.randrange(start, end) % (1 << 8 * length) | upper
                    old[pos:pos + length] = value.to_bytes(length, order)
        self.old = bytes(old)

    def make_regions(self, rnd, isa, base):
        count = rnd.choice([0, 1, 1, 1, 2, 3])
        if self.old_size < 4 * count or self.new_size < 4 * count:
            return []
        old_cuts = [0] + sorted(rnd.sample(range(1, self.old_size), 2 * count - 1)) if count > 1 else [0, self.old_size]
        new_cuts = [0] + sorted(rnd.sample(range(1, self.new_size), 2 * count - 1)) if count > 1 else [0, self.new_size]
        order = rnd.sample(range(count), count)
        regions = []
        for i, j in enumerate(order):
            r = slow_decoder.Region.__new__(slow_decoder.Region)
            r.isa = isa if rnd.random() < 0.8 else rnd.choice(slow_isa.SETS)
            r.kinds = rnd.choice([0xfff, 0xfff, 0x7fe, 0xffd, rnd.getrandbits(16)])
            if isa in (slow_isa.MIPS_BE, slow_isa.POWERPC):
                r.kinds |= 0x8000
            r.kinds = r.kinds & ~1 | r.isa >> 4
            r.old_pos, r.old_end = old_cuts[2 * i], old_cuts[2 * i + 1]
            r.new_pos, r.new_end = new_cuts[2 * j], new_cuts[2 * j + 1]
            r.old_len, r.new_len = r.old_end - r.old_pos, r.new_end - r.new_pos
            r.old_addr = (base + r.old_pos) % (1 << self.bits)
            moved = rnd.choice([0, 0, 8, 256, 0x1000, 2, rnd.getrandbits(20) & ~7])
            r.new_addr = (r.old_addr + moved) % (1 << self.bits)
            regions.append(r)
        return regions

    def sectors(self):
        return -(-max(self.old_size, self.new_size) >> self.sector_log2) + self.beyond + self.scratch - self.group

    def header(self, new, payload):
        w = Writer(self.bits)
        w.u(1, self.codec | 4 * self.reads_new | 8 * self.wide | 16 * self.in_place)
        w.u(1, len(self.regions) | len(self.ranges) << 4)
        w.u(2, self.chunk_size // 16 - 16)
        w.u(1, self.table_code | (64 if self.lines else 0))
        w.u(1, self.flag_class | (self.literal_phases ^ 1) << 2 | self.length_phases << 4 | self.phase_rule << 6)
        w.u(2, self.map_cap)
        w.u(2, self.learned_cap)
        w.u(1, self.in_place and self.sector_log2)
        w.u(1, self.in_place and self.kept and self.beyond)
        w.u(2, self.in_place and self.scratch)
        w.u(2, self.in_place and self.group)
        data = w.packed()
        w.position(self.old_size)
        w.position(self.old_size ^ self.new_size)
        w.position(len(payload))
        w.u(2, self.in_place and self.kept and self.moves_cap)
        w.u(2, self.in_place and self.kept)
        data += w.packed()
        for r in self.regions:
            rest = self.old_size - r.old_end
            w.position(r.old_pos)
            w.position(rest)
            w.position(r.old_addr)
            w.position(r.old_pos ^ r.new_pos)
            w.position(rest ^ self.new_size - r.new_end)
            w.position(r.old_addr ^ r.new_addr)
            w.u(4, r.isa | r.kinds << 16)
        for start, end in self.ranges:
            w.position(start)
            w.position(end - start)
        data += w.packed()
        return data + hashlib.sha256(self.old).digest()[:DIGEST] + hashlib.sha256(new).digest()[:DIGEST]


def seal(header, payload, chunk_size, chunk0_len):
    """The file: chunks, each with the digest of the next. Chunk 0 is of chunk0_len bytes unless it holds all."""
    head = 7 + len(header)
    pieces, pos = [], 0
    if len(payload) <= chunk0_len - head:
        pieces, chunk0_len = [payload], head + len(payload)
    else:
        first = chunk0_len - head - DIGEST
        pieces, pos = [payload[:first]], first
        while len(payload) - pos > chunk_size:
            pieces.append(payload[pos:pos + chunk_size - DIGEST])
            pos += chunk_size - DIGEST
        pieces.append(payload[pos:])
    prologue = b"KRF\0" + bytes([len(header)]) + chunk0_len.to_bytes(2, "little") + header
    chunk = pieces[-1] if len(pieces) > 1 else prologue + pieces[0]
    chunks = [chunk]
    for index in range(len(pieces) - 2, -1, -1):
        chunk = (prologue if index == 0 else b"") + pieces[index] + hashlib.sha256(chunk).digest()[:DIGEST]
        chunks.insert(0, chunk)
    return b"".join(chunks)


def make(number):
    """Old image, delta, new image."""
    rnd = random.Random(f"delta {number}")
    plan = Plan(rnd, TABLE_CODES.get(number))
    composer = Composer(plan, plan.old, rnd)
    new = composer.run()
    payload = composer.dec.finish()
    header = plan.header(new, payload)
    least = 7 + len(header) + DIGEST
    plan.chunk_size = max(plan.chunk_size, 256)
    chunk0_len = rnd.choice([least, least + 1, plan.chunk_size])
    return plan.old, seal(header, payload, plan.chunk_size, min(max(chunk0_len, least), plan.chunk_size)), new


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: make_deltas.py FOLDER [COUNT]")
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(int(sys.argv[2]) if len(sys.argv) == 3 else COUNT):
        for kind, data in zip(("old", "krf", "new"), make(number)):
            (folder / f"{number}.{kind}").write_bytes(data)


if __name__ == "__main__":
    main()
