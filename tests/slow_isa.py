# SPDX-License-Identifier: Apache-2.0
"""The instruction sets of docs/FORMAT.md, "Instruction sets", for slow_decoder.py: tables as they stand there."""

WORD, RAM, CALL, JUMP, BRANCH, BRANCH2, LITERAL, PAIR, LOW, PAIR2, WORD8 = range(1, 12)

THUMB, A32, AARCH64, XTENSA_CALL0, XTENSA, RISCV32, RISCV64, X86, X86_64, AVR, MIPS, MIPS_BE = range(1, 13)
ARC, VIDEOCORE = 13, 14
POWERPC, POWERPC_LE, HEXAGON, OFFSETS = 17, 18, 24, 26
WORDS_OF_4 = (A32, AARCH64, MIPS, MIPS_BE, POWERPC, POWERPC_LE, HEXAGON, OFFSETS)  # instructions are words of 4 bytes
NDS32, MIPS16, TC32, MCS51, BA2 = 19, 20, 21, 22, 23
HALFWORDS = (THUMB, RISCV32, RISCV64, AVR, ARC, VIDEOCORE, NDS32, MIPS16, TC32)  # at even addresses
SETS = (*range(25), 26)


class Ref:
    """A reference that was found."""

    def __init__(self, kind, form, length, target):
        self.kind, self.form, self.length, self.target = kind, form, length, target
        self.scale = 0
        self.lows = []  # (bytes on, form, delta)
        self.relative = self.anywhere = False


class Word:
    """Forms 64 .. 67."""

    scale = 0

    def __init__(self, length, order):
        self.length, self.order = length, order

    def get(self, data, _pc, _bits):
        return int.from_bytes(data[:self.length], self.order)

    def put(self, data, _pc, target, _bits):
        return (target % (1 << 8 * self.length)).to_bytes(self.length, self.order) + data[self.length:]


WORDS = {(length, order): Word(length, order) for length in (4, 8) for order in ("little", "big")}


class Form:
    """One row. `base` is called with pc; None: the upper 32 bits of pc, plus `after`."""

    order = "little"

    def __init__(self, match, kind, length, base, value, after=0, also=None):
        self.mask, self.match = match if match else (0, 1)
        self.kind, self.length, self.base, self.after, self.also = kind, length, base, after, also
        self.sign, *fields = value.split() if value else ["u"]
        self.fields = []
        for field in fields:
            width, rest = field.split("@")
            self.fields.append((int(width), *map(int, rest.split(">"))))
        self.scale = self.fields[0][2] if self.fields else 0

    def number(self, data, length):
        return int.from_bytes(data[:length], self.order)

    def matches(self, data):
        insn = self.number(data, 4)
        return insn & self.mask == self.match and (self.also is None or self.also(insn))

    def base_of(self, pc):
        return (pc >> 32 << 32 if self.base is None else self.base(pc)) + self.after

    def top(self):
        width, _, to = self.fields[-1]
        return to + width - 1

    def field_bits(self, insn):
        value = 0
        for width, at, to in self.fields:
            value |= (insn >> at & ((1 << width) - 1)) << to
        return value

    def value(self, insn):
        value, top = self.field_bits(insn), 1 << self.top()
        if self.sign == "s" and value & top:
            value -= 2 * top
        elif self.sign == "d":
            value = value - top if value & top else -value
        # 32 bits; bit 31 is repeated above.
        value &= 0xffffffff
        return value - (1 << 32) if value >> 31 else value

    def get(self, data, pc, bits):
        """The target. (The bytes match: only the fields of a form that was found are ever rewritten.)"""
        return (self.base_of(pc) + self.value(self.number(data, self.length))) % (1 << bits)

    def bits_of(self, value):
        """What the fields hold for a value modulo 2^32."""
        if self.sign == "d":
            top = 1 << self.top()
            return ((1 << 32) - value) & ~top if value >> 31 else value | top
        return value

    def put(self, data, pc, target, _bits):
        insn = self.number(data, self.length)
        value = self.bits_of((target - self.base_of(pc)) & 0xffffffff)
        for width, at, to in self.fields:
            ones = (1 << width) - 1
            insn = insn & ~(ones << at) | (value >> to & ones) << at
        return insn.to_bytes(self.length, self.order) + data[self.length:]


class BigForm(Form):
    order = "big"


class NdsForm(BigForm):
    def matches(self, data):
        return self.number(data, self.length) & self.mask == self.match


class MirroredForm(Form):
    """The bits of each byte are the other way round."""

    def number(self, data, length):
        return int.from_bytes(mirrored(data[:length]), "little")

    def put(self, data, pc, target, bits):
        return mirrored(super().put(data, pc, target, bits)[:self.length]) + data[self.length:]


def mirrored(data):
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)


class X86Form:
    """`before`: bytes before the field; `behind`: of the instruction behind it; absolute or relative."""

    scale = 0

    def __init__(self, before, behind, absolute):
        self.before, self.behind, self.absolute = before, behind, absolute
        self.length = before + 4

    def base_of(self, pc):
        return 0 if self.absolute else pc + self.before + 4 + self.behind

    def get(self, data, pc, bits):
        value = int.from_bytes(data[self.before:self.before + 4], "little", signed=not self.absolute)
        return (self.base_of(pc) + value) % (1 << bits)

    def put(self, data, pc, target, _bits):
        field = ((target - self.base_of(pc)) & 0xffffffff).to_bytes(4, "little")
        return data[:self.before] + field + data[self.before + 4:]


def pc_plus(n, mask=0):
    return lambda pc: (pc + n) & ~mask


BL_VALUE = "s 11@16>1 11@0>12"
THUMB_FORMS = [
    Form((0xf800f800, 0xf800f000), CALL, 4, pc_plus(4), BL_VALUE),
    Form((0xf800f800, 0xb800f000), JUMP, 4, pc_plus(4), BL_VALUE),
    Form((0xd000f800, 0x8000f000), BRANCH, 4, pc_plus(4), "s 11@16>1 6@0>12 1@29>18 1@27>19 1@10>20"),
    Form((0xf800, 0xe000), BRANCH, 2, pc_plus(4), "s 11@0>1"),
    Form((0xf000, 0xd000), BRANCH, 2, pc_plus(4), "s 8@0>1", also=lambda insn: insn >> 8 & 15 < 14),
    Form((0xf500, 0xb100), BRANCH2, 2, pc_plus(4), "u 5@3>1 1@9>6"),
    Form((0xf800, 0x4800), LITERAL, 2, pc_plus(4, 3), "u 8@0>2"),
]

A32_FORMS = [
    Form((0xfe000000, 0xfa000000), CALL, 4, pc_plus(8), "s 1@24>1 24@0>2"),
    Form((0xf0000000, 0xf0000000), None, 4, None, None),
    Form((0xff000000, 0xea000000), JUMP, 4, pc_plus(8), "s 24@0>2"),
    Form((0x0f000000, 0x0a000000), BRANCH, 4, pc_plus(8), "s 24@0>2"),
    Form((0x0f000000, 0x0b000000), CALL, 4, pc_plus(8), "s 24@0>2"),
    Form((0x0f3f0000, 0x051f0000), LITERAL, 4, pc_plus(8), "d 12@0>0 1@23>12"),
    Form((0x0f3f0000, 0x0d1f0000), LITERAL, 4, pc_plus(8), "d 8@0>2 1@23>10"),
    Form((0x0ff00000, 0x03000000), PAIR, 4, None, "u 12@0>0 4@16>12"),
    Form((0x0ff00000, 0x03400000), LOW, 4, None, "u 12@0>16 4@16>28"),
]

AARCH64_FORMS = [
    Form((0x9f000000, 0x90000000), PAIR, 4, pc_plus(0, 0xfff), "s 2@29>12 18@5>14 1@23>31"),
    Form((0xfc000000, 0x94000000), CALL, 4, pc_plus(0), "s 26@0>2"),
    Form((0xfc000000, 0x14000000), JUMP, 4, pc_plus(0), "s 26@0>2"),
    Form((0xff000000, 0x54000000), BRANCH, 4, pc_plus(0), "s 19@5>2"),
    Form((0x7e000000, 0x34000000), BRANCH, 4, pc_plus(0), "s 19@5>2"),
    Form((0x7e000000, 0x36000000), BRANCH2, 4, pc_plus(0), "s 14@5>2"),
    Form((0x3b000000, 0x18000000), LITERAL, 4, pc_plus(0), "s 19@5>2"),
    Form((0x9f000000, 0x10000000), LITERAL, 4, pc_plus(0), "s 2@29>0 19@5>2"),
    Form((0xffc00000, 0x91000000), LOW, 4, None, "u 12@10>0"),
    Form((0xff000000, 0x39000000), LOW, 4, None, "u 12@10>0"),
    Form((0xff800000, 0x3d000000), LOW, 4, None, "u 12@10>0"),
    Form((0xffbc0000, 0x3d800000), LOW, 4, None, "u 8@10>4"),
    Form((0xfb200000, 0x79000000), LOW, 4, None, "u 11@10>1"),
    Form((0xfb300000, 0xb9000000), LOW, 4, None, "u 10@10>2"),
    Form((0xfb380000, 0xf9000000), LOW, 4, None, "u 9@10>3"),
]

XTENSA_FORMS = [
    Form((0xf, 0x1), LITERAL, 3, pc_plus(3, 3), "u 16@8>2", after=-0x40000),
    Form((0x3f, 0x06), JUMP, 3, pc_plus(4), "s 18@6>0"),
    Form((0x3f, 0x16), BRANCH, 3, pc_plus(4), "s 12@12>0"),
    Form((0x3f, 0x26), BRANCH2, 3, pc_plus(4), "s 8@16>0"),
    Form((0xbf, 0xb6), BRANCH2, 3, pc_plus(4), "s 8@16>0"),
    Form((0x80ff, 0x8076), BRANCH2, 3, pc_plus(4), "u 8@16>0"),
    Form((0xf, 0x7), BRANCH2, 3, pc_plus(4), "s 8@16>0"),
    Form((0x8f, 0x8c), BRANCH2, 2, pc_plus(4), "u 4@12>0 2@4>4"),
    Form((0x3f, 0x05), CALL, 3, pc_plus(4, 3), "s 18@6>2"),
    Form((0xf, 0x5), CALL, 3, pc_plus(4, 3), "s 18@6>2"),
]
WINDOWED_FORMS = [*XTENSA_FORMS[:8], Form((0x3f, 0x05), None, 3, None, None), XTENSA_FORMS[9]]

JAL_VALUE = "s 10@21>1 1@20>11 8@12>12 1@31>20"
CJ_VALUE = "s 3@3>1 1@11>4 1@2>5 1@7>6 1@6>7 2@9>8 1@8>10 1@12>11"
RISCV_FORMS = [
    Form((0x7f, 0x17), PAIR, 4, pc_plus(0), "s 20@12>12", after=-0x800),
    Form((0x7f, 0x37), PAIR, 4, None, "u 20@12>12", after=-0x800),
    Form((0xfff, 0x6f), JUMP, 4, pc_plus(0), JAL_VALUE),
    Form((0x7f, 0x6f), CALL, 4, pc_plus(0), JAL_VALUE),
    Form((0x7f, 0x63), BRANCH, 4, pc_plus(0), "s 4@8>1 6@25>5 1@7>11 1@31>12"),
    Form((0xc003, 0xc001), BRANCH2, 2, pc_plus(0), "s 2@3>1 2@10>3 1@2>5 2@5>6 1@12>8"),
    Form((0xe003, 0xa001), BRANCH2, 2, pc_plus(0), CJ_VALUE),
    Form((0x7b, 0x03), LOW, 4, None, "s 12@20>0"),
    Form((0x7077, 0x13), LOW, 4, None, "s 12@20>0"),
    Form((0x707f, 0x67), LOW, 4, None, "s 12@20>0"),
    Form((0x7b, 0x23), LOW, 4, None, "s 5@7>0 7@25>5"),
    Form((0xe003, 0x2001), BRANCH2, 2, pc_plus(0), CJ_VALUE),
]

AVR_FORMS = [
    Form((0xfe0e, 0x940e), CALL, 4, None, "u 16@16>1 1@0>17 5@4>18"),
    Form((0xfe0e, 0x940c), JUMP, 4, None, "u 16@16>1 1@0>17 5@4>18"),
    Form((0xfc0f, 0x9000), RAM, 4, None, "u 16@16>0", after=0x800000),
    Form((0xe000, 0xc000), BRANCH, 2, pc_plus(2), "s 12@0>1"),
    Form((0xf800, 0xf000), BRANCH2, 2, pc_plus(2), "s 7@3>1"),
    Form((0xf000, 0xe000), PAIR, 2, None, "u 4@0>0 4@8>4", after=0x800000),
    Form(None, LOW, 2, None, "u 4@0>8 4@8>12"),
]


def mips_forms(form):
    return [
        form((0xffe00000, 0x3c000000), PAIR, 4, None, "u 16@0>16", after=-0x8000),
        form((0xfc000000, 0x0c000000), CALL, 4, pc_plus(4, 0x0fffffff), "u 26@0>2"),
        form((0xfc000000, 0x08000000), JUMP, 4, pc_plus(4, 0x0fffffff), "u 26@0>2"),
        form((0xffff0000, 0x04110000), CALL, 4, pc_plus(4), "s 16@0>2"),
        form((0xb0000000, 0x10000000), BRANCH, 4, pc_plus(4), "s 16@0>2"),
        form((0xfc0c0000, 0x04000000), BRANCH, 4, pc_plus(4), "s 16@0>2"),
        form((0xfc000000, 0x24000000), LOW, 4, None, "s 16@0>0"),
        form((0xfc000000, 0x64000000), LOW, 4, None, "s 16@0>0"),
        form((0x80000000, 0x80000000), LOW, 4, None, "s 16@0>0"),
    ]


ARC_FORMS = [
    Form((0xf803, 0x0802), CALL, 4, pc_plus(0, 3), "s 9@2>2 10@22>11 4@16>21"),
    Form((0xf803, 0x0800), CALL, 4, pc_plus(0, 3), "s 9@2>2 10@22>11"),
    Form((0xf801, 0x0001), JUMP, 4, pc_plus(0, 3), "s 10@1>1 10@22>11 4@16>21"),
    Form((0xf801, 0x0000), BRANCH, 4, pc_plus(0, 3), "s 10@1>1 10@22>11"),
    Form((0xf801, 0x0801), BRANCH2, 4, pc_plus(0, 3), "s 7@1>1 1@31>8"),
    Form((0xf800, 0xf800), CALL, 2, pc_plus(0, 3), "s 11@0>2"),
    Form((0xfe00, 0xf600), None, 2, None, None),
    Form((0xf800, 0xf000), BRANCH2, 2, pc_plus(0, 3), "s 9@0>1"),
    Form((0xf800, 0xe800), BRANCH2, 2, pc_plus(0, 3), "s 7@0>1"),
    Form((0xf800, 0xd000), LITERAL, 2, pc_plus(0, 3), "u 8@0>2"),
    Form((0xf8ff, 0x70cf), PAIR2, 6, None, "u 16@32>0 16@16>16"),
]

VIDEOCORE_FORMS = [
    Form((0xf080, 0x9080), CALL, 4, pc_plus(0), "s 16@16>1 7@0>17 4@8>24"),
    Form((0xff80, 0x9e00), JUMP, 4, pc_plus(0), "s 16@16>1 7@0>17"),
    Form((0xf080, 0x9000), BRANCH, 4, pc_plus(0), "s 16@16>1 7@0>17"),
    Form((0xf800, 0x1800), BRANCH2, 2, pc_plus(0), "s 7@0>1"),
    Form((0xffe0, 0xbfe0), LITERAL, 4, pc_plus(0), "s 16@16>0"),
    Form((0xffe0, 0xe500), LITERAL, 6, pc_plus(0), "u 16@16>0 16@32>16"),
    Form((0xff20, 0xe700), LITERAL, 6, pc_plus(0), "s 16@16>0 11@32>16"),
    Form((0xff00, 0xa800), RAM, 4, None, "s 16@16>0"),
    Form((0xffe0, 0xb700), RAM, 4, None, "s 16@16>0"),
    Form((0xffe0, 0xef00), RAM, 6, None, "u 16@16>0 16@32>16"),
    Form((0xff00, 0xe600), RAM, 6, None, "s 16@16>0 11@32>16"),
]


def powerpc_forms(form):
    return [
        form((0xfc000003, 0x48000001), CALL, 4, pc_plus(0), "s 24@2>2"),
        form((0xfc000003, 0x48000000), JUMP, 4, pc_plus(0), "s 24@2>2"),
        form((0xfc000002, 0x40000000), BRANCH, 4, pc_plus(0), "s 14@2>2"),
        form((0xfc000000, 0x3c000000), PAIR, 4, None, "u 16@0>16", after=-0x8000),
        form((0xfc000000, 0x38000000), LOW, 4, None, "s 16@0>0"),
        form((0xc0000000, 0x80000000), LOW, 4, None, "s 16@0>0"),
        form((0xe0000000, 0xc0000000), LOW, 4, None, "s 16@0>0"),
        form((0xec000000, 0xe8000000), LOW, 4, None, "s 14@2>2"),
    ]


NDS32_FORMS = [
    NdsForm((0xff000000, 0x49000000), CALL, 4, pc_plus(0), "s 24@0>1"),
    NdsForm((0xff000000, 0x48000000), JUMP, 4, pc_plus(0), "s 24@0>1"),
    NdsForm((0xfe000000, 0x4e000000), BRANCH, 4, pc_plus(0), "s 16@0>1"),
    NdsForm((0xfe000000, 0x4c000000), BRANCH2, 4, pc_plus(0), "s 14@0>1"),
    NdsForm((0xe000, 0xc000), BRANCH2, 2, pc_plus(0), "s 8@0>1"),
    NdsForm((0xfe00, 0xe800), BRANCH2, 2, pc_plus(0), "s 8@0>1"),
    NdsForm((0xfe000000, 0x46000000), PAIR, 4, None, "u 20@0>12"),
    NdsForm((0xfe000000, 0x58000000), LOW, 4, None, "u 12@0>0"),
    NdsForm((0xfe000000, 0x50000000), LOW, 4, None, "u 12@0>0"),
    NdsForm((0xee000000, 0x04000000), LOW, 4, None, "u 10@0>2"),
    NdsForm((0xee000000, 0x02000000), LOW, 4, None, "u 11@0>1"),
    NdsForm((0xfe000000, 0x22000000), LOW, 4, None, "u 11@0>1"),
    NdsForm((0xee000000, 0x00000000), LOW, 4, None, "u 12@0>0"),
    NdsForm((0xfe000000, 0x20000000), LOW, 4, None, "u 12@0>0"),
]

MIPS16_FORMS = [
    Form((0xf800, 0x1800), CALL, 4, pc_plus(2, 0x0fffffff), "u 16@16>2 5@5>18 5@0>23"),
    Form((0xf800f800, 0x1000f000), JUMP, 4, pc_plus(4), "s 5@16>1 6@5>6 5@0>12"),
    Form((0xf000f800, 0x2000f000), BRANCH, 4, pc_plus(4), "s 5@16>1 6@5>6 5@0>12"),
    Form((0xfe00f800, 0x6000f000), BRANCH, 4, pc_plus(4), "s 5@16>1 6@5>6 5@0>12"),
    Form((0xf800f800, 0xb000f000), LITERAL, 4, pc_plus(0, 3), "s 5@16>0 6@5>5 5@0>11"),
    Form((0xf800f800, 0x0800f000), LITERAL, 4, pc_plus(0, 3), "s 5@16>0 6@5>5 5@0>11"),
    Form((0xf800, 0xf000), None, 4, None, None),
    Form((0xf800, 0x1000), BRANCH2, 2, pc_plus(2), "s 11@0>1"),
    Form((0xf000, 0x2000), BRANCH2, 2, pc_plus(2), "s 8@0>1"),
    Form((0xfe00, 0x6000), BRANCH2, 2, pc_plus(2), "s 8@0>1"),
    Form((0xf800, 0xb000), LITERAL, 2, pc_plus(0, 3), "u 8@0>2"),
    Form((0xf800, 0x0800), LITERAL, 2, pc_plus(0, 3), "u 8@0>2"),
]

TC32_FORMS = [
    Form((0xf800f800, 0x98009000), CALL, 4, pc_plus(4), BL_VALUE),
    Form((0xf800, 0x8000), BRANCH, 2, pc_plus(4), "s 11@0>1"),
    Form((0xfe00, 0xce00), None, 2, None, None),
    Form((0xf000, 0xc000), BRANCH, 2, pc_plus(4), "s 8@0>1"),
    Form((0xf800, 0x0800), LITERAL, 2, pc_plus(4, 3), "u 8@0>2"),
]

ADDRESS = "u 8@16>0 8@8>8"
MCS51_FORMS = [
    Form((0x80ff, 0x8012), CALL, 3, pc_plus(0, 0xffff), ADDRESS),
    Form((0xff, 0x12), CALL, 3, None, ADDRESS),
    Form((0x80ff, 0x8002), JUMP, 3, pc_plus(0, 0xffff), ADDRESS),
    Form((0xff, 0x02), JUMP, 3, None, ADDRESS),
    Form((0xff, 0x90), RAM, 3, None, ADDRESS, after=0x800000),
    Form((0xf8, 0x78), PAIR, 2, None, "u 8@8>0", after=0x800000),
    Form(None, LOW, 2, None, "u 8@8>8"),
    Form((0xcf, 0x40), BRANCH2, 2, pc_plus(2), "s 8@8>0"),
    Form((0xff, 0x80), BRANCH2, 2, pc_plus(2), "s 8@8>0"),
    Form((0xf8, 0xd8), BRANCH2, 2, pc_plus(2), "s 8@8>0"),
    Form((0xff, 0x10), BRANCH2, 3, pc_plus(3), "s 8@16>0"),
    Form((0xef, 0x20), BRANCH2, 3, pc_plus(3), "s 8@16>0"),
    Form((0xfc, 0xb4), BRANCH2, 3, pc_plus(3), "s 8@16>0"),
    Form((0xf8, 0xb8), BRANCH2, 3, pc_plus(3), "s 8@16>0"),
    Form((0xff, 0xd5), BRANCH2, 3, pc_plus(3), "s 8@16>0"),
    Form(None, LITERAL, 3, None, "u 24@0>0"),
]

BA2_FORMS = [
    MirroredForm((0x3f, 0x12), CALL, 3, pc_plus(0), "s 18@6>0"),
    MirroredForm((0xff, 0x2b), CALL, 4, pc_plus(0), "s 24@8>0"),
    MirroredForm((0xff, 0xab), JUMP, 4, pc_plus(0), "s 24@8>0"),
    MirroredForm((0x7f, 0x6b), BRANCH, 4, pc_plus(0), "s 24@8>0"),
    MirroredForm((0xff, 0x62), JUMP, 3, pc_plus(0), "s 16@8>0"),
    MirroredForm((0x7ff, 0x4e2), BRANCH, 3, pc_plus(0), "s 12@12>0"),
    MirroredForm((0x3ff, 0x2e2), BRANCH, 3, pc_plus(0), "s 12@12>0"),
    MirroredForm((0x3f, 0x0b), BRANCH, 4, pc_plus(0), "s 12@20>0"),
    MirroredForm((0x3f, 0x02), BRANCH2, 3, pc_plus(0), "s 8@16>0"),
    MirroredForm((0x7f, 0x22), BRANCH2, 3, pc_plus(0), "s 8@16>0"),
    MirroredForm((0x3f, 0x30), BRANCH2, 2, pc_plus(0), "s 10@6>0"),
    MirroredForm((0xf83f, 0x19), RAM, 6, None, "u 16@16>0 16@32>16"),
    MirroredForm((0xf81f, 0x01), RAM, 6, None, "u 16@16>0 16@32>16"),
    MirroredForm((0xf83f, 0x11), RAM, 6, None, "u 31@17>1"),
    MirroredForm((0xf83f, 0x31), RAM, 6, None, "u 30@18>2"),
]

HEXAGON_FORMS = [
    Form((0xfe004000, 0x5a004000), CALL, 4, pc_plus(0), "s 13@1>2 9@16>15"),
    Form((0xc000, 0x0000), LOW, 4, None, "u 6@20>0"),
    Form((0xf0000000, 0x00000000), PAIR, 4, None, "u 14@0>6 12@16>20"),
    Form((0xfe000000, 0x58000000), JUMP, 4, pc_plus(0), "s 13@1>2 9@16>15"),
    Form((0xff000000, 0x5d000000), CALL, 4, pc_plus(0), "s 7@1>2 1@13>9 5@16>10 2@22>15"),
    Form((0xff000000, 0x5c000000), BRANCH, 4, pc_plus(0), "s 7@1>2 1@13>9 5@16>10 2@22>15"),
    Form((0xff000000, 0x61000000), BRANCH, 4, pc_plus(0), "s 11@1>2 1@13>13 1@21>14"),
    Form((0xf0000000, 0x10000000), BRANCH2, 4, pc_plus(0), "s 7@1>2 2@20>9"),
    Form((0xf0000000, 0x20000000), BRANCH2, 4, pc_plus(0), "s 7@1>2 2@20>9"),
    Form((0xfe000000, 0x3c000000), LOW, 4, None, "u 6@0>0"),
    Form((0xf9000000, 0x48000000), LOW, 4, None, "u 6@0>0"),
    Form((0xf0000000, 0xa0000000), LOW, 4, None, "u 6@0>0"),
    Form((0xf8000000, 0x98000000), LOW, 4, None, "u 2@5>0 4@8>2"),
    Form((0, 0), LOW, 4, None, "u 6@5>0"),
]

OFFSETS_FORMS = [Form((0xffff0000, small), None, 4, None, None) for small in (0, 0xffff0000)]
OFFSETS_FORMS.append(Form((0, 0), LITERAL, 4, pc_plus(0), "s 31@0>0 1@31>31"))

FORMS = {
    THUMB: THUMB_FORMS, A32: A32_FORMS, AARCH64: AARCH64_FORMS, XTENSA_CALL0: XTENSA_FORMS[:9], XTENSA: WINDOWED_FORMS,
    RISCV32: RISCV_FORMS, RISCV64: RISCV_FORMS[:11], AVR: AVR_FORMS, MIPS: mips_forms(Form),
    MIPS_BE: mips_forms(BigForm), ARC: ARC_FORMS, VIDEOCORE: VIDEOCORE_FORMS,
    POWERPC: powerpc_forms(BigForm), POWERPC_LE: powerpc_forms(Form),
    NDS32: NDS32_FORMS, MIPS16: MIPS16_FORMS, TC32: TC32_FORMS, MCS51: MCS51_FORMS, BA2: BA2_FORMS,
    HEXAGON: HEXAGON_FORMS, OFFSETS: OFFSETS_FORMS,
}


# ------------------------------------------------------------------------------------------------- the second halves

def le32(data, at=0):
    return int.from_bytes(data[at:at + 4], "little")


class Pair:
    """Collects the second halves of a first half."""

    def __init__(self):
        self.target, self.lows = None, []

    def full(self):
        return len(self.lows) == 3

    def add(self, at, form, target):
        if self.target is None:
            self.target = target
        delta = target - self.target
        if -32768 <= delta <= 32767:
            self.lows.append((at, form, delta))


def first_match(forms, view):
    return next((form for form in forms if form.matches(view)), None)


def table_pair(isa, form, view, pc, registers, rounding=0):
    """`registers`: lowest bits of the one that the first half writes, a second half reads, a second half writes."""
    pair, forms = Pair(), FORMS[isa]
    ones = 15 if isa == A32 else 31
    first, second, written = registers
    register = form.number(view, 4) >> first & ones
    at = 4
    while at <= 28 and not pair.full():
        insn, half = form.number(view[at:], 4), first_match(forms, view[at:])
        if half is not None and half.kind == LOW and insn >> second & ones == register:
            pair.add(at, half, form.base_of(pc) + rounding + form.value(form.number(view, 4)) + half.value(insn))
        if half is not None and half.kind in (LOW, PAIR) and insn >> written & ones == register:
            break
        at += step_of(isa, view[at:], 0)[0]
    return pair


def avr_pair(form, view, _pc):
    pair, first, at = Pair(), le32(view), 2
    while at <= 28:
        second = le32(view, at)
        if second & 0xf000 == 0xe000:
            if second >> 4 & 15 == (first >> 4 & 15) + 1:
                pair.add(at, AVR_FORMS[6], 0x800000 + form.field_bits(first) + AVR_FORMS[6].field_bits(second))
                break
            if second >> 4 & 15 == first >> 4 & 15:
                break
        at += 4 if any(wide.matches(view[at:]) for wide in AVR_FORMS[:3]) else 2
    return pair


THREE_BYTES = {0x02, 0x10, 0x12, 0x20, 0x30, 0x43, 0x53, 0x63, 0x75, 0x85, 0x90, 0xd5, *range(0xb4, 0xc0)}
TWO_BYTES = {0x40, 0x50, 0x60, 0x70, 0x80, 0xa0, 0xb0, 0xc0, 0xd0, 0x42, 0x52, 0x62, 0x72, 0x82, 0x92, 0xa2, 0xb2, 0xc2, 0xd2,
             0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x94, *range(0x76, 0x80), *range(0x86, 0x90), *range(0xa6, 0xb0),
             *range(0xd8, 0xe0)}


def mcs51_length(first):
    if first in THREE_BYTES:
        return 3
    return 2 if first in TWO_BYTES or first & 15 == 1 or first & 15 == 5 and first != 0xa5 else 1


def mcs51_pair(form, view, pc):
    pair, at = Pair(), 2
    while at <= 28:
        if view[at] & 0xf8 == 0x78:
            if view[at] == view[0] + 1:
                pair.add(at, MCS51_FORMS[6], form.base_of(pc) + view[1] + (view[at + 1] << 8))
                break
            if view[at] == view[0]:
                break
        at += mcs51_length(view[at])
    return pair


def hexagon_pair(form, view, pc):
    pair = Pair()
    for at in range(4, 32, 4):
        half = first_match(HEXAGON_FORMS, view[at:])
        if half.kind == LOW:
            pair.add(at, half, form.base_of(pc) + form.value(le32(view)) + half.value(le32(view, at)))
        if half.kind in (LOW, PAIR):
            break
    return pair


def mcs51_far(view, kinds):
    return kinds >> LITERAL & 1 and view[3] == view[9] == 0x12 and view[4:6] == view[10:12]


def pair_of(isa, form, view, pc):
    if isa == MCS51:
        return mcs51_pair(form, view, pc)
    if isa == HEXAGON:
        return hexagon_pair(form, view, pc)
    if isa == AVR:
        return avr_pair(form, view, pc)
    if isa == A32:
        return table_pair(isa, form, view, pc, (12, 12, 12))
    if isa == AARCH64:
        return table_pair(isa, form, view, pc, (0, 5, 0))
    if isa in (RISCV32, RISCV64):
        return table_pair(isa, form, view, pc, (7, 15, 7), 0x800)
    if isa in (POWERPC, POWERPC_LE):
        return table_pair(isa, form, view, pc, (21, 16, 21), 0x8000)
    if isa == NDS32:
        return table_pair(isa, form, view, pc, (20, 15, 20))
    return table_pair(isa, form, view, pc, (16, 21, 16), 0x8000)


# --------------------------------------------------------------------------------------------------------------- x86

def hex_set(text):
    found = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found |= set(range(int(first, 16), int(last or first, 16) + 1))
    return found


HAS_MEMORY = hex_set("00-03 08-0B 10-13 18-1B 20-23 28-2B 30-33 38-3B 63 69 6B 80 81 83-8B 8D 8F C0 C1 C6 C7 D0-D3 "
                     "D8-DF F6 F7 FE FF")
EAX_OR_IMMEDIATE = hex_set("A0-A3 B8-BF 68")


def x86_behind(b, second):
    if b in (0x69, 0x81, 0xc7) or b == 0xf7 and second & 0x30 == 0:
        return 4
    return int(b in (0x6b, 0x80, 0x83, 0xc0, 0xc1, 0xc6) or b == 0xf6 and second & 0x30 == 0)


def x86_find(wide, view):
    """Kind and form of what begins here, or None."""
    b, second, third = view[0], view[1], view[2]
    if b in (0xe8, 0xe9):
        return CALL if b == 0xe8 else JUMP, X86Form(1, 0, False)
    if b == 0x0f and second & 0xf0 == 0x80:
        return BRANCH, X86Form(2, 0, False)
    memory = LITERAL if wide else PAIR2
    if b == 0x0f and third & 0xc7 == 5:
        return memory, X86Form(3, 0, not wide)
    if b in HAS_MEMORY and second & 0xc7 == 5:
        return memory, X86Form(2, x86_behind(b, second) if wide else 0, not wide)
    if not wide and b in EAX_OR_IMMEDIATE:
        return PAIR2, X86Form(1, 0, True)
    return None


# ------------------------------------------------------------------------------------------------------ type records

class Number:
    """Forms 96 and 97: 24 bits of a word, twice."""

    scale = 1

    def __init__(self, base):
        self.base = base

    def get(self, data, _pc, _bits):
        return self.base + 2 * int.from_bytes(data[:3], "little")

    def put(self, data, _pc, target, _bits):
        return ((target - self.base) % (1 << 32) // 2 % (1 << 24)).to_bytes(3, "little") + data[3:]


NAME, TYPE = Number(0xfa000000), Number(0xfc000000)

# What stands so many words (the remainder by the length) before a record's end.
A, B, C, D, E, F = ([NAME, None, TYPE], [NAME, TYPE], [NAME, None], [NAME, None, None], [TYPE, None, None],
                    [TYPE, None, TYPE])
LAYOUTS = {1: (D, 1), 2: (B, 0), 3: (F, 3), 4: (A, None), 5: (A, None), 6: (C, None), 7: (C, 0), 8: (B, 0), 9: (B, 0),
           10: (B, 0), 11: (B, 0), 12: (B, 0), 13: (B, None), 14: (A, 1), 15: (E, None), 16: (C, 0), 17: (A, 1),
           18: (B, 0), 19: (D, None)}


def record_kind(info):
    return info >> 24 & 31 if info & 0x60ff0000 == 0 and info >> 24 & 31 in LAYOUTS else None


def record_at(view):
    """Layout and words of the record that begins here, or None, 0."""
    words = [le32(view, at) for at in range(0, 32, 4)]
    kind, count = record_kind(words[1]), words[1] & 0xffff
    if kind is None or words[0] >> 24 or words[2] >> 24:
        return None, 0
    layout, more = LAYOUTS[kind]
    if more is None:
        more = count * len(layout)
    elif count > (2 if kind == 12 else 0):
        return None, 0
    length = 3 + more
    if any(layout[(length - i) % len(layout)] and words[i] >> 24 for i in range(3, min(8, length))):
        return None, 0
    if length + 1 < 8 and record_kind(words[length + 1]) is None:
        return None, 0
    return layout, length


def record(view, pc, boundary, layout, rest):
    """Layout of the type record that lies here (0: none does), bytes to its end, and the reference or None."""
    what = NAME
    if boundary:
        layout, rest = record_at(view) if pc % 4 == 0 else (None, 0)
        rest *= 4
    elif layout:
        what = layout[rest // 4 % len(layout)] if rest % 4 == 0 else None
    if not layout:
        return 0, 0, None
    ref = None
    if what and 0 < le32(view) < 1 << 24:
        ref = Ref(WORD if what is NAME else RAM, what, 4, what.get(view, pc, 32))
        ref.scale, ref.anywhere = 1, True
    return layout, rest, ref


# --------------------------------------------------------------------------------------------------------- ELF files

class FromBase:
    """Forms 80 to 83: the lowest 32 bits of a distance from a base, or (back) to it; the base is given for the pc."""

    scale = 0

    def __init__(self, base, back=False):
        self.base, self.sign = base, -1 if back else 1

    def get(self, data, base, bits):
        return base + self.sign * signed32(le32(data)) & (1 << bits) - 1

    def put(self, data, base, target, _bits):
        return (self.sign * (target - base) % (1 << 32)).to_bytes(4, "little") + data[4:]


FILE_WORD, ENTRY, BACK, FUNCTION = FromBase("file"), FromBase("table"), FromBase("pc", True), FromBase("pc")
FRAME = "frame"


def low32(x):
    return x & 0xffffffff


def signed32(x):
    return (x ^ 1 << 31) - (1 << 31)


class Files:
    """The headers and tables passed last: what the payload's ELF files need."""

    def __init__(self):
        self.at = {"file": (0, 0), "table": (0, 0)}  # of old, of new
        self.entries = 0  # bytes

    def new_base(self, form, new_pc):
        """What a form counts from at an address of new."""
        return new_pc if form.base == "pc" else new_pc - low32(new_pc - self.at[form.base][1])

    def scan(self, view, pc, new_pc, boundary, record, rest, bits):
        """Whether a frame lies here, the bytes that the sweep goes on by (None: as ever), and the reference or None."""
        record = record if record == FRAME and not boundary else 0
        if pc % 4 != 0:
            return record, rest if record else None, None
        words = [le32(view, at) for at in range(0, 16, 4)]
        elf, table = words[0] == 0x464c457f and words[1] & 0xffff == 0x0102, words[0] == 0x3b031b01
        if elf or table:
            self.at["file" if elf else "table"] = low32(pc), low32(new_pc)
            self.entries = 8 * words[2] if table and words[2] < 1 << 24 else 0
            return 0, None, None
        at = low32(pc - self.at["table"][0] - 12)
        if at < self.entries:
            return 0, 4, from_base(WORD if at & 4 == 0 else CALL, ENTRY, 4, view, pc - at - 12, bits)
        if boundary:
            return (FRAME, 12, None) if is_frame(words) else (0, None, None)
        if not record:
            return 0, None, None
        if rest == 8:
            return record, rest, from_base(RAM, BACK, 4, view, pc, bits)
        return record, rest, from_base(WORD, FUNCTION, 4, view, pc, bits) if rest == 4 else None

    def word(self, view, pc, new_pc, bits):
        distance = low32(pc - self.at["file"][0])
        if pc % 4 or distance % 8 or low32(new_pc - self.at["file"][1]) % 8:
            return None
        if not 0x1000 <= le32(view) < 1 << 28 or le32(view, 4):
            return None
        return from_base(WORD8, FILE_WORD, 8, view, pc - distance, bits)


def from_base(kind, form, length, view, base, bits):
    ref = Ref(kind, form, length, form.get(view, base, bits))
    ref.anywhere = True
    return ref


def is_frame(words):
    length, back, function, size = words
    return (length % 4 == 0 and 12 <= length < 0x40c and back % 4 == 0 and 0 < back < 1 << 27 and
            function != 0 and abs(signed32(function) + 0.5) < 1 << 27 and 0 < size < 1 << 27)


# -------------------------------------------------------------------------------------------------------------- seam

def xtensa_padding(view, phase):
    if view[0] != 0 or view[1] == view[2] == 0:
        return 0
    if phase == 2:
        return 2 if view[1] == 0 else 0
    return 1 if phase == 3 and view[2] not in (0x40, 0xa1) else 0


def step_of(isa, view, pc):
    """The sweep's step, and whether anything can be found here at all."""
    first = int.from_bytes(view[:2], "little")
    if isa in HALFWORDS and pc % 2 != 0 or isa in WORDS_OF_4 and pc % 4 != 0:
        return 1, False
    if isa == THUMB:
        return 4 if first >= 0xe800 else 2, True
    if isa in (XTENSA, XTENSA_CALL0):
        padding = xtensa_padding(view, pc & 3)
        if padding:
            return padding, False
        return 2 if 8 <= first & 15 <= 13 else 3, True
    if isa == NDS32:
        return 2 if view[0] >= 0x80 else 4, True
    if isa == MIPS16:
        return 4 if first >> 11 in (3, 30) else 2, True
    if isa == MCS51:
        return mcs51_length(view[0]), True
    if isa == BA2:
        return (2, 2, 3, 3, 3, 3, 3, 3, 6, 6, 6, 6, 4, 4, 1, 1)[view[0] >> 4], True
    if isa == TC32:
        return 4 if TC32_FORMS[0].matches(view) else 2, True
    if isa == ARC:
        return 4 if first < 0x4000 else 6 if ARC_FORMS[10].matches(view) else 2, True
    if isa == VIDEOCORE:
        return 2 if first < 0x8000 else 4 if first < 0xe000 else 6 if first < 0xf800 else 10, True
    if isa in (RISCV32, RISCV64):
        return 4 if first & 3 == 3 else 2, True
    if isa == AVR:
        return 4 if any(form.matches(view) for form in AVR_FORMS[:3]) else 2, True
    return 1 if isa in (X86, X86_64) else 4, True


def scan(isa, view, pc, kinds, boundary, bits):
    """The step of the sweep, and the reference at the view's begin or None."""
    if isa in (0, 15, 16):
        return 1, None
    if isa == MCS51 and mcs51_far(view, kinds):
        return 3, reference(isa, LITERAL, MCS51_FORMS[15], view, pc, kinds, bits)
    step, possible = step_of(isa, view, pc)
    if not possible:
        return step, None
    if isa in (X86, X86_64):
        kind, form = x86_find(isa == X86_64, view) or (0, None)
    else:
        form = first_match(FORMS[isa], view)
        kind = form.kind if form else None
        always = isa in WORDS_OF_4 or isa in (THUMB, ARC, VIDEOCORE, NDS32, MIPS16, TC32) and form and form.length >= 4
        if not boundary and not always:
            form = None
    if form is None or not kind or kind == LOW or not kinds >> kind & 1:
        return step, None
    return step, reference(isa, kind, form, view, pc, kinds, bits)


def reference(isa, kind, form, view, pc, kinds, bits):
    ref = Ref(kind, form, form.length, form.get(view, pc, bits))
    ref.scale = form.scale
    ref.anywhere = kind == RAM
    if kind != PAIR:
        return ref
    pair = pair_of(isa, form, view, pc)
    if pair.lows:
        ref.target, ref.lows, ref.scale = pair.target % (1 << bits), pair.lows, 0
        ref.relative, ref.anywhere = form is RISCV_FORMS[0], True
        return ref
    if isa == AARCH64 and kinds >> PAIR2 & 1:
        ref.kind = PAIR2
        return ref
    return None


def word_form(length, order):
    return WORDS[length, order]


def get(form, data, pc, bits):
    return form.get(data, pc, bits)


def put(form, data, pc, target, bits):
    return form.put(data, pc, target, bits)
