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
from slow_isa import (BRANCH, BRANCH2, CALL, JUMP, LITERAL, LOW, PAIR, PAIR2, RAM, WORD, WORD8)
from slow_models import Decisions, Refused, Tables, require, signed_of

STORED, NATIVE, LZMA2 = range(3)
DIGEST = 16


# --------------------------------------------------------------------------------------------------------- container

class Reader:
    """The integers of the header."""

    def __init__(self, data):
        self.data, self.pos, self.bits = data, 0, 64

    def bytes(self, count):
        require(self.pos + count <= len(self.data), "cut short")
        self.pos += count
        return self.data[self.pos - count:self.pos]

    def u8(self):
        return self.bytes(1)[0]

    def varint(self):
        value = 0
        for i in range(10):
            byte = self.u8()
            value |= (byte & 127) << 7 * i
            if byte < 128:
                require(byte != 0 or i == 0, "a varint is longer than needed")
                require(value < 1 << 64, "a varint is too large")
                return value
        raise Refused("a varint is too long")

    def near(self, base):
        z = self.varint()
        require(z < 1 << self.bits, "a number needs a wide container")
        return (base + signed_of(z)) % (1 << self.bits)

    def address(self):
        reversed_bytes = self.varint()
        require(reversed_bytes < 1 << self.bits, "an address needs a wide container")
        return int.from_bytes(reversed_bytes.to_bytes(self.bits // 8, "little"), "big")


class Region:
    def __init__(self, reader, header, old_end, new_end):
        what = reader.varint()
        self.isa, self.kinds = what & 15, what >> 4
        require(self.kinds < 1 << 16, "unknown kinds of reference")
        self.old_pos = old_end + reader.varint()
        old_rest = reader.varint()
        self.old_len = header.old_size - self.old_pos - old_rest
        self.old_addr = reader.address()
        self.new_pos = reader.near(self.old_pos - old_end + new_end)
        self.new_len = header.new_size - self.new_pos - reader.near(old_rest)
        self.new_addr = reader.near(self.old_addr)
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
        self.read_sizes(reader)
        if self.codec == NATIVE:
            self.read_native(reader)
        require(reader.pos == data[4], "the header has another length than it says")

    def read_sizes(self, reader):
        form = reader.varint()
        require(form < 32, "unknown flags")
        self.codec = form & 3
        self.reads_new, self.wide, self.in_place = (bool(form & bit) for bit in (4, 8, 16))
        self.bits = reader.bits = 64 if self.wide else 32
        require(self.codec <= LZMA2, "unknown codec")
        self.old_size = reader.varint()
        self.new_size = reader.near(self.old_size)
        self.payload_size = reader.varint()
        require(max(self.old_size, self.new_size) < 1 << (63 if self.wide else 32), "an image is too large")
        require(self.wide or self.payload_size < 1 << 32, "the payload is too large")
        self.old_digest = reader.bytes(DIGEST) if self.old_size > 0 else None
        self.new_digest = reader.bytes(DIGEST)
        c = reader.varint()
        require(c <= 0x80, "bad size of chunks")
        self.chunk_size = (16 + (c & 15)) << ((c >> 4) + 4)
        if self.in_place:
            require(self.old_size > 0, "in place without an old image")
            self.sector_log2, self.scratch, self.group = reader.varint(), reader.varint(), reader.varint()
            require(4 <= self.sector_log2 <= 24, "bad size of sectors")
            require(self.scratch <= 65535, "too many sectors of scratch")
            require(1 <= self.group <= self.scratch, "bad checkpoint group")
        require(self.codec != STORED or self.payload_size == self.new_size, "stored, but of another size")
        require(self.codec == NATIVE or not self.reads_new, "only the native codec reads back")

    def read_native(self, reader):
        tables = reader.varint()
        c, self.flag_class = tables & 63, tables >> 6
        self.table_size = (4 + (c & 3)) << ((c >> 2) + 2)
        require(self.flag_class <= 2, "bad sizes of tables")
        self.map_cap, self.learned_cap = reader.varint(), reader.varint()
        require(max(self.map_cap, self.learned_cap) <= 4096, "too many map entries or learned targets")
        counts = reader.varint()
        require(counts & 15 <= 8 and counts >> 4 <= 4, "too many regions or ranges")
        self.regions, self.ranges = [], []
        old_end = new_end = 0
        for _ in range(counts & 15):
            region = Region(reader, self, old_end, new_end)
            for other in self.regions:
                require(region.new_end <= other.new_pos or other.new_end <= region.new_pos, "regions overlap in new")
            self.regions.append(region)
            old_end, new_end = region.old_end, region.new_end
        end = 0
        for _ in range(counts >> 4):
            start = reader.address()
            length = reader.varint() * 256
            require(length > 0 and start >= end and start + length <= 1 << self.bits, "bad range of addresses")
            end = start + length
            self.ranges.append((start, end))

    def workspace(self):
        total = 256 + 64 + self.chunk_size
        if self.codec != NATIVE:
            return total
        c = sum(len(table) for table in Tables(self.flag_class, self.table_size, self.old_size == 0).everything())
        w = 16 if self.wide else 8
        regions = (56 if self.wide else 28) * len(self.regions) + (16 if self.wide else 8) * len(self.ranges)
        codec = 408 + regions + w * (self.map_cap + self.learned_cap) + 2 * (c + 44) + self.map_cap
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

class MapEntry:
    def __init__(self, start, shift):
        self.start, self.shift, self.history = start, shift, 0


class Learned:
    """The learned targets."""

    def __init__(self, cap):
        self.cap, self.next, self.slots = cap, 0, []

    def nearest(self, key, reach):
        """The slot of the nearest key, the first of those as near, and how far it is; None, None: none is near enough."""
        found = min(((abs(k - key), i) for i, (k, _) in enumerate(self.slots) if abs(k - key) <= reach), default=None)
        return (found[1], found[0]) if found else (None, None)

    def put(self, slot, key, shift):
        """slot: the one that has this key, or None for the next one."""
        if slot is not None:
            self.slots[slot] = (key, shift)
            return
        if self.cap == 0:
            return
        if len(self.slots) < self.cap:
            self.slots.append((key, shift))
        else:
            self.slots[self.next] = (key, shift)
        self.next = (self.next + 1) % self.cap


class Prediction:
    """What "Prediction" says of one reference."""

    def __init__(self, target, confidence, source, entry=None):
        self.target, self.confidence, self.source, self.entry = target, confidence, source, entry
        self.slot = None  # of a learned target with just this key


class References:
    def __init__(self, header, old, decisions, tables, entries):
        self.header, self.old, self.dec, self.tables, self.map = header, old, decisions, tables, entries
        self.mask = (1 << header.bits) - 1
        self.learned = Learned(header.learned_cap)
        self.last_fix = {}
        self.ring, self.ring_next = [None] * 8, 0
        self.history = 0

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

    def map_entry(self, addr):
        found = None
        for entry in self.map:
            if entry.start <= addr:
                found = entry
        return found

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
        if ref is None and region.kinds >> 14 & 1:
            segment.record, length, ref = slow_isa.record(view, pc, boundary, before, segment.insn_end - src_pos)
            if segment.record:
                segment.insn_end = src_pos + length
                return ref if ref is not None and ref.length <= left else None
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
        order = "big" if region.kinds >> 15 else "little"
        for length in (8, 4) if region.kinds >> WORD8 & 1 else (4,):
            value = int.from_bytes(view[:length], order)
            if pc % length != 0 or value > self.mask:
                continue
            kind = None
            if self.addr_region(value):
                kind = WORD8 if length == 8 else WORD
            elif length == 4 and self.in_range(value):
                kind = RAM
            if kind is not None and region.kinds >> kind & 1 and self.new_addr(new_pos) % length == 0:
                return slow_isa.Ref(kind, slow_isa.word_form(length, order), length, value)
        return None

    def counts(self, ref):
        return ref.anywhere or self.addr_region(ref.target) is not None

    # Prediction

    def predict(self, ref, segment, src_pos, new_pos):
        if ref.kind == LOW:
            return Prediction(ref.target, 3, 0)
        t = ref.target
        home = self.addr_region(t)
        if home is not None:
            # By the region of src_pos, which need not be the first that holds T.
            region = self.old_region(src_pos)
            offset = (t - region.old_addr) & self.mask
            if offset < region.old_len and segment.old_pos <= region.old_pos + offset < segment.old_end:
                return Prediction((t + self.new_addr(new_pos) - self.old_addr(src_pos)) & self.mask, 3, 1)
        prediction = Prediction(t, 0, 0)
        shift = 0
        if home is not None:
            entry = self.map_entry(t)
            if entry is not None:
                shift = entry.shift
                prediction.entry = entry
                prediction.confidence = 3 - (entry.history & 1) - (entry.history >> 1 & 1)
        prediction.target = (t + self.learned_shift(ref, home is None, shift, prediction)) & self.mask
        return prediction

    def learned_shift(self, ref, is_ram, shift, prediction):
        reach = self.mask if is_ram else 31 if ref.kind in (WORD, WORD8) else 0
        slot, distance = self.learned.nearest(ref.target & ~1, reach)
        if slot is None:
            return shift
        prediction.source = 2 if distance == 0 else int(distance <= 31)
        if distance == 0:
            prediction.entry, prediction.slot = None, slot
        return self.learned.slots[slot][1]

    # Decoding

    def decode(self, ref, segment, src_pos, new_pos):
        """The new bytes of the reference; None when it is given up."""
        old_bytes = self.old[src_pos:src_pos + ref.length]
        pc, new_pc = self.old_addr(src_pos), self.new_addr(new_pos)
        p = self.predict(ref, segment, src_pos, new_pos)
        is_ram = ref.kind != LOW and self.addr_region(ref.target) is None
        new_bytes = slow_isa.put(ref.form, old_bytes, new_pc, p.target, self.header.bits)
        t = p.target
        if ref.kind not in (LOW, PAIR):
            t = slow_isa.get(ref.form, new_bytes, new_pc, self.header.bits)
        unchanged = new_bytes == old_bytes
        wrong = self.decode_wrong(ref, p, unchanged)
        target = t
        if wrong:
            target, new_bytes = self.correct(ref, is_ram, t, unchanged, old_bytes, new_pc)
        if ref.kind not in (LOW, BRANCH, BRANCH2, LITERAL) and target is not None:
            if is_ram or wrong or p.source == 2:
                self.learned.put(p.slot, ref.target & ~1, (target - ref.target) & self.mask)
        if ref.kind == PAIR:
            self.note_pair(ref, src_pos, t if target is None else target, new_pc)
        return new_bytes

    def decode_wrong(self, ref, p, unchanged):
        g, q, c, f = self.tables.group(ref.kind), self.history, p.confidence, p.source
        u = int(unchanged)
        r0, r1, r2 = self.tables.r
        flag_class = self.header.flag_class
        if flag_class == 0:
            i = g * 3 + f, g * 4 + (q & 3), (g * 2 + u) * 3 + (c + 1) // 2
        elif flag_class == 1:
            i = (g * 4 + c) * 3 + f, g * 8 + (q & 7), ((g * 2 + u) * 3 + f) * 2 + (q & 1)
        else:
            i = ((g * 4 + c) * 3 + f) * 4 + (q & 3), g * 16 + (q & 15), ((g * 2 + u) * 3 + f) * 8 + (q & 7)
        wrong = self.dec.mix([r0[i[0]], r1[i[1]], r2[i[2]]], self.tables.r_weights, 15)
        self.history = (2 * q + wrong) & 255
        if p.entry is not None:
            p.entry.history = (2 * p.entry.history + wrong) & 255
        return wrong

    def correct(self, ref, is_ram, t, unchanged, old_bytes, new_pc):
        """The target (None: not known) and the bytes (None: given up) of a reference that was predicted wrong."""
        if ref.kind == LOW:
            return None, None
        how = self.tables.how[self.tables.group(ref.kind)]
        if not unchanged and self.dec.bit(how[0]):
            target = None if ref.kind == PAIR else slow_isa.get(ref.form, old_bytes, new_pc, self.header.bits)
            return target, old_bytes
        last = self.last_fix.get(ref.kind, 0)
        if last != 0 and self.dec.bit(how[1]):
            target = (t + last) & self.mask
        elif self.dec.bit(how[2]) == 0:
            return None, None
        else:
            tables = self.tables
            context = (tables.call_fix if ref.kind == CALL else tables.ram_fix if is_ram else
                       tables.word_fix if ref.kind in (WORD, WORD8) else tables.other_fix)
            e = self.wrapped(self.dec.signed(context, how[3], ref.scale))
            self.last_fix[ref.kind] = e if -(1 << 31) <= e < 1 << 31 else 0
            target = (t + e) & self.mask
        return target, slow_isa.put(ref.form, old_bytes, new_pc, target, self.header.bits)

    def wrapped(self, number):
        """As a signed number of the width of positions."""
        number &= self.mask
        return number - self.mask - 1 if number > self.mask >> 1 else number

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
        self.g, self.flags, self.quiet, self.probe, self.raw = 8, 0, 0, 0, 0


class Native:
    def __init__(self, header, old, payload):
        self.header, self.old, self.new = header, bytearray(old), bytearray(header.new_size)
        self.new_pos, self.new_end = 0, header.new_size
        self.newest = [0, 0]
        self.tables = Tables(header.flag_class, header.table_size, header.old_size == 0)
        self.dec = Decisions(payload)
        self.mask = (1 << header.bits) - 1
        self.map = []
        self.refs = References(header, self.old, self.dec, self.tables, self.map)
        self.recent = [[0, 0, 0, 0], [0, 0, 0, 0]]  # of segments from old, from new
        self.old_end, self.last_from_new, self.last_residue = 0, 0, 0
        self.run_start = 0  # bytes
        if header.in_place:
            self.sector_size = 1 << header.sector_log2
            self.sector_count = -(-header.new_size // self.sector_size)
            self.first = self.run_length = self.sector_count  # of the last run
            self.produced, self.waiting = set(), []

    def run(self):
        self.read_map()
        if self.header.in_place and self.header.new_size > 0:
            while len(self.produced) < self.sector_count:
                self.begin_run()
                self.stretch()
        else:
            self.stretch()
        require(self.dec.pos >= len(self.dec.payload), "the payload goes on after the new image")
        return bytes(self.new)

    def stretch(self):
        while True:
            gap = self.length(self.tables.gap, 0, 0)
            for _ in range(gap):
                self.produce([self.literal()])
            if self.new_pos == self.new_end:
                break
            self.segment_bytes(self.segment(gap))
            if self.new_pos == self.new_end:
                break

    def produce(self, data):
        for byte in data:
            self.new[self.new_pos] = byte
            self.new_pos += 1
            self.newest = [byte, self.newest[0]]
            if self.header.in_place and self.sector_rest() == 0:
                self.end_sector()

    def length(self, context, which, least):
        rest = self.new_end - self.new_pos
        if self.header.in_place and self.dec.bit(self.tables.to_end[which]):
            return rest
        length = self.dec.number(context) + least
        require(length <= rest, "a gap or a segment leads out of the new image, or its run of sectors")
        return length

    # Sectors

    def begin_run(self):
        n, end = min(self.run_length, self.first), self.first
        if self.dec.bit(self.tables.sectors[0]):
            n = self.dec.number(self.tables.distance) + 1
            if self.dec.bit(self.tables.sectors[1]):
                end = self.dec.number(self.tables.distance)
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
        if self.new_pos == self.header.new_size:
            del self.old[self.header.new_size:]
        if len(self.waiting) == self.header.group:
            for k in self.waiting:
                start = k * self.sector_size
                end = min(start + self.sector_size, self.header.new_size, len(self.old))
                self.old[start:end] = self.new[start:end]
            self.waiting = []

    def there(self, pos):
        """Is the byte of new produced?"""
        if self.run_start <= pos < self.new_end or not self.header.in_place:
            return pos < self.new_pos
        return pos // self.sector_size in self.produced

    def read_map(self):
        start = shift = 0
        for _ in range(self.header.map_cap):
            start += 8 * self.dec.number(self.tables.map_start)
            require(start <= self.mask, "the address map wraps")
            shift = (shift + self.dec.signed(self.tables.map_shift, self.tables.aligned[1], 0)) & self.mask
            self.map.append(MapEntry(start, shift))

    # Segments

    def segment(self, gap):
        new_pos, tables = self.new_pos, self.tables
        joined = 1 if gap == 0 else 0
        from_new = self.dec.bit(tables.source[self.last_from_new + 2 * joined]) if self.header.reads_new else 0
        j = self.jump(tables.jumps[2 + joined if from_new else self.last_from_new], from_new)
        if from_new:
            length = self.length(tables.new_length if j == 3 else tables.again_length, 2, 1)
        else:
            length = self.length(tables.old_length, 1, 1)
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

    def jump(self, flags, from_new):
        for j in range(6):
            if not (from_new and j in (1, 2)) and not self.dec.bit(flags[j]):
                return j
        return 6

    def distance(self, j, from_new, length):
        recent, tables = self.recent[from_new], self.tables
        drop = 0 if j == 0 else j - 3 if j >= 4 else 3
        if j == 0 or j >= 4:
            d = recent[drop]
        elif j == 1:
            d = self.map_distance(self.new_pos)
        elif j == 2:
            d = self.old_end - self.new_pos
        elif from_new:
            d = self.far_in_new(tables.short_distance if length < 4 else tables.distance)
        else:
            d = self.old_end - self.new_pos + self.dec.signed(tables.jump, tables.aligned[0], 0)
        d &= self.mask
        del recent[drop]
        recent.insert(0, d)
        return d

    def far_in_new(self, context):
        new_size, new_pos = self.header.new_size, self.new_pos
        n = self.dec.number(context)
        if not self.header.in_place:
            require(n < new_pos, "a segment begins before the new image")
            return -1 - n
        require(n < new_size, "a segment begins outside of the new image")
        b = new_pos - self.run_start
        return -1 - n if n < b else (self.new_end + n - b) % new_size - new_pos

    def map_distance(self, new_pos):
        a = self.refs.new_addr(new_pos)
        best, best_sum = None, 0
        for entry in self.map:
            moved = (entry.start + entry.shift) & self.mask
            if moved <= a and (best is None or moved > best_sum):
                best, best_sum = entry, moved
        if best is None:
            return 0
        a = (a - best.shift) & self.mask
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
            if seg.raw == 0:
                left = seg.new_end - new_pos
                if self.header.in_place:
                    left = min(left, self.sector_rest() or self.sector_size)
                ref = self.refs.find(seg, src_pos, new_pos, left)
                if ref is not None:
                    data = self.refs.decode(ref, seg, src_pos, new_pos)
                    if data is None:
                        seg.raw, seg.g = ref.length, 0
                        continue
                    src_pos += ref.length
                    prev_src = self.old[src_pos - 1]
                    seg.g = min(seg.g + 1, 65535)
                    self.produce(data)
                    if self.header.in_place and self.sector_rest() == 0:
                        seg.quiet = 0
                    continue
            s = self.old[src_pos]
            self.produce([self.segment_byte(seg, s, prev_src)])
            if self.header.in_place and self.sector_rest() == 0:
                seg.quiet = 0
            prev_src = s
            src_pos += 1

    def segment_byte(self, seg, s, prev_src):
        is_raw = seg.raw > 0
        if is_raw:
            seg.raw -= 1
        elif seg.quiet == 0 and seg.probe == 0 and seg.g >= 32:
            if self.dec.bit(self.tables.quiet[0]) == 0:
                seg.quiet = 64
            else:
                seg.probe = 64
        if not is_raw and seg.quiet > 0:
            seg.quiet -= 1
            differs = 0
        else:
            if not is_raw and seg.probe > 0:
                seg.probe -= 1
            differs = self.differs(seg, s, prev_src)
        if differs:
            seg.g = 0
            return (s + self.residue(s, prev_src)) & 255
        seg.g = min(seg.g + 1, 65535)
        return s

    # Bytes

    def differs(self, seg, s, prev_src):
        phase, h, big_g = self.new_pos & 3, seg.flags, seg.g
        g = big_g if big_g < 8 else 8 + sum(1 for x in (12, 16, 24, 40, 80, 200, 1000) if x <= big_g)
        flag_class = self.header.flag_class
        if flag_class == 0:
            i = (g >> 1) * 4 + phase, h, s >> 4, (prev_src * 37 & 255) >> 4
        elif flag_class == 1:
            i = (g * 4 + phase) * 2 + (h & 1), h, s, (prev_src * 37 & 255) >> 2
        else:
            few = big_g < 4
            i = (g * 4 + phase) * 4 + (h & 3), h, 2 * s + few, (prev_src + (77 if few else 0)) * 37
        weights = self.tables.e_weights[1 if big_g < 16 else 0]
        differs = self.dec.mix([table[k % len(table)] for table, k in zip(self.tables.e, i)], weights, 14)
        seg.flags = (2 * h + differs) & 255
        return differs

    def byte(self, x, weight_set, expected=None):
        k = []
        for i, context in enumerate(x):
            v = ((context + 0x9e3779b9 * (i + 1)) * 0x2c1b3c6d) & 0xffffffff
            k.append(v ^ v >> 15)
        limit = 12 if self.header.table_size > 512 else 10
        node = 1
        for bit in range(8):
            c = [table[self.slot(v, node)] for table, v in zip(self.tables.b, k)]
            if expected is not None and (256 + expected) >> 8 - bit == node:
                c[4] = self.tables.b[4][self.slot(k[4], node + (512 if expected >> 7 - bit & 1 else 256))]
            node = 2 * node + self.dec.mix(c, self.tables.b_weights[weight_set], limit)
        return node & 255

    def slot(self, k, node):
        y = ((k + node * 0x85ebca6b) * 0x297a2d39) & 0xffffffff
        size = self.header.table_size
        return (y >> 16) * size >> 16 if size <= 65536 else (y >> 12) * (size >> 8) >> 12

    def old_at(self, distance):
        pos = (self.new_pos + distance) & self.mask
        return self.old[pos] if pos < len(self.old) else 0

    def literal(self):
        phase = self.new_pos & 3
        w1, w2 = (w if self.header.table_size > 512 else w & 0xe0 for w in self.newest)
        from_new = self.last_from_new
        if from_new:
            pos = (self.new_pos + self.recent[1][0]) & self.mask
            o = self.new[pos] if self.run_start <= pos < self.new_pos else 0
        else:
            o = self.old_at(self.recent[0][0])
        return self.byte([phase | 0x10000000, w1 | (phase & 1) << 8 | 0x20000000, w2 | phase << 8 | 0x30000000,
                          (w1 & 0xf0) | (w2 & 0xf0) << 8 | phase | 0x40000000, from_new | 0x50000000], 1 + phase, o)

    def residue(self, s, prev_src):
        phase, w1 = self.new_pos & 3, self.newest[0]
        pd, ld, o = (w1 - prev_src) & 255, self.last_residue, self.old_at(self.recent[0][1])
        self.last_residue = self.byte([phase | pd << 8, phase | ld << 8 | 0x100000, ((o - s) & 255) | 0x200000,
                                       s | pd << 8 | 0x300000, w1 | s << 8 | 0x400000], 0)
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
