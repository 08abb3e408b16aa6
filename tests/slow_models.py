# SPDX-License-Identifier: Apache-2.0
"""Range coder, counters, mixers and numbers of docs/FORMAT.md, "Range coder" to "Tables", for slow_decoder.py."""


class Refused(Exception):
    """The delta breaks a rule of the format."""


def require(condition, what):
    if not condition:
        raise Refused(what)


def signed_of(z):
    return z >> 1 if z & 1 == 0 else -(z + 1) // 2


RATE = [2560, 1568, 1136, 896, 736, 624, 512, 416, 336, 272, 224, 192, 160, 128, 96, 64]


def log2_of(x):
    n = x.bit_length() - 1
    return (n << 8) + (x << 8 >> n)


def stretch(c):
    return log2_of(c) - log2_of(65536 - c)


def squash(x):
    x = max(-4096, min(4095, x))
    e = (512 - (x & 255)) << 22 >> ((x >> 8) + 16)
    return 0x7fff0000 // (e + 32768) + 1


class Counter:
    __slots__ = ("c",)

    def __init__(self):
        self.c = 32768

    def update(self, limit, bit, noise):
        n = self.c & 15
        self.c += (((65520 if bit else 31) - self.c) * RATE[n] + noise) >> 16 << 4
        if n < limit:
            self.c += 1


def counters(count):
    return [Counter() for _ in range(count)]


NUMBERS = ["gap", "old_length", "distance", "map_shift", "map_start", "new_length", "jump", "short_distance", "fix",
           "again_length"]


BY_PHASE = ["gap", "old_length", "map_start", "new_length", "fix", "again_length"]


def how_coded(context, place, length_phases, flag_class):
    """Which counters a number has: place, phase, and whether its length in bits counts in place of the place."""
    phases = length_phases if context in BY_PHASE else 0
    by_size = phases == 2 and flag_class > 0
    return place, phases if by_size else phases & place, by_size


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
        self.payload, self.pos = payload, 0
        self.range, self.code = 1, 0

    def next_byte(self):
        self.pos += 1
        require(self.pos <= len(self.payload) + 4, "the payload ends too early")
        return self.payload[self.pos - 1] if self.pos <= len(self.payload) else 0

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
        bit = self.decide(counter.c)
        counter.update(13, bit, self.range & 0xffff)
        return bit

    def mix(self, c, w, limit):
        inputs = [stretch(counter.c) for counter in c] + [111]
        p = squash(sum(i * weight for i, weight in zip(inputs, w)) >> 13)
        bit = self.decide(p)
        noise = self.range & 0xffff
        err = ((65536 if bit else 0) - p) >> (2 if limit <= 12 else 1)
        for i, value in enumerate(inputs):
            w[i] = max(-32768, min(32767, w[i] + ((err * value + noise) >> 16)))
        for counter in c:
            counter.update(limit, bit, noise)
        return bit

    def number(self, context, place, phase, by_size):
        node = 1
        while node < context.bits:
            if 4 <= node < 8:
                node ^= phase
            node = 2 * node + self.bit(context.tree[node])
        y = 1
        size = (node ^ phase * context.bits // 4) - context.bits
        low = context.low[min(size, 4) - 1 if by_size else place % len(context.low)]
        for i in range(size):
            nth = i if by_size else i - (size - 2)
            y = 2 * y + (self.bit(low[2 if nth == 0 else y & 1]) if nth in (0, 1) else self.decide(32768))
        return y - 1


class Learned:
    """The learned targets."""

    def __init__(self, cap):
        self.cap, self.next, self.slots = cap, 0, []

    def below(self, key):
        """Of the highest key up to this one: how far it is, the slot, the shift."""
        best = key, 0, 0
        for i, (k, shift) in enumerate(self.slots):
            if k <= key and key - k <= best[0]:
                best = key - k, i, shift
        return best

    def put(self, slot, key, shift):
        """slot: the one that has this key, or None for the next one."""
        if slot is not None:
            if slot < len(self.slots):
                self.slots[slot] = (key, shift)
            return
        if len(self.slots) < self.cap:
            self.slots.append((key, shift))
        else:
            self.slots[self.next] = (key, shift)
        self.next = (self.next + 1) % self.cap


class Prediction:
    """What "Prediction" says of one reference."""

    def __init__(self, target, source, slot=None):
        self.target, self.source = target, source
        self.slot = slot  # of a learned target with just this key
