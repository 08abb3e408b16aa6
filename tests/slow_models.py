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
S = [
    2129, 2129, 1952, 1848, 1774, 1717, 1670, 1631, 1597, 1566, 1539, 1515, 1492, 1472, 1453, 1435, 1419, 1403, 1388,
    1374, 1361, 1349, 1337, 1325, 1314, 1304, 1294, 1284, 1275, 1266, 1257, 1248, 1236, 1221, 1206, 1192, 1179, 1167,
    1155, 1144, 1133, 1122, 1112, 1102, 1093, 1084, 1075, 1067, 1055, 1039, 1025, 1011, 998, 985, 973, 962, 951, 940,
    930, 920, 911, 902, 893, 884, 872, 856, 842, 827, 814, 801, 789, 778, 766, 755, 745, 735, 725, 716, 707, 698, 685,
    669, 654, 639, 625, 612, 599, 587, 575, 564, 553, 542, 532, 522, 512, 503, 489, 472, 455, 440, 424, 410, 396, 382,
    369, 356, 344, 332, 320, 309, 298, 287, 271, 250, 231, 211, 193, 175, 157, 139, 122, 106, 89, 73, 56, 40, 24, 8, 0]
T = [
    32768, 28693, 24743, 21025, 17625, 14595, 11955, 9702, 7812, 6249, 4971, 3938, 3108, 2446, 1921, 1506, 1179, 922,
    720, 562, 439, 342, 267, 208, 162, 126, 98, 77, 60, 47, 36, 28, 22, 17, 13, 10, 8, 6, 5, 4, 3, 2, 2, 1, 1, 1]


def toward_zero(a, b):
    return a // b if a >= 0 else -(-a // b)


def stretch(p):
    q = p if p <= 2048 else 4096 - p
    s = 0
    if q >= 32:
        while q >> s >= 32:
            s += 1
    i = (q >> s) + 16 * s
    return -S[i] if p <= 2048 else S[i]


STRETCH = [stretch(p) for p in range(4096)]


def squash(x):
    t = min(abs(x), 2815)
    v = T[t >> 6] - (((T[t >> 6] - T[(t >> 6) + 1]) * (t & 63)) >> 6)
    return v if x < 0 else 65536 - v


class Counter:
    __slots__ = ("p", "n")

    def __init__(self):
        self.p, self.n = 2048, 0

    def update(self, limit, bit, noise):
        self.p += (((4096 if bit else 0) - self.p) * RATE[self.n] + noise) >> 16
        self.p = min(max(self.p, 1), 4095)
        if self.n < limit:
            self.n += 1


def counters(count):
    return [Counter() for _ in range(count)]


class Number:
    """The counters of one context of numbers."""

    def __init__(self, cap):
        self.u, self.m, self.low = counters(cap), counters(cap), counters(3)


class Tables:
    def __init__(self, flag_class, table_size):
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
        self.r = [counters(n) for n in ((12, 16, 24), (144, 96, 144), (576, 192, 576))[flag_class]]
        self.e = [counters(n) for n in ((32, 16, 16, 16), (128, 128, 256, 64), (256, 256, 512, 256))[flag_class]]
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
        inputs = [STRETCH[counter.p] for counter in c] + [77]
        p = squash(toward_zero(sum(i * weight for i, weight in zip(inputs, w)), 8192))
        bit, noise = self.decide(p), self.draw()
        err = (65536 if bit else 0) - p
        for i, value in enumerate(inputs):
            change = (toward_zero(err * value, 1024) * 10 + (noise >> 6)) >> 10
            w[i] = min(max(w[i] + change, -32768), 32767)
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
