# SPDX-License-Identifier: Apache-2.0
"""Range coder, counters, mixers and numbers of docs/FORMAT.md, "Range coder" to "Tables", for slow_decoder.py."""


class Refused(Exception):
    """The delta breaks a rule of the format."""


def require(condition, what):
    if not condition:
        raise Refused(what)


def signed_of(z):
    return z >> 1 if z & 1 == 0 else -(z + 1) // 2


RATE = [160, 98, 71, 56, 46, 39, 32, 26, 21, 17, 14, 12, 10, 8, 6, 4]


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
        self.p += (((4095 if bit else 1) - self.p) * RATE[self.n] + (noise >> 8)) >> 8
        if self.n < limit:
            self.n += 1


def counters(count):
    return [Counter() for _ in range(count)]


NUMBERS = ["gap", "old_length", "distance", "map_shift", "map_start", "new_length", "jump", "short_distance", "fix",
           "again_length"]


BY_PHASE = ["gap", "old_length", "map_start", "new_length", "fix", "again_length"]


class Number:
    def __init__(self, bits, phases):
        self.bits = bits
        self.tree, self.low = counters(bits), [counters(3) for _ in range(phases)]

    def __len__(self):
        return self.bits - 1 + 3 * len(self.low)


class Tables:
    def __init__(self, flag_class, table_size, full, bits):
        phases = 1 if flag_class == 0 else 4
        contexts = [Number(bits, phases) for _ in range(4 if flag_class == 0 else len(NUMBERS))]
        self.numbers = {name: contexts[i % len(contexts)] for i, name in enumerate(NUMBERS)}
        self.quiet, self.sectors, self.to_end, self.source = counters(1), counters(3), counters(3), counters(2)
        self.jumps = [counters(5) for _ in range(6)]
        size = 0 if full else 16 << 2 * flag_class
        self.r, self.e = [counters(size) for _ in range(3)], [counters(size) for _ in range(4)]
        self.b = [counters(table_size) for _ in range(5)]
        self.r_weights, self.e_weights = [2867] * 4, [2867] * 5
        self.b_weights = [[2867] * 6 for _ in range(5)]
        self.count = sum(map(len, [*contexts, self.quiet, self.sectors, self.to_end, self.source, *self.jumps, *self.r,
                                   *self.e, *self.b]))


class Decisions:
    """Range coder, and the models that stand on it."""

    def __init__(self, payload):
        self.payload, self.pos, self.noise = payload, 0, 0
        self.range, self.code = 1, 0

    def next_byte(self):
        self.pos += 1
        require(self.pos <= len(self.payload) + 4, "the payload ends too early")
        return self.payload[self.pos - 1] if self.pos <= len(self.payload) else 0

    def draw(self):
        self.noise = (self.noise * 1664525 + 1013904223) & 0xffffffff
        return self.noise >> 16

    def decide(self, p):
        """A decision with probability p / 65536 of a 1."""
        while self.range < 1 << 24:
            self.range <<= 8
            self.code = (self.code << 8 | self.next_byte()) & 0xffffffff
        bound = (self.range >> 16) * p + (((self.range & 0xffff) * p) >> 16)
        if self.code < bound:
            self.range = bound
            return 1
        self.code, self.range = self.code - bound, self.range - bound
        return 0

    def bit(self, counter):
        bit = self.decide(16 * counter.p)
        counter.update(13, bit, self.draw())
        return bit

    def mix(self, c, w, limit):
        inputs = [STRETCH[counter.p] for counter in c] + [111]
        p = squash(sum(i * weight for i, weight in zip(inputs, w)) >> 13)
        bit, noise = self.decide(p), self.draw()
        err = (65536 if bit else 0) - p
        if limit <= 12:
            err >>= 1
        for i, value in enumerate(inputs):
            moved = w[i] + ((err * value + 2 * noise) >> 17)
            w[i] = moved if -32768 <= moved <= 32767 else w[i]
        for counter in c:
            counter.update(limit, bit, noise)
        return bit

    def number(self, context, new_pos, phase):
        node = 1
        while node < context.bits:
            if 4 <= node < 8:
                node ^= phase
            node = 2 * node + self.bit(context.tree[node])
        y = 1
        low = context.low[new_pos % len(context.low)]
        for left in range((node ^ phase * context.bits // 4) - context.bits - 1, -1, -1):
            y = 2 * y + (self.decide(32768) if left > 1 else self.bit(low[2 if left == 1 else y & 1]))
        return y - 1
