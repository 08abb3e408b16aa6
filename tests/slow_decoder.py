#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A slow decoder, written from docs/FORMAT.md and nothing else: it proves that the document says all.

    slow_decoder.py OLD DELTA [-o NEW]    applies DELTA to OLD ("-": none), prints the SHA-256 of the new image
    slow_decoder.py --workspace DELTA     prints the bytes of memory that a decoder needs

Checked: both digests, the chain of chunks, that nothing follows them, that the payload is used to its last byte and not
beyond. Exit status 1 and one line for a delta that is refused. Names and order follow the document; nothing is done for
speed that would hide a rule.
"""
import argparse
import hashlib
import lzma
import pathlib
import sys

import slow_isa
from slow_isa import LOW, PAIR, RAM, WORD, WORD8
from slow_models import Decisions, Learned, Prediction, Refused, Tables, how_coded, require, signed_of

STORED, NATIVE, LZMA2 = range(3)
THUMB_PHASES, RISCV_PHASES, XTENSA_PHASES = 1, 2, 3
DIGEST = 16


# --------------------------------------------------------------------------------------------------------- container

class Reader:
    """The bytes of the header."""

    def __init__(self, data):
        self.data, self.pos, self.bits = data, 0, 64

    def bytes(self, count):
        require(self.pos + count <= len(self.data), "cut short")
        self.pos += count
        return self.data[self.pos - count:self.pos]

    def u8(self):
        return self.bytes(1)[0]

    def packed(self, length):
        """Plain bytes: before each eight a byte that says which of them are not 0."""
        plain = b""
        while len(plain) < length:
            mask = self.u8()
            group = min(8, length - len(plain))
            require(mask >> group == 0, "bytes behind the end of what is packed")
            for i in range(group):
                byte = self.u8() if mask >> i & 1 else 0
                require(byte != 0 or mask >> i & 1 == 0, "a byte that is 0 is packed")
                plain += bytes([byte])
        return Plain(plain)


class Plain:
    """Fields of the header, unpacked."""

    def __init__(self, data):
        self.data, self.bits = data, 32

    def u(self, length):
        value, self.data = int.from_bytes(self.data[:length], "little"), self.data[length:]
        return value

    def position(self):
        return self.u(self.bits // 8)


class Region:
    def __init__(self, plain, header):
        old = [plain.position() for _ in range(3)]
        new = [plain.position() ^ value for value in old]
        self.isa, nothing, self.kinds = plain.u(1), plain.u(1), plain.u(2)
        require(nothing == 0, "a region has a byte that means nothing")
        self.old_pos, old_rest, self.old_addr = old
        self.new_pos, new_rest, self.new_addr = new
        self.old_len = header.old_size - self.old_pos - old_rest
        self.new_len = header.new_size - self.new_pos - new_rest
        require(self.old_len > 0 and self.new_len > 0, "a region is empty or outside of its image")
        self.old_end, self.new_end = self.old_pos + self.old_len, self.new_pos + self.new_len
        require(self.isa in slow_isa.SETS, "unknown instruction set")


class Header:
    """Prologue and header; `length` is that of both."""

    def __init__(self, data):
        require(data[:3] == b"KRF", "not a Kerf file")
        require(len(data) >= 7, "cut short")
        require(data[3] == 0, "another version of the format")
        require(1 <= data[4] <= 249, "the header has a bad length")
        self.length = 7 + data[4]
        self.chunk0_len = int.from_bytes(data[5:7], "little")
        require(len(data) >= self.length, "cut short")
        reader = Reader(data[7:self.length])
        self.read_fields(reader)
        self.read_tables(reader)
        self.old_digest = reader.bytes(DIGEST) if self.old_size > 0 else None
        self.new_digest = reader.bytes(DIGEST)
        require(reader.pos == data[4], "the header has another length than it says")

    def read_fields(self, reader):
        first = reader.packed(16)
        form, self.counts = first.u(1), first.u(1)
        require(form < 32, "unknown flags")
        self.codec = form & 3
        self.reads_new, self.wide, self.in_place = (bool(form & bit) for bit in (4, 8, 16))
        self.bits = 64 if self.wide else 32
        require(self.codec <= LZMA2, "unknown codec")
        self.chunk_size = (first.u(2) + 16) * 16
        require(self.chunk_size <= 65536, "bad size of chunks")
        c, classes = first.u(1), first.u(1)
        self.map_cap, self.learned_cap = first.u(2), first.u(2)
        self.sector_log2, self.beyond, self.scratch, self.group = first.u(1), first.u(1), first.u(2), first.u(2)
        second = reader.packed(28 if self.wide else 16)
        second.bits = self.bits
        self.old_size = second.position()
        self.new_size = second.position() ^ self.old_size
        self.payload_size = second.position()
        self.moves_cap, self.kept = second.u(2), second.u(2)
        require(max(self.old_size, self.new_size, self.payload_size) < 1 << (63 if self.wide else 32), "too large")
        require(self.codec != STORED or self.payload_size == self.new_size, "stored, but of another size")
        self.check_in_place()
        if self.codec == NATIVE:
            self.check_native(c, classes)
        else:
            require(not self.reads_new, "only the native codec reads back")
            require(c == classes == self.map_cap == self.learned_cap == self.counts == 0, "numbers of another codec")

    def check_in_place(self):
        if not self.in_place:
            require(self.sector_log2 == self.scratch == self.group == self.kept == 0, "numbers of an update in place")
        else:
            require(self.old_size > 0, "in place without an old image")
            require(4 <= self.sector_log2 <= 24, "bad size of sectors")
            require(1 <= self.group <= self.scratch, "bad checkpoint group")
        if self.kept == 0:
            require(self.moves_cap == self.beyond == 0, "nothing is kept, but it moves")
        else:
            require(1 <= self.moves_cap <= 4096, "bad number of moves")
            require(self.group == 1 and self.codec == NATIVE, "old is kept, but not by single sectors, or not native")
            require(max(self.old_size, self.new_size) < 1 << 32, "an image is too large to be kept")
            require(self.sectors() << self.sector_log2 < 1 << 32, "too many sectors")

    def check_native(self, c, classes):
        require(c <= 127, "bad sizes of tables")
        self.flag_class = classes & 3
        self.literal_phases, self.length_phases = classes >> 2 & 3 ^ 1, classes >> 4 & 3
        self.phase_rule = classes >> 6
        self.table_size, self.lines = (4 + (c & 3)) << ((c >> 2 & 15) + 2), c >= 64
        require(self.flag_class <= 2, "bad sizes of tables")
        require(max(self.map_cap, self.learned_cap) <= 4096, "too many map entries or learned targets")
        require(self.counts & 15 <= 8 and self.counts >> 4 <= 4, "too many regions or ranges")

    def read_tables(self, reader):
        width = self.bits // 8
        regions, ranges = self.counts & 15, self.counts >> 4
        plain = reader.packed(regions * (6 * width + 4) + ranges * 2 * width)
        plain.bits = self.bits
        self.regions, self.ranges = [], []
        for _ in range(regions):
            region = Region(plain, self)
            require(not self.regions or region.old_pos >= self.regions[-1].old_end, "regions overlap in old")
            for other in self.regions:
                require(region.new_end <= other.new_pos or other.new_end <= region.new_pos, "regions overlap in new")
            self.regions.append(region)
        end = 0
        for _ in range(ranges):
            start, length = plain.position(), plain.position()
            require(length > 0 and start >= end and start + length <= 1 << self.bits, "bad range of addresses")
            end = start + length
            self.ranges.append((start, end))

    def sectors(self):
        """Of the slot, and those of scratch that are numbered behind them."""
        images = -(-max(self.old_size, self.new_size) >> self.sector_log2)
        return images + self.beyond + self.scratch - self.group

    def workspace(self):
        total = 256 + 64 + self.chunk_size
        if self.codec != NATIVE:
            return total
        c = Tables(self.flag_class, self.table_size, self.old_size == 0, self.bits).count
        w = 16 if self.wide else 8
        regions = (56 if self.wide else 28) * len(self.regions) + (16 if self.wide else 8) * len(self.ranges)
        codec = 368 + regions + w * (self.map_cap + self.learned_cap) + 2 * (c + 42)
        if self.in_place:
            codec += 12 * self.moves_cap
        return total + (codec + 7) // 8 * 8


def read_payload(data, header):
    """Follows the chain of chunks."""
    n = header.chunk0_len - header.length
    require(n >= 0 and header.chunk0_len <= header.chunk_size, "chunk 0 has a bad length")
    require(n == header.payload_size or DIGEST <= n < header.payload_size, "chunk 0 has a bad length")
    chunk = data[header.length:header.chunk0_len]
    require(len(chunk) == n, "cut short")
    pos, payload, rest = header.chunk0_len, b"", header.payload_size
    last = n == rest
    while True:
        payload += chunk if last else chunk[:-DIGEST]
        rest = header.payload_size - len(payload)
        if last:
            break
        digest, last = chunk[-DIGEST:], rest <= header.chunk_size
        chunk = data[pos:pos + (rest if last else header.chunk_size)]
        require(len(chunk) == (rest if last else header.chunk_size), "cut short")
        require(hashlib.sha256(chunk).digest()[:DIGEST] == digest, "a chunk is damaged")
        pos += len(chunk)
    require(rest == 0 and pos == len(data), "something follows the last chunk")
    return payload


# -------------------------------------------------------------------------------------------------------- references

class References:
    def __init__(self, header, old, decisions, tables, entries):
        self.header, self.old, self.dec, self.tables, self.map = header, old, decisions, tables, entries
        self.mask = (1 << header.bits) - 1
        self.learned = Learned(header.learned_cap)
        self.ring, self.ring_next = [None] * 8, 0
        self.history = 0
        self.files = slow_isa.Files()

    # Addresses

    def old_region(self, pos):
        return next((r for r in self.header.regions if r.old_pos <= pos < r.old_end), None)

    def old_addr(self, pos):
        region = self.old_region(pos)
        return (region.old_addr + pos - region.old_pos if region else pos) & self.mask

    def new_addr(self, pos):
        for r in self.header.regions:
            if r.new_pos <= pos < r.new_end:
                return (r.new_addr + pos - r.new_pos) & self.mask
        return pos

    def addr_region(self, addr):
        """The first region whose old addresses hold addr."""
        return next((r for r in self.header.regions if (addr - r.old_addr) & self.mask < r.old_len), None)

    def addr_to_old(self, region, addr):
        return region.old_pos + ((addr - region.old_addr) & self.mask)

    def in_range(self, addr):
        return any(start <= addr < end for start, end in self.header.ranges)

    def map_shift(self, addr):
        shift = 0
        for start, entry_shift in self.map:
            if start <= addr:
                shift = entry_shift
        return shift

    # Finding

    def find(self, segment, src_pos, new_pos, left):
        """A reference at src_pos, of at most `left` bytes, or None; moves segment.insn_end."""
        region = self.old_region(src_pos)
        boundary = src_pos >= segment.insn_end
        if region is None or region.kinds == 0:
            if boundary:
                segment.insn_end = src_pos + 1
            return None
        view = self.old[src_pos:src_pos + 32].ljust(32, b"\0")
        pc = self.old_addr(src_pos)
        step = 1
        ref = self.expected(src_pos)
        before, segment.record = segment.record, 0
        if ref is None and region.kinds >> 14 & 1 and (boundary or before != slow_isa.FRAME):
            segment.record, length, ref = slow_isa.record(view, pc, boundary, before, segment.insn_end - src_pos)
            if segment.record:
                segment.insn_end = src_pos + length
                return ref if ref is not None and ref.length <= left else None
        files = ref is None and region.kinds >> 12 & 1
        if files:
            segment.record, length, ref = self.files.scan(view, pc, self.new_addr(new_pos), boundary, before,
                                                          segment.insn_end - src_pos, self.header.bits)
            if segment.record:
                if boundary:
                    segment.insn_end = src_pos + length
                return ref if ref is not None and ref.length <= left else None
            if ref is not None and ref.length > left:
                return None
        if ref is None:
            ref = self.word(region, view, pc, new_pos)
            if ref is not None and ref.length > left:
                return None
        if ref is None:
            step, ref = slow_isa.scan(region.isa, view, pc, region.kinds, boundary, self.header.bits)
            if ref is not None and not self.counts(ref):
                ref = None
        if ref is not None and ref.length <= left:
            segment.insn_end = src_pos + ref.length
            return ref
        if boundary:
            segment.insn_end = src_pos + step
        return None

    def expected(self, src_pos):
        for slot in self.ring:
            if slot is not None and slot[0] == src_pos & 0xffffffff:
                return slow_isa.Ref(LOW, slot[1], slot[2], slot[3])
        return None

    def word(self, region, view, pc, new_pos):
        if region.kinds >> 12 & 1:
            return self.files.word(view, pc, self.new_addr(new_pos), self.header.bits) if region.kinds >> WORD8 & 1 else None
        order = "big" if region.kinds >> 15 else "little"
        length = 8 if region.kinds >> WORD8 & 1 else 4
        value = int.from_bytes(view[:length], order)
        if (pc | self.new_addr(new_pos)) % length != 0 or value > self.mask:
            return None
        kind = (WORD8 if length == 8 else WORD) if self.addr_region(value) else RAM if self.in_range(value) else None
        if kind is None or not region.kinds >> kind & 1:
            return None
        return slow_isa.Ref(kind, slow_isa.word_form(length, order), length, value)

    def counts(self, ref):
        return ref.anywhere or self.addr_region(ref.target) is not None

    # Prediction

    def predict(self, ref, segment, src_pos, new_pos):
        t = ref.target
        if ref.kind == LOW:
            return Prediction(t, 0)
        is_ram = self.addr_region(t) is None
        # By the region of src_pos, which need not be the first that holds T.
        region = self.old_region(src_pos)
        if segment.old_pos <= (region.old_pos + t - region.old_addr) & self.mask < segment.old_end:
            return Prediction((t + self.new_addr(new_pos) - self.old_addr(src_pos)) & self.mask, 4)
        distance, slot, shift = self.learned.below(t & ~1)
        if is_ram or distance <= (31 if ref.kind in (WORD, WORD8) else 0):
            source = 3 if distance == 0 else 2
            return Prediction((t + shift) & self.mask, source, slot if distance == 0 else None)
        return Prediction((t + self.map_shift(t)) & self.mask, 1)

    # Decoding

    def decode(self, ref, segment, src_pos, new_pos):
        """The new bytes of the reference; None when it is given up."""
        old_bytes = self.old[src_pos:src_pos + ref.length]
        new_pc = self.new_addr(new_pos)
        if isinstance(ref.form, slow_isa.FromBase):
            new_pc = self.files.new_base(ref.form, new_pc)
        p = self.predict(ref, segment, src_pos, new_pos)
        is_ram = ref.kind != LOW and self.addr_region(ref.target) is None
        new_bytes = slow_isa.put(ref.form, old_bytes, new_pc, p.target, self.header.bits)
        unchanged = new_bytes == old_bytes
        wrong = self.decode_wrong(ref, p, unchanged)
        target = p.target
        if wrong:
            target, new_bytes = self.correct(ref, p.target, old_bytes, new_pc)
        if ref.kind != LOW and target is not None and self.learned.cap > 0 and (is_ram or wrong or p.source == 3):
            self.learned.put(p.slot, ref.target & ~1, (target - ref.target) & self.mask)
        if ref.kind == PAIR:
            self.note_pair(ref, src_pos, p.target if target is None else target, new_pc)
        return new_bytes

    def decode_wrong(self, ref, p, unchanged):
        k, q, f, u = ref.kind, self.history, p.source, int(unchanged)
        i = k | f << 4 | q << 7, k | q << 4, u | f << 1 | k << 4 | q << 8
        wrong = self.dec.mix([table[at % len(table)] for table, at in zip(self.tables.r, i)], self.tables.r_weights, 15)
        self.history = (2 * q + wrong) & 255
        return wrong

    def correct(self, ref, t, old_bytes, new_pc):
        """The target (None: not known) and the bytes (None: given up) of a reference that was predicted wrong."""
        z = 0 if ref.kind == LOW else self.dec.number(self.tables.numbers["fix"], *self.native.how("fix"))
        if z == 0:
            return None, None
        if z == 1:
            target = None if ref.kind == PAIR else slow_isa.get(ref.form, old_bytes, new_pc, self.header.bits)
            return target, old_bytes
        target = (t + (signed_of(z - 1) << ref.scale)) & self.mask
        return target, slow_isa.put(ref.form, old_bytes, new_pc, target, self.header.bits)

    def note_pair(self, ref, src_pos, target, new_pc):
        base = target - (new_pc if ref.relative else 0)
        for offset, form, delta in ref.lows:
            self.ring[self.ring_next] = ((src_pos + offset) & 0xffffffff, form, ref.length, (base + delta) & 0xffffffff)
            self.ring_next = (self.ring_next + 1) % 8


# ----------------------------------------------------------------------------------------------------- native payload

class Segment:
    def __init__(self, from_new, src_pos, new_pos, length):
        self.from_new, self.src_pos, self.length = from_new, src_pos, length
        self.new_end = new_pos + length
        self.old_pos, self.old_end = src_pos, src_pos + length  # of a segment from old
        self.insn_end, self.record = src_pos, 0
        self.g, self.stretch, self.quiet, self.raw_end = 8, 0, 0, src_pos


class Native:
    def __init__(self, header, old, payload):
        self.header, self.old, self.new = header, bytearray(old), bytearray(header.new_size)
        self.new_pos, self.new_end = 0, header.new_size
        self.newest = [0, 0]
        self.slip = 0
        self.tables = Tables(header.flag_class, header.table_size, header.old_size == 0, header.bits)
        self.dec = Decisions(payload)
        self.mask = (1 << header.bits) - 1
        self.map = []
        self.refs = References(header, self.old, self.dec, self.tables, self.map)
        self.refs.native = self
        self.recent = [[0, 0, 0, 0], [0, 0, 0, 0]]  # of segments from old, from new
        self.old_end, self.last_from_new, self.last_residue, self.flags = 0, 0, 0, 0
        self.run_start = 0  # bytes
        if header.in_place:
            self.sector_size = 1 << header.sector_log2
            self.sector_count = -(-header.new_size // self.sector_size)
            self.first = self.run_length = self.sector_count  # of the last run
            self.produced, self.waiting = set(), []
            self.keeps, self.moves, self.tail_gone = 0, [], False
            self.held = bytearray(old)  # and whatever sectors hold that are behind old
            self.held += bytes(self.sectors() * self.sector_size - len(old))

    def run(self):
        if self.header.new_size > 0:
            self.read_map()
        if self.header.in_place and self.header.new_size > 0:
            while len(self.produced) < self.sector_count or self.keeps < self.header.kept:
                if self.header.kept > 0 and self.keep_is_next():
                    self.keep()
                else:
                    self.begin_run()
                    self.stretch()
        else:
            self.stretch()
        require(self.dec.pos >= len(self.dec.payload), "the payload goes on after the new image")
        return bytes(self.new)

    def stretch(self):
        while self.new_pos < self.new_end:
            gap = self.length("gap", 0, 0)
            for _ in range(gap):
                self.produce([self.literal()])
            if self.new_pos < self.new_end:
                self.segment_bytes(self.segment(gap))

    def produce(self, data):
        for byte in data:
            self.new[self.new_pos] = byte
            self.new_pos += 1
            self.newest = [byte, self.newest[0]]
            self.slip = -self.new_pos if self.header.lines and byte == 10 else self.slip
            self.slip += self.slips(byte)
            if self.header.in_place and self.sector_rest() == 0:
                self.end_sector()

    def place(self):
        return (self.new_pos + self.slip) & 3

    def slips(self, byte):
        """How far the phase moves behind a byte that was produced."""
        rule, place, first = self.header.phase_rule, self.place(), self.newest[1]
        if rule == XTENSA_PHASES:
            return 1 if place == 3 else 2 if place == 1 and byte & 8 else 0
        if rule == 0 or place != 2:
            return 0
        is_long = byte >= 0xe8 if rule == THUMB_PHASES else first & 3 == 3
        return 0 if is_long else 2

    def how(self, context):
        return how_coded(context, self.place(), self.header.length_phases, self.header.flag_class)

    def number(self, context):
        return self.dec.number(self.tables.numbers[context], *self.how(context))

    def length(self, context, which, least):
        rest = self.new_end - self.new_pos
        if self.header.in_place and self.dec.bit(self.tables.to_end[which]):
            return rest
        length = self.number(context) + least
        require(length <= rest, "a gap or a segment leads out of the new image, or its run of sectors")
        return length

    # Sectors

    def begin_run(self):
        n, end = min(self.run_length, self.first), self.first
        if self.dec.bit(self.tables.sectors[0]):
            n = self.number("distance") + 1
            if self.dec.bit(self.tables.sectors[1]):
                end = self.number("distance")
        require(0 < n <= end <= self.sector_count, "no such run of sectors")
        self.first, self.run_length = end - n, n
        require(not self.produced & set(range(self.first, end)), "a sector twice")
        self.new_pos = self.run_start = self.first * self.sector_size
        self.new_end = min(end * self.sector_size, self.header.new_size)

    def sector_rest(self):
        """Bytes from new_pos on; 0 at its end."""
        return 0 if self.new_pos == self.header.new_size else -self.new_pos % self.sector_size

    def end_sector(self):
        k = (self.new_pos - 1) // self.sector_size
        self.produced.add(k)
        self.waiting.append(k)
        if len(self.waiting) == self.header.group:
            for k in self.waiting:
                start = k * self.sector_size
                end = min(start + self.sector_size, self.header.new_size)
                self.held[start:end] = self.new[start:end]
            self.waiting = []
        self.tail_gone |= self.new_pos == self.header.new_size
        self.look_at_slot()

    def sectors(self):
        if self.header.kept > 0:
            return self.header.sectors()
        return -(-max(self.header.old_size, self.header.new_size) // self.sector_size)

    def look_at_slot(self):
        """What old is now."""
        size = self.header.old_size
        self.old[:] = self.held[:size]
        if self.tail_gone and self.header.new_size < size:
            self.old[self.header.new_size:] = bytes(size - self.header.new_size)
        for old_pos, length, pos in self.moves:
            self.old[old_pos:old_pos + length] = self.held[pos:pos + length]

    def keep_is_next(self):
        return self.dec.bit(self.tables.sectors[2])

    def keep(self):
        k = self.number("distance")
        self.keeps += 1
        require(self.keeps <= self.header.kept, "more sectors hold old than the header says")
        require(k < self.sectors() and k not in self.produced, "no such sector, or one that holds new")
        start = self.new_pos = k * self.sector_size
        self.new_end = self.header.new_size if k == self.sector_count - 1 else start + self.sector_size
        content = bytearray(self.held[start:self.new_end])
        while True:
            self.new_pos += self.length("gap", 0, 0)
            if self.new_pos == self.new_end:
                break
            self.move(start, content)
            if self.new_pos == self.new_end:
                break
        self.held[start:self.new_end] = content
        self.tail_gone |= self.new_pos == self.header.new_size
        self.look_at_slot()

    def move(self, start, content):
        old_pos = (self.old_end + signed_of(self.number("jump"))) & self.mask
        length = self.length("old_length", 1, 1)
        require(len(self.moves) < self.header.moves_cap, "too many moves")
        require(old_pos < self.header.old_size, "a move begins outside of the old image")
        require(length <= self.header.old_size - old_pos, "a move leads out of the old image")
        self.old_end = old_pos + length
        at = self.new_pos - start
        content[at:at + length] = self.old[old_pos:old_pos + length]
        self.moves.append((old_pos, length, self.new_pos))
        self.new_pos += length
        self.look_at_slot()

    def there(self, pos):
        """Is the byte of new produced?"""
        if self.run_start <= pos < self.new_end or not self.header.in_place:
            return pos < self.new_pos
        return pos // self.sector_size in self.produced

    def read_map(self):
        start = shift = 0
        for _ in range(self.header.map_cap):
            before = start
            start = (start + 8 * self.number("map_start")) & self.mask
            require(start >= before, "the address map wraps")
            shift = (shift + signed_of(self.number("map_shift"))) & self.mask
            self.map.append((start, shift))

    # Segments

    def segment(self, gap):
        new_pos = self.new_pos
        from_new = self.dec.bit(self.tables.source[self.last_from_new]) if self.header.reads_new else 0
        j = self.jump(from_new, gap)
        if from_new:
            length = self.length("new_length" if j == 2 else "again_length", 2, 1)
        else:
            length = self.length("old_length", 1, 1)
        src_pos = (new_pos + self.distance(j, from_new, length)) & self.mask
        if from_new:
            require(not new_pos <= src_pos < self.new_end, "a segment from new begins where nothing is yet")
            require(src_pos < self.header.new_size, "a segment begins outside of the new image")
            require(length <= self.header.new_size - src_pos, "a segment's source leads out of the new image")
        else:
            require(src_pos < len(self.old), "a segment begins outside of the old image")
            require(length <= len(self.old) - src_pos, "a segment leads out of the old image")
            self.old_end = src_pos + length
        self.last_from_new = from_new
        return Segment(from_new, src_pos, new_pos, length)

    def jump(self, from_new, gap):
        flags = self.tables.jumps[2 + min(gap, 3) if from_new else min(gap, 1)]
        return next((j for j in range(5) if not self.dec.bit(flags[j])), 5)

    def distance(self, j, from_new, length):
        recent = self.recent[from_new]
        drop = 0 if j == 0 else j - 2 if j >= 3 else 3
        if j == 0 or j >= 3:
            d = recent[drop]
        elif j == 1:
            d = self.map_distance(self.new_pos)
        elif from_new:
            d = self.far_in_new("short_distance" if length < 4 else "distance")
        else:
            d = self.old_end - self.new_pos + signed_of(self.number("jump"))
        d &= self.mask
        del recent[drop]
        recent.insert(0, d)
        return d

    def far_in_new(self, context):
        new_size, new_pos = self.header.new_size, self.new_pos
        n = self.number(context)
        if not self.header.in_place:
            return -1 - n
        b = new_pos - self.run_start
        return -1 - n if n < b else self.new_end + n - b - (new_size if self.new_end + n - b >= new_size else 0) - new_pos

    def map_distance(self, new_pos):
        a = self.refs.new_addr(new_pos)
        best, best_sum = 0, -1
        for start, shift in self.map:
            moved = (start + shift) & self.mask
            if best_sum <= moved <= a:
                best, best_sum = shift, moved
        a = (a - best) & self.mask
        region = self.refs.addr_region(a)
        return (self.refs.addr_to_old(region, a) if region else a) - new_pos

    def segment_bytes(self, seg):
        src_pos = seg.src_pos
        if seg.from_new:
            for i in range(seg.length):
                require(self.there(src_pos + i), "a segment's source is not there yet")
                self.produce([self.new[src_pos + i]])
            return
        prev_src = self.old[src_pos - 1] if src_pos > 0 else 0
        while self.new_pos < seg.new_end:
            new_pos = self.new_pos
            if src_pos >= seg.raw_end:
                left = seg.new_end - new_pos
                if self.header.in_place:
                    left = min(left, self.sector_rest() or self.sector_size)
                ref = self.refs.find(seg, src_pos, new_pos, left)
                if ref is not None:
                    data = self.refs.decode(ref, seg, src_pos, new_pos)
                    if data is None:
                        seg.raw_end, seg.g, seg.stretch = src_pos + ref.length, 0, 0
                        continue
            if src_pos < seg.raw_end or ref is None:
                data = [self.segment_byte(seg, self.old[src_pos], prev_src)]
            src_pos += len(data)
            prev_src = self.old[src_pos - 1]
            seg.g = (seg.g + 1) & 0xffffffff
            self.produce(data)
            if self.header.in_place and self.sector_rest() == 0:
                seg.stretch = 0

    def segment_byte(self, seg, s, prev_src):
        if seg.stretch == 0 and seg.g >= 32:
            seg.stretch, seg.quiet = 64, self.dec.bit(self.tables.quiet[0]) == 0
        differs = 0 if seg.stretch > 0 and seg.quiet else self.differs(seg, s, prev_src)
        seg.stretch = max(seg.stretch - 1, 0)
        if differs:
            seg.g = 0
            return (s + self.residue(s, prev_src)) & 255
        return s

    # Bytes

    def differs(self, seg, s, prev_src):
        h, few = self.flags, 256 if seg.g < 4 else 0
        i = (seg.g & 0x7fffffff).bit_length() | (self.new_pos & 3) << 4 | h << 6, h, s | few, prev_src | few
        differs = self.dec.mix([table[k % len(table)] for table, k in zip(self.tables.e, i)], self.tables.e_weights, 14)
        self.flags = (2 * h + differs) & 255
        return differs

    def byte(self, x, weight_set, expected=None):
        node = 1
        for bit in range(8):
            c = [table[self.slot(v, node)] for table, v in zip(self.tables.b, x)]
            weights = self.tables.b_weights[weight_set]
            if expected is not None and (256 + expected) >> 8 - bit == node:
                weights = self.tables.b_weights[weight_set + 2]
                c[4] = self.tables.b[4][self.slot(x[4], node + (512 if expected >> 7 - bit & 1 else 256))]
            node = 2 * node + self.dec.mix(c, weights, 10)
        return node & 255

    def slot(self, x, node):
        return ((x + node) * 0x9e3779b9 & 0xffffffff) * self.header.table_size >> 32

    def old_at(self, distance):
        pos = (self.new_pos + distance) & self.mask
        return self.old[pos] if pos < len(self.old) else 0

    def literal(self):
        a = self.place() & self.header.literal_phases
        w1, w2 = self.newest
        upper = self.header.table_size <= 512 and not self.header.lines
        if upper:
            w1, w2 = w1 & 0xe0, w2 & 0xf0
        from_new = self.last_from_new
        if from_new:
            pos = (self.new_pos + self.recent[1][0]) & self.mask
            o = self.new[pos] if self.run_start <= pos < self.new_pos else 0
        else:
            o = self.old_at(self.recent[0][0])
        contexts = [0, w1 << 10, w2 << 10, (o & 0xf0 if upper else o) << 11]
        return self.byte([x | a << 8 for x in contexts] + [from_new << 10], 1 + (a & 1), o)

    def residue(self, s, prev_src):
        phase, w1 = self.new_pos & 3, self.newest[0]
        pd, ld, o = (w1 - prev_src) & 255, self.last_residue, self.old_at(self.recent[0][1])
        contexts = [phase | pd << 2, phase | ld << 2, (o - s) & 255, s | pd << 8, w1 | s << 8]
        mixed = [(context + 1) * 0x2c1b3c6d & 0xffffffff for context in contexts]
        self.last_residue = self.byte([k ^ k >> 15 for k in mixed], 0)
        return self.last_residue


# -------------------------------------------------------------------------------------------------------------- whole

def decode(header, old, data):
    payload = read_payload(data, header)
    require(len(old) == header.old_size, "the old image has another size")
    if header.old_size > 0:
        require(hashlib.sha256(old).digest()[:DIGEST] == header.old_digest, "another old image")
    if header.codec == STORED:
        new = payload
    elif header.codec == LZMA2:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        new = unpacker.decompress(payload)
        require(unpacker.eof and not unpacker.unused_data, "not one .xz stream")
    else:
        new = Native(header, old, payload).run()
    require(len(new) == header.new_size, "the new image has another size")
    require(hashlib.sha256(new).digest()[:DIGEST] == header.new_digest, "the new image has another digest")
    return new


def main():
    parser = argparse.ArgumentParser(description="a slow decoder of Kerf deltas")
    parser.add_argument("--workspace", action="store_true", help="print the memory that a decoder needs")
    parser.add_argument("-o", metavar="NEW")
    parser.add_argument("files", nargs="+", metavar="OLD DELTA")
    args = parser.parse_args()
    if len(args.files) != (1 if args.workspace else 2):
        parser.error("OLD DELTA, or --workspace DELTA")
    data = pathlib.Path(args.files[-1]).read_bytes()
    try:
        header = Header(data)
        if args.workspace:
            print(header.workspace())
            return 0
        old = b"" if args.files[0] == "-" else pathlib.Path(args.files[0]).read_bytes()
        new = decode(header, old, data)
    except (Refused, lzma.LZMAError) as error:
        print(f"{args.files[-1]}: {error}", file=sys.stderr)
        return 1
    if args.o:
        pathlib.Path(args.o).write_bytes(new)
    print(hashlib.sha256(new).hexdigest())
    return 0


if __name__ == "__main__":
    sys.exit(main())
