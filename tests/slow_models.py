# SPDX-License-Identifier: Apache-2.0
"""Range coder, counters, mixers and numbers of docs/FORMAT.md, "Range coder" to "Tables", for slow_decoder.py."""
from slow_isa import BRANCH, BRANCH2, CALL, JUMP, LITERAL, LOW, PAIR, PAIR2, RAM, WORD, WORD8


class Refused(Exception):
    """The delta breaks a rule of the format."""


def require(condition, what):
    if not condition:
        raise Refused(what)


def signed_of(z):
    return z >> 1 if z & 1 == 0 else -(z + 1) // 2


RATE = [40960, 25206, 18204, 14247, 11703, 9930, 8192, 6554, 5461, 4369, 3641, 2979, 2521, 2048, 1638, 1092]


def log2_of(x):
    n = x.bit_length() - 1
    return (n << 8) + (x << 8 >> n)


STRETCH = [0, *(log2_of(p) - log2_of(4096 - p) for p in range(1, 4096))]


def squash(x):
    t = min(abs(x), 3840)
    e = (32768 - (t & 255) * 64) >> (t >> 8)
    v = (e << 16) // (32768 + e)
    return v if x < 0 else 65536 - v


class Counter:
    __slots__ = ("p", "n")

    def __init__(self):
        self.p, self.n = 2048, 0

    def update(self, limit, bit, noise):
        self.p += (((4095 if bit else 1) - self.p) * RATE[self.n] + noise) >> 16
        if self.n < limit:
            self.n += 1


def counters(count):
    return [Counter() for _ in range(count)]


class Number:
    """The counters of one context of numbers."""

    def __init__(self, cap):
        self.u, self.m, self.low = counters(cap), counters(cap), counters(3)


class Tables:
    def __init__(self, flag_class, table_size, full):
        cap = (8, 18, 22)[flag_class]
        self.gap, self.jump, self.old_length, self.map_start, self.call_fix, self.ram_fix = (
            Number(cap) for _ in range(6))
        self.contexts = [self.gap, self.jump, self.old_length, self.map_start, self.call_fix, self.ram_fix]
        if flag_class == 0:
            self.new_length = self.again_length = self.old_length
            self.distance = self.short_distance = self.jump
            self.map_shift = self.map_start
            self.other_fix, self.word_fix = self.call_fix, self.ram_fix
        else:
            own = [Number(cap) for _ in range(7)]
            self.new_length, self.again_length, self.distance, self.short_distance = own[:4]
            self.map_shift, self.other_fix, self.word_fix = own[4:]
            self.contexts += own
        self.kind_groups = 4 if flag_class == 0 else 12
        self.source, self.quiet, self.aligned = counters(4), counters(1), counters(2)
        self.jumps = [counters(8) for _ in range(4)]
        self.sectors, self.to_end = counters(2), counters(3)
        self.how = [counters(4) for _ in range(self.kind_groups)]
        self.r = [counters(n) for n in ((12, 16, 24), (144, 96, 144), (576, 192, 576))[flag_class] if not full]
        self.e = [counters(n) for n in ((32, 16, 16, 16), (128, 128, 256, 64), (256, 256, 512, 256))[flag_class]
                  if not full]
        self.b = [counters(table_size) for _ in range(5)]
        self.r_weights = [3549, 3549, 3549, 0]
        self.e_weights = [[2867] * 4 + [0] for _ in range(2)]
        self.b_weights = [[2457] * 6 for _ in range(5)]

    def everything(self):
        """All arrays of counters, for the workspace."""
        for context in self.contexts:
            yield from (context.u, context.m, context.low)
        yield from [self.source, self.quiet, self.aligned, self.sectors, self.to_end]
        yield from [*self.jumps, *self.how, *self.r, *self.e, *self.b]

    def group(self, kind):
        if self.kind_groups == 12:
            return kind
        return {CALL: 0, JUMP: 0, PAIR: 0, LOW: 0, PAIR2: 0, WORD: 1, WORD8: 1, RAM: 2, BRANCH: 3, BRANCH2: 3,
                LITERAL: 3}[kind]


class Decisions:
    """Range coder, and the models that stand on it."""

    def __init__(self, payload):
        self.payload, self.pos, self.noise = payload, 0, 0
        self.range, self.code = (1 << 32) - 1, 0
        for _ in range(4):
            self.code = self.code << 8 | self.next_byte()

    def next_byte(self):
        self.pos += 1
        require(self.pos <= len(self.payload) + 4, "the payload ends too early")
        return self.payload[self.pos - 1] if self.pos <= len(self.payload) else 0

    def draw(self):
        self.noise = (self.noise * 1664525 + 1013904223) & 0xffffffff
        return self.noise >> 16

    def decide(self, p):
        """A decision with probability p / 65536 of a 1."""
        bound = (self.range >> 16) * p + (((self.range & 0xffff) * p) >> 16)
        if self.code < bound:
            bit, self.range = 1, bound
        else:
            bit, self.code, self.range = 0, self.code - bound, self.range - bound
        while self.range < 1 << 24:
            self.range <<= 8
            self.code = (self.code << 8 | self.next_byte()) & 0xffffffff
        return bit

    def bit(self, counter):
        bit = self.decide(16 * counter.p)
        counter.update(14, bit, self.draw())
        return bit

    def mix(self, c, w, limit):
        inputs = [STRETCH[counter.p] for counter in c] + [111]
        p = squash(sum(i * weight for i, weight in zip(inputs, w)) >> 13)
        bit, noise = self.decide(p), self.draw()
        err = (65536 if bit else 0) - p
        for i, value in enumerate(inputs):
            w[i] = min(max(w[i] + ((err * value + 2 * noise) >> 17), -32768), 32767)
        for counter in c:
            counter.update(limit, bit, noise)
        return bit

    def number(self, context):
        last = len(context.u) - 1
        b = 0
        while self.bit(context.u[min(b, last)]):
            b += 1
            require(b <= 63, "a number is too large")
        y = 1
        for i in range(b):
            if i == 0:
                bit = self.bit(context.m[min(b, last)])
            elif i == b - 2:
                bit = self.bit(context.low[0])
            elif i == b - 1:
                bit = self.bit(context.low[1 + (y & 1)])
            else:
                bit = self.decide(32768)
            y = 2 * y + bit
        return y - 1

    def signed(self, context, aligned, scale):
        if scale < 2 and self.bit(aligned):
            scale = 2
        return signed_of(self.number(context)) << scale
