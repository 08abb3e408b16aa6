#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions per byte of the new image that the core takes on a Cortex-M4. benchmarks/README.md says how they are counted.

Each pair's delta is applied by the device build on QEMU's mps2-an386; what it hashes in its slot must be the new image.
Exit status: 0, or 1 when a pair failed.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

import bench

TARGET = 1000
SLOT = 8 << 20  # bytes, board_mps2.c
ROW = '{:<28} {:>9} {:>9} {:>9} {:>7} {:>7}'


def arguments():
    env = os.environ.get
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                epilog='Capital words are also read from the environment: make instructions CORPUS=dir')
    p.add_argument('--build', default='build', metavar='DIR', help='build folder of this tree (build)')
    p.add_argument('--corpus', default=env('CORPUS'), metavar='CORPUS',
                   help='folder of pairs ID.old.EXT, ID.new.EXT (default: what this tree builds)')
    p.add_argument('--filter', default=env('FILTER') or '*', metavar='FILTER', help="only pairs whose ID matches, a list: 'a*,b*'")
    p.add_argument('--ram', default=env('RAM') or '8K', metavar='RAM', help='kerf-diff --ram (8K)')
    p.add_argument('--level', default=env('LEVEL') or '6', metavar='LEVEL', help='kerf-diff level 1 .. 9 (6)')
    return p.parse_args()


def run(command, folder=None):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise bench.Failed(lines[-1] if lines else f'exit status {done.returncode}')
    return done.stdout + done.stderr


def measure(args, pair, folder):
    """{what the machine printed: number}, and the delta's size."""
    if max(pair['old_size'], pair['new_size']) > SLOT:
        raise bench.Failed('larger than a slot of the machine')
    shutil.copyfile(pair['old'], os.path.join(folder, 'old'))
    run([os.path.join(args.build, 'bin', 'kerf-diff'), '-q', '--ram', args.ram, f'-{args.level}', pair['old'], pair['new'],
         '-o', os.path.join(folder, 'delta')])
    image = os.path.abspath(os.path.join(args.build, 'cortex-m', 'bin', 'kerf-an386-1.elf'))
    # shift=0: one instruction is one nanosecond of the machine's time; sleep=off: whatever the host does meanwhile.
    out = run(['qemu-system-arm', '-M', 'mps2-an386', '-display', 'none', '-monitor', 'none', '-serial', 'none', '-icount',
               'shift=0,sleep=off', '-semihosting-config', 'enable=on,target=native,arg=kerf,arg=delta', '-kernel', image,
               '-device', 'loader,file=old,addr=0x21000000,force-raw=on'], folder)
    if re.search('^digest (.*)$', out, re.M).group(1) != pair['sha256'].hex():
        raise bench.Failed('what the machine has in its slot is not the new image')
    values = {name: int(value) for name, value in re.findall(r'^(\w+) (\d+)$', out, re.M)}
    values['delta'] = os.path.getsize(os.path.join(folder, 'delta'))
    return values


def main():
    args = arguments()
    filters = args.filter.split(',')
    pairs = {}
    subprocess.run([os.path.join(bench.ROOT, 'tests/cortex_m_build.sh'), os.path.abspath(os.path.join(args.build, 'cortex-m'))],
                   check=True, stdout=subprocess.DEVNULL)
    for args.filter in filters:
        pairs.update({pair['pair']: pair for pair in bench.find_pairs(args)})
    print('Instructions per byte of the new image, Cortex-M4, gcc -Os; hash: SHA-256 of old, delta and new, not part of the rest')
    print(ROW.format('pair', 'new', 'delta', 'decoding', 'slots', 'hash'))
    found, failed = [], 0
    for name, pair in sorted(pairs.items()):
        with tempfile.TemporaryDirectory(prefix='kerf-instructions-') as folder:
            try:
                v = measure(args, pair, folder)
            except (bench.Failed, OSError, subprocess.TimeoutExpired) as error:
                print(f'{name:<28} FAILED: {error}', flush=True)
                failed += 1
                continue
        # The clock is calibrated on the machine: ticks that a million instructions take.
        per_byte = 1e6 / v['ticks_per_million'] / v['new']
        decoding = (v['ticks'] - v['hash_ticks'] - v['port_ticks']) * per_byte
        slots = v['port_ticks'] * per_byte
        found.append((decoding + slots, name))
        print(ROW.format(name, v['new'], v['delta'], round(decoding), round(slots), round(v['hash_ticks'] * per_byte)), flush=True)
    if found:
        worst, name = max(found)
        over = sum(value > TARGET for value, _ in found)
        print(f'Without the hash: mean {sum(value for value, _ in found) / len(found):.0f}, worst {worst:.0f} ({name}); '
              f'{over} of {len(found)} over the target of {TARGET}')
    return 1 if failed or not found else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
