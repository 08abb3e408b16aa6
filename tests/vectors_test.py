#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every decoder on every vector: vectors_test.py BUILD

Vectors are made here: pairs that look like code of every instruction set (make_images.py) and firmware built for it,
with every profile of RAM and option; full, stored and LZMA2 payloads; and deltas that no generator would make
(make_deltas.py). Each is applied by kerf-patch, by the slow decoder, and by the core on this host, with 32-bit
positions, on a 32-bit and on a big-endian host (cross_build.sh): all must make the new image, and agree on the
workspace. Damaged ones are refused by the slow decoder.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import make_deltas
import make_images
import slow_decoder

PROFILES = ("2K", "4K", "8K", "64K")
SUPPORTED_BY_CORE = (slow_decoder.STORED, slow_decoder.NATIVE)
UNSUPPORTED = 17  # replay's exit status, common/error.h


class Failed(Exception):
    pass


def run(*command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
    if result.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit status {result.returncode}: {result.stderr.strip()}")
    return result.stdout


class Bench:
    """The programs under test, and a folder."""

    def __init__(self, build, folder):
        self.bin, self.folder = build / "bin", folder
        self.pack_tool = build / "tests" / "pack_tool"
        self.cross = {kind: [build / f"cross-{kind}" / "bin" / "replay"] for kind in ("pos32", "i686")}
        self.cross["mips"] = ["qemu-mips", "-L", "/usr/mips-linux-gnu", build / "cross-mips" / "bin" / "replay"]
        self.cross["native"] = [self.bin / "replay"]

    def check(self, old, new, delta):
        """Applies a delta everywhere; what was wrong is raised."""
        data, old_data, want = delta.read_bytes(), old.read_bytes(), new.read_bytes()
        header = slow_decoder.Header(data)
        if slow_decoder.decode(header, old_data, data) != want:
            raise Failed("the slow decoder makes another image")
        if not header.in_place:
            out = delta.with_suffix(".out")
            run(self.bin / "kerf-patch", "-q", old, delta, "-o", out)
            if out.read_bytes() != want:
                raise Failed("kerf-patch makes another image")
        else:
            image = write(delta.with_suffix(".image"), old_data)
            run(self.bin / "kerf-patch", "-q", "--in-place", image, delta)
            if image.read_bytes() != want:
                raise Failed("kerf-patch makes another image in place")
            image.unlink()
        info = json.loads(run(self.bin / "kerf-diff", "info", delta, "--json"))
        if info["workspace"] != header.workspace():
            raise Failed(f"workspace: {info['workspace']}, by the formula {header.workspace()}")
        if header.codec in SUPPORTED_BY_CORE and not header.in_place:
            self.replay(header, old, delta, hashlib.sha256(want).hexdigest())
        if header.new_size < 10000:
            self.refuse(header, old_data, data)
        return len(data)

    def replay(self, header, old, delta, digest):
        for index, (kind, command) in enumerate(self.cross.items()):
            if kind == "pos32" and header.wide:
                result = subprocess.run([*command, old, delta], capture_output=True, check=False)
                if result.returncode != UNSUPPORTED:
                    raise Failed(f"{kind} takes a wide container: {result.returncode}")
            elif (got := run(*command, old, delta, (977, 64, 1, 5000)[index]).strip()) != digest:
                raise Failed(f"{kind} makes {got}")

    @staticmethod
    def refuse(header, old, data):
        """What the slow decoder must not take; a change that the last byte has no room for makes the same image."""
        bad = [("cut short", data[:-1], False), ("extended", data + b"\0", False)]
        for pos in {header.length - 1, len(data) // 2}:
            bad.append((f"changed at {pos}", data[:pos] + bytes([data[pos] ^ 1]) + data[pos + 1:], True))
        for what, damaged, harmless in bad:
            try:
                new = slow_decoder.decode(slow_decoder.Header(damaged), old, damaged)
            except (slow_decoder.Refused, slow_decoder.lzma.LZMAError):
                continue
            if not harmless or hashlib.sha256(new).digest()[:16] != header.new_digest:
                raise Failed(f"the slow decoder takes a delta that is {what}")
        if header.codec == slow_decoder.NATIVE:
            payload = slow_decoder.read_payload(data, header)
            # Up to four bytes of 0 are made up at the end.
            for what, other in (("goes on", payload + bytes(5)), ("ends too early", payload[:-5])):
                try:
                    new = slow_decoder.Native(header, old, other).run()
                except slow_decoder.Refused:
                    continue
                same = len(payload) >= 5 and len(new) > 0 and hashlib.sha256(new).digest()[:16] == header.new_digest
                if what == "goes on" or same:
                    raise Failed(f"the slow decoder takes a payload that {what}")


def write(path, data):
    path.write_bytes(data)
    return path


def small_pairs(folder):
    """Name, old, new: images without an instruction set, at the edges of sizes."""
    text = b"".join(b"line %d of a text\n" % (i * i) for i in range(200))
    for name, old, new in (
            ("nothing to nothing", b"", b""), ("to nothing", text, b""), ("from nothing", b"", text),
            ("the same", text, text), ("one byte", b"x", b"y"), ("text", text, text[900:] + text[:1000])):
        stem = name.replace(" ", "-")
        yield name, write(folder / f"{stem}.old", old), write(folder / f"{stem}.new", new)


def diff_jobs(folder):
    """Name, old, new, arguments of kerf-diff."""
    for image in make_images.IMAGES:
        old, new = make_images.make(*image)
        old, new = write(folder / f"{image[0]}.old", old), write(folder / f"{image[0]}.new", new)
        known = ["--isa", image[0], "--base", hex(image[2])]
        for index, ram in enumerate(PROFILES):
            extra = [[], ["--no-new"], [], ["-1"]][index]
            yield f"{image[0]} {ram} {' '.join(extra)}", old, new, [*known, "--ram", ram, *extra]
        for sectors in ("sector=256,scratch=1,slot=1M", "sector=1024,scratch=3,group=2"):
            yield f"{image[0]} {sectors}", old, new, [*known, "--in-place", sectors]
    old, new = (write(folder / f"types.{n}", data) for n, data in enumerate(make_images.make_types()))
    for ram in ("2K", "8K", "64K"):
        yield f"types {ram}", old, new, ["--isa", "aarch64", "--base", "0x40080000", "--ram", ram]
    old, new = (write(folder / f"files.{n}", data) for n, data in enumerate(make_images.make_files()))
    for ram in ("2K", "8K", "64K"):
        yield f"files {ram}", old, new, ["--isa", "aarch64", "--base", "0", "--ram", ram]
    for name, old, new in small_pairs(folder):
        yield name, old, new, ["--ram", "2K"]
        if old.stat().st_size > 0:
            yield f"{name} in place", old, new, ["--ram", "2K", "--in-place", "sector=16,scratch=2"]
    yield "text --full", None, folder / "text.new", ["--full"]
    for name in ("thumb", "riscv32", "xtensa"):
        yield f"{name} --full", None, folder / f"{name}.new", ["--full", "--ram", "4K"]
    if shutil.which("arm-none-eabi-gcc"):
        run(pathlib.Path(__file__).parent / "demo" / "firmware" / "build.sh", folder)
        for release, ram in ((1, "4K"), (2, "8K")):
            old, new = (folder / f"terminal-{n}.bin" for n in (release, release + 1))
            yield f"firmware {release} {ram}", old, new, ["--ram", ram]


def diff_job(bench, index, job):
    name, old, new, args = job
    delta = bench.folder / f"diff-{index}.krf"
    empty = bench.folder / "empty"
    run(bench.bin / "kerf-diff", "-q", *args, *([old] if old else []), new, "-o", delta)
    return name, bench.check(old or empty, new, delta)


def pack_job(bench, index, job):
    mode, old, new = job
    delta = bench.folder / f"pack-{index}.krf"
    run(bench.pack_tool, mode, old, new, delta)
    return mode, bench.check(old, new, delta)


def made_job(bench, number):
    old, delta, new = make_deltas.make(number)
    paths = [bench.folder / f"made-{number}.{kind}" for kind in ("old", "new", "krf")]
    for path, data in zip(paths, (old, new, delta)):
        path.write_bytes(data)
    return f"made {number}", bench.check(*paths)


def guarded(function, *args):
    """Result or failure; of the other process."""
    try:
        return function(*args), None
    except (Failed, slow_decoder.Refused, subprocess.TimeoutExpired) as error:
        return None, f"{args[1:]}: {error}"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: vectors_test.py BUILD")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    with tempfile.TemporaryDirectory(prefix="kerf-vectors.") as folder:
        bench = Bench(pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(folder))
        write(bench.folder / "empty", b"")
        with concurrent.futures.ProcessPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
            jobs = [pool.submit(guarded, diff_job, bench, *job) for job in enumerate(diff_jobs(bench.folder))]
            pairs = [(bench.folder / f"{name}.old", bench.folder / f"{name}.new") for name in ("text", "a32")]
            packs = [(mode, *pair) for mode in ("stored", "lzma2") for pair in pairs]
            jobs += [pool.submit(guarded, pack_job, bench, *job) for job in enumerate(packs)]
            jobs += [pool.submit(guarded, made_job, bench, number) for number in range(make_deltas.COUNT)]
            results = [job.result() for job in jobs]
    failures = [failure for _, failure in results if failure]
    for result, _ in results:
        if result:
            print(f"{result[0]:32} {result[1]:7} bytes: all decoders agree")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    print(f"{len(results)} vectors, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
