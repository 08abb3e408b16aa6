#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An image as the files that programmers take: make_flat.py IMAGE BASE OUT writes OUT.hex, OUT.srec, OUT.uf2, OUT.dfuse and OUT.dfu."""
import pathlib
import struct
import sys
import zlib


def record(kind, addr, data):
    body = bytes([len(data)]) + struct.pack(">H", addr) + bytes([kind]) + data
    return f":{(body + bytes([-sum(body) & 255])).hex().upper()}\r\n"


def intel_hex(image, base):
    lines, upper = [], None
    pos = 0
    while pos < len(image):
        addr = base + pos
        if addr >> 16 != upper:
            upper = addr >> 16
            lines.append(record(4, 0, struct.pack(">H", upper)))
        size = min(16, len(image) - pos, 0x10000 - (addr & 0xffff))
        lines.append(record(0, addr & 0xffff, image[pos:pos + size]))
        pos += size
    return "".join(lines) + record(5, 0, struct.pack(">I", base)) + record(1, 0, b"")


def s_record(kind, addr_len, addr, data):
    body = addr.to_bytes(addr_len, "big") + data
    body = bytes([len(body) + 1]) + body
    return f"S{kind}{(body + bytes([~sum(body) & 255])).hex().upper()}\n"


def s_records(image, base):
    lines = [s_record(0, 2, 0, b"image")]
    lines += [s_record(3, 4, base + pos, image[pos:pos + 32]) for pos in range(0, len(image), 32)]
    return "".join(lines) + s_record(7, 4, base, b"")


def uf2_block(addr, data, number, count, flags=0x2000, family=0xe48bff56):
    head = struct.pack("<8I", 0x0a324655, 0x9e5d5157, flags, addr, len(data), number, count, family)
    return head + data.ljust(476, b"\0") + struct.pack("<I", 0x0ab16f30)


def uf2(image, base):
    pieces = [image[i:i + 256] for i in range(0, len(image), 256)]
    blocks = [uf2_block(base + 256 * i, piece, i, len(pieces)) for i, piece in enumerate(pieces)]
    # As boot loaders want them: one for another family first, and one that is not for the flash.
    blocks.insert(0, uf2_block(0x10ffff00, bytes(256), 0, 2, family=0xe48bff57))
    blocks.insert(2, uf2_block(0x20000000, bytes(256), 0, 1, flags=0x2001))
    return b"".join(blocks)


def suffix(data):
    data += struct.pack("<HHHH3sB", 0xffff, 0xdf11, 0x0483, 0x011a, b"UFD", 16)
    return data + struct.pack("<I", zlib.crc32(data) ^ 0xffffffff)


def dfuse(image, base):
    half = len(image) // 2
    elements = b"".join(struct.pack("<II", base + at, len(part)) + part
                        for at, part in ((half, image[half:]), (0, image[:half])))
    target = b"Target" + bytes(260) + struct.pack("<II", len(elements), 2) + elements
    return suffix(b"DfuSe\x01" + struct.pack("<IB", 11 + len(target), 1) + target)


def main():
    image, base, out = pathlib.Path(sys.argv[1]).read_bytes(), int(sys.argv[2], 0), sys.argv[3]
    pathlib.Path(out + ".hex").write_text(intel_hex(image, base), newline="")
    pathlib.Path(out + ".srec").write_text(s_records(image, base), newline="")
    pathlib.Path(out + ".uf2").write_bytes(uf2(image, base))
    pathlib.Path(out + ".dfuse").write_bytes(dfuse(image, base))
    pathlib.Path(out + ".dfu").write_bytes(suffix(image))


main()
