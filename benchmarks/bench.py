#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Size, time and memory of kerf-diff and kerf-patch beside every rival on PATH. benchmarks/README.md says what is measured.

Every delta is applied, and what comes out compared with the new image. Exit status: 0, or 1 when one of kerf's failed.
"""
import argparse
import concurrent.futures
import csv
import fnmatch
import glob
import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

# Rivals: name, programs it needs, making a delta, applying it. {o} old, {n} new, {d} delta, {r} result, {t} a spare file.
# A list is run as it is, a string by sh. Options: the strongest that the tool's own users would take.
RIVALS = [
    ('bsdiff', ['bsdiff', 'bspatch'], ['bsdiff', '{o}', '{n}', '{d}'], ['bspatch', '{o}', '{r}', '{d}']),
    ('xdelta3', ['xdelta3'], ['xdelta3', '-e', '-9', '-S', 'lzma', '-f', '-s', '{o}', '{n}', '{d}'],
     ['xdelta3', '-d', '-f', '-s', '{o}', '{d}', '{r}']),
    ('zstd', ['zstd'], ['zstd', '-q', '-f', '-19', '--ultra', '-22', '--long=27', '--patch-from={o}', '{n}', '-o', '{d}'],
     ['zstd', '-q', '-f', '-d', '--long=27', '--patch-from={o}', '{d}', '-o', '{r}']),
    ('hdiffz', ['hdiffz', 'hpatchz'], ['hdiffz', '-f', '-m-1', '-SD', '-c-lzma2-9-16m', '{o}', '{n}', '{d}'],
     ['hpatchz', '-f', '{o}', '{d}', '{r}']),
    ('hdiffi-tuz4k', ['hdiffi', 'hpatchi'], ['hdiffi', '-f', '-c-tuz-4k', '{o}', '{n}', '{d}'],
     ['hpatchi', '-f', '{o}', '{d}', '{r}']),
    ('hdiffi-lzma4k', ['hdiffi', 'hpatchi'], ['hdiffi', '-f', '-c-lzma-9-4k', '{o}', '{n}', '{d}'],
     ['hpatchi', '-f', '{o}', '{d}', '{r}']),
    ('detools-hs8', ['detools'], ['detools', 'create_patch', '-c', 'heatshrink', '{o}', '{n}', '{d}'],
     ['detools', 'apply_patch', '{o}', '{d}', '{r}']),
    ('detools-lzma', ['detools'], ['detools', 'create_patch', '-c', 'lzma', '{o}', '{n}', '{d}'],
     ['detools', 'apply_patch', '{o}', '{d}', '{r}']),
    # Its patches are meant to be compressed by what carries them.
    ('zucchini+xz', ['zucchini', 'xz'], "zucchini -gen '{o}' '{n}' '{t}' && xz -9e -c '{t}' >'{d}'",
     "xz -d -c '{d}' >'{t}' && zucchini -apply '{o}' '{t}' '{r}'"),
    # No delta at all.
    ('xz, full', ['xz'], "xz -9e -c '{n}' >'{d}'", "xz -d -c '{d}' >'{r}'"),
]

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Failed(Exception):
    """A command failed, or what it made is wrong."""


def arguments():
    env = os.environ.get
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                epilog='Capital words are also read from the environment: make bench CORPUS=dir RAM=8K')
    p.add_argument('--build', default='build', metavar='DIR', help='build folder of this tree (build)')
    p.add_argument('--corpus', default=env('CORPUS'), metavar='CORPUS',
                   help='folder of pairs ID.old.EXT, ID.new.EXT (default: what this tree builds)')
    p.add_argument('--filter', default=env('FILTER') or '*', metavar='FILTER', help='only pairs whose ID matches')
    p.add_argument('--ram', default=env('RAM') or '2K,8K,64K', metavar='RAM', help='kerf-diff --ram, a list (2K,8K,64K)')
    p.add_argument('--level', default=env('LEVEL') or '6,1,9', metavar='LEVEL',
                   help='kerf-diff levels 1 .. 9: the first for each of RAM, others for 8K, or the only one of RAM (6,1,9)')
    p.add_argument('--in-place', default=env('IN_PLACE'), metavar='IN_PLACE',
                   help='SECTOR,SCRATCH: deltas for one slot against those for two, nothing else (4096,2)')
    p.add_argument('--jobs', type=int, default=int(env('JOBS') or 1), metavar='JOBS',
                   help='pairs at a time; times are those of a busy machine then (1)')
    p.add_argument('--rivals', default=env('RIVALS') or '*', metavar='RIVALS', help='only rivals that match; none: no rival')
    p.add_argument('--peers', default=env('PEERS'), metavar='PEERS',
                   help='CSV with columns pair, B, M, or pair and columns NAME_bytes: sizes that others reached')
    p.add_argument('--json', default=env('JSON'), metavar='JSON', help='write all results to this file')
    p.add_argument('--short', action='store_true', default=bool(env('SHORT')), help='one line a pair: sizes')
    p.add_argument('--instructions', action='store_true', default=bool(env('INSTRUCTIONS')),
                   help="kerf-patch's instructions per byte of new: by perf, else by valgrind (slow)")
    p.add_argument('--timeout', type=int, default=int(env('TIMEOUT') or 3600), metavar='TIMEOUT',
                   help='seconds that one command may take (3600)')
    return p.parse_args()


def sha256(path):
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').digest()


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


class Runner:
    """Runs commands and says what they took."""

    def __init__(self, args):
        self.timeout = args.timeout
        self.measure = os.path.join(args.build, 'benchmarks', 'measure')

    def plain(self, command):
        """Output of a command; Failed when it fails or takes too long."""
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              start_new_session=True) as process:
            try:
                out, _ = process.communicate(timeout=self.timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise Failed(f'over {self.timeout} s') from None
        text = out.decode(errors='replace')
        if process.returncode:
            lines = text.strip().splitlines()
            raise Failed(lines[-1] if lines else f'exit status {process.returncode}')
        return text

    def run(self, command, folder):
        """Seconds (user and system, wall) and peak memory in bytes."""
        report = os.path.join(folder, 'report')
        command = ['sh', '-c', command] if isinstance(command, str) else command
        self.plain([self.measure, report] + command)
        with open(report, encoding='ascii') as f:
            wall, user, system, kib, _ = f.read().split()
        return {'cpu_s': float(user) + float(system), 'wall_s': float(wall), 'peak_bytes': int(kib) * 1024}

    def instructions(self, command, folder):
        """Instructions in user space; None where neither perf nor valgrind can count them."""
        out = os.path.join(folder, 'instructions')
        if shutil.which('perf'):
            self.plain(['perf', 'stat', '-x', ',', '-e', 'instructions:u', '-o', out] + command)
            with open(out, encoding='ascii') as f:
                counts = [line.split(',')[0] for line in f if 'instructions' in line]
            if counts and counts[0].isdigit():
                return int(counts[0])
        if shutil.which('valgrind'):
            text = self.plain(['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null'] + command)
            counts = [line.split(':')[1] for line in text.splitlines() if 'Collected :' in line]
            if counts:
                return int(counts[0])
        return None


class Tool:
    """One way to make deltas and apply them."""

    def __init__(self, name, create, apply, ram=None):
        self.name = name
        self.create = create
        self.apply = apply
        self.ram = ram  # kerf: what --ram was

    @staticmethod
    def fill(command, names):
        if isinstance(command, str):
            return command.format(**{key: value.replace("'", "'\\''") for key, value in names.items()})
        return [part.format(**names) for part in command]

    def bench(self, runner, pair, folder, count_instructions):
        """One pair, there and back."""
        names = {'o': pair['old'], 'n': pair['new'], 'd': os.path.join(folder, 'delta'),
                 'r': os.path.join(folder, 'result'), 't': os.path.join(folder, 'spare')}
        for key in 'drt':
            if os.path.exists(names[key]):
                os.unlink(names[key])
        result = {'create': runner.run(self.fill(self.create, names), folder), 'size': os.path.getsize(names['d'])}
        apply = self.fill(self.apply, names)
        # What takes milliseconds is measured more than once: making a delta five times, the median counts; applying it three, the best.
        if result['create']['cpu_s'] < 0.5 and (self.ram is not None or self.name == 'bsdiff'):
            again = [result['create']] + [runner.run(self.fill(self.create, names), folder) for _ in range(4)]
            result['create'] = {key: sorted(took[key] for took in again)[2] for key in again[0]}
        for _ in range(3):
            if os.path.exists(names['r']):
                os.unlink(names['r'])
            took = runner.run(apply, folder)
            if 'apply' not in result or took['cpu_s'] < result['apply']['cpu_s']:
                result['apply'] = took
            if took['cpu_s'] > 0.5:
                break
        if not os.path.exists(names['r']) or sha256(names['r']) != pair['sha256']:
            raise Failed('what it made is not the new image')
        if count_instructions and self.ram is not None and pair['new_size'] > 0:
            total = runner.instructions(apply, folder)
            start = runner.instructions([apply[0], '--version'], folder)
            if total is not None and start is not None:
                result['instructions_per_byte'] = (total - start) / pair['new_size']
        return result


def kerf_tools(args):
    programs = [os.path.join(args.build, 'bin', name) for name in ('kerf-diff', 'kerf-patch')]
    programs.append(os.path.join(args.build, 'benchmarks', 'measure'))
    for program in programs:
        if not os.access(program, os.X_OK):
            sys.exit(f"bench: no '{program}': build it first (make), or name the build folder with --build")
    rams = args.ram.split(',')
    levels = args.level.split(',')
    one = rams[0] if len(rams) == 1 else '8K'
    if args.in_place:
        return in_place_tools(args, *programs[:2], rams, levels[0])
    return [Tool(f'kerf {label}', [programs[0], '-q', '--ram', ram, f'-{level}', '{o}', '{n}', '-o', '{d}'],
                 [programs[1], '-q', '{o}', '{d}', '-o', '{r}'], label)
            for ram, level, label in [(ram, levels[0], ram) for ram in rams] +
            [(one, level, f'{one} -{level}') for level in levels[1:]]]


def in_place_tools(args, diff, patch, rams, level):
    try:
        sector, scratch = (int(number) for number in args.in_place.split(','))
    except ValueError:
        sys.exit(f"bench: --in-place '{args.in_place}': it is two numbers, sector and scratch, like 4096,2")
    options = ['--in-place', f'sector={sector},scratch={scratch}']
    tools = []
    for ram in rams:
        create = [diff, '-q', '--ram', ram, f'-{level}', '{o}', '{n}', '-o', '{d}']
        tools.append(Tool(f'kerf {ram}', create, [patch, '-q', '{o}', '{d}', '-o', '{r}'], ram))
        tools.append(Tool(f'kerf {ram} in place', create + options,
                          f"cat '{{o}}' >'{{r}}' && '{patch}' -q --in-place '{{r}}' '{{d}}'"))
    return tools


def rival_tools(args):
    tools = []
    if args.in_place:
        return tools
    missing = []
    for name, needs, create, apply in RIVALS:
        if not fnmatch.fnmatch(name, args.rivals):
            continue
        if all(map(shutil.which, needs)):
            tools.append(Tool(name, create, apply))
        else:
            missing.append(name)
    if missing:
        print(f'bench: NOT MEASURED, as they are not on PATH: {", ".join(missing)}', file=sys.stderr)
    return tools


def own_pairs(args):
    """Builds the pairs of this tree: the demo firmware's releases, the Cortex-M images."""
    folder = os.path.join(args.build, 'bench')
    os.makedirs(folder, exist_ok=True)

    def add(pair, old, new):
        for source, side in ((old, 'old'), (new, 'new')):
            shutil.copyfile(source, os.path.join(folder, f'{pair}.{side}.bin'))

    try:
        releases = os.path.join(folder, 'releases')
        subprocess.run([os.path.join(ROOT, 'tests/demo/firmware/build.sh'), releases], check=True)
        for i in (1, 2):
            add(f'terminal-{i}-{i + 1}', *(f'{releases}/terminal-{release}.bin' for release in (i, i + 1)))
        cortex_m = os.path.abspath(os.path.join(args.build, 'cortex-m'))
        subprocess.run([os.path.join(ROOT, 'tests/cortex_m_build.sh'), cortex_m], check=True, stdout=subprocess.DEVNULL)
        for board in ('an385', 'an386', 'an505', 'microbit'):
            add(f'cortex-m-{board}', *(f'{cortex_m}/bin/kerf-{board}-{i}.bin' for i in (1, 2)))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"bench: can't build the pairs of this tree: {error}: install arm-none-eabi-gcc, or give CORPUS=dir")
    return folder


def find_pairs(args):
    folder = args.corpus or own_pairs(args)
    if not os.path.isdir(folder):
        sys.exit(f"bench: no folder '{folder}': CORPUS is one with files ID.old.EXT and ID.new.EXT")
    pairs = []
    for old in sorted(glob.glob(os.path.join(glob.escape(folder), '*.old.*'))):
        name = os.path.basename(old).split('.old.')[0]
        new = os.path.join(folder, os.path.basename(old).replace('.old.', '.new.', 1))
        if not fnmatch.fnmatch(name, args.filter):
            continue
        if not os.path.exists(new):
            print(f"bench: LEFT OUT: '{old}' has no '{new}'", file=sys.stderr)
            continue
        pairs.append({'pair': name, 'old': old, 'new': new, 'old_size': os.path.getsize(old),
                      'new_size': os.path.getsize(new), 'sha256': sha256(new)})
    if not pairs:
        sys.exit(f"bench: no pair ID.old.EXT, ID.new.EXT in '{folder}' matches '{args.filter}'")
    return pairs


def read_peers(args):
    if not args.peers:
        return {}
    try:
        with open(args.peers, newline='', encoding='utf-8') as f:
            rows = list(csv.DictReader(f))
        if rows and 'B' not in rows[0]:
            return {row['pair']: {'B': min(int(v) for key, v in row.items() if key.endswith('_bytes') and
                                           key not in ('old_bytes', 'new_bytes'))} for row in rows}
        return {row['pair']: {'B': int(row['B']), 'M': int(row['M'])} for row in rows}
    except (OSError, KeyError, ValueError, TypeError) as error:
        sys.exit(f"bench: can't read '{args.peers}' as a CSV file with columns pair, B, M: {error}")


def bench_pair(args, runner, tools, peers, pair):
    entry = {key: pair[key] for key in ('pair', 'old_size', 'new_size')}
    entry.update(peers.get(pair['pair'], {}))
    entry['tools'] = {}
    with tempfile.TemporaryDirectory(prefix='kerf-bench-') as folder:
        for tool in tools:
            try:
                entry['tools'][tool.name] = tool.bench(runner, pair, folder, args.instructions)
            except (Failed, OSError) as error:
                entry['tools'][tool.name] = {'failed': str(error)}
    return entry


ROW = '{:<28} {:<14} {:>10} {:>8} {:>9} {:>9} {:>9} {:>9}'


def megabytes(size):
    return f'{size / 1e6:.1f}'


def print_head(args, tools):
    if args.short:
        print(f'{"pair":<28} {"new":>10}' + ''.join(f' {tool.name:>13}' for tool in tools))
    else:
        print(ROW.format('pair', 'tool', 'delta', '% of new', 'diff s', 'diff MB', 'apply s', 'apply MB'))


def print_pair(args, entry):
    if args.short:
        sizes = [str(took.get('size', 'FAILED')) for took in entry['tools'].values()]
        print(f'{entry["pair"]:<28} {entry["new_size"]:>10}' + ''.join(f' {size:>13}' for size in sizes), flush=True)
        return
    for i, (name, took) in enumerate(entry['tools'].items()):
        label = entry['pair'] if i == 0 else ''
        if 'failed' in took:
            print(ROW.format(label, name, 'FAILED', '', '', '', '', '') + ' ' + took['failed'])
            continue
        share = f'{100 * took["size"] / entry["new_size"]:.3f}' if entry['new_size'] else '-'
        extra = f' {took["instructions_per_byte"]:.0f} instructions/byte' if 'instructions_per_byte' in took else ''
        print(ROW.format(label, name, took['size'], share, f'{took["create"]["cpu_s"]:.2f}',
                         megabytes(took['create']['peak_bytes']), f'{took["apply"]["cpu_s"]:.3f}',
                         megabytes(took['apply']['peak_bytes'])) + extra)
    sys.stdout.flush()


def ratios(entries, name, value):
    """value(took of tool `name`, entry) by pair, where both are there."""
    found = []
    for entry in entries:
        took = entry['tools'].get(name, {'failed': ''})
        ratio = None if 'failed' in took else value(took, entry)
        if ratio is not None:
            found.append((ratio, entry['pair']))
    return found


def against(rival, key):
    """kerf / rival in what `key` picks, for ratios()."""
    def value(took, entry):
        other = entry['tools'][rival]
        if 'failed' in other or key(other) <= 0 or key(took) <= 0:
            return None
        return key(took) / key(other)
    return value


def summarise(entries, kerf, rivals, peers):
    """Geometric means of kerf / other, by RAM and other."""
    keys = {'size': lambda t: t['size'], 'diff_cpu': lambda t: t['create']['cpu_s'],
            'diff_peak': lambda t: t['create']['peak_bytes'], 'apply_cpu': lambda t: t['apply']['cpu_s'],
            'apply_peak': lambda t: t['apply']['peak_bytes']}
    rows = []
    for tool in kerf:
        for rival in rivals:
            row = {'kerf': tool.ram, 'other': rival.name}
            for name, key in keys.items():
                found = ratios(entries, tool.name, against(rival.name, key))
                row[name] = geomean([ratio for ratio, _ in found])
                if name == 'size':
                    row['pairs'] = len(found)
                    row['worst'], row['worst_pair'] = max(found, default=(None, None))
            rows.append(row)
        for peer in sorted({key for sizes in peers.values() for key in sizes}):
            found = ratios(entries, tool.name, lambda took, entry, p=peer: took['size'] / entry[p] if p in entry else None)
            rows.append({'kerf': tool.ram, 'other': peer, 'size': geomean([ratio for ratio, _ in found]),
                         'pairs': len(found), 'worst': max(found, default=(None, None))[0],
                         'worst_pair': max(found, default=(None, None))[1]})
    return rows


def print_summary(rows):
    def cell(value):
        return '-' if value is None else f'{value:.3f}' if value < 100 else f'{value:.0f}'

    form = '{:<10} {:<14} {:>8} {:>8} {:>9} {:>9} {:>9} {:>6} {:>7} {}'
    print('\nGeometric means of kerf / other: below 1 kerf is smaller, faster, takes less')
    print(form.format('kerf --ram', 'other', 'size', 'diff s', 'diff mem', 'apply s', 'apply mem', 'pairs', 'worst', ''))
    for row in rows:
        print(form.format(row['kerf'], row['other'], cell(row['size']), *(cell(row.get(key)) for key in (
            'diff_cpu', 'diff_peak', 'apply_cpu', 'apply_peak')), row['pairs'], cell(row['worst']),
            row['worst_pair'] or ''))


def print_times(entries, kerf, rivals):
    """How long a delta takes beside bsdiff's, and where it is longer than it may be."""
    for rival in rivals:
        for tool in kerf if rival.name == 'bsdiff' else []:
            level = next(int(part[1]) for part in tool.create if len(part) == 2 and part[1].isdigit())
            most = 1 if level == 1 else 10 if level <= 6 else math.inf
            for seconds, name in (('wall_s', 'time'), ('cpu_s', 'processor time')):
                found = sorted(ratios(entries, tool.name, against(rival.name, lambda t, key=seconds: t['create'][key])))
                over = [f'{pair} {ratio:.2f}' for ratio, pair in reversed(found) if ratio > most]
                if found:
                    print(f'{tool.name}: {name} of a delta / bsdiff: median {found[len(found) // 2][0]:.2f}, '
                          f'worst {found[-1][0]:.2f}, over {most}: {len(over)} of {len(found)}' +
                          (' (' + ', '.join(over) + ')' if over else ''))


def print_in_place(entries, kerf):
    """Sizes in one slot against those in two."""
    for two, one in zip(kerf[::2], kerf[1::2]):
        found = ratios(entries, one.name, against(two.name, lambda t: t['size']))
        print(f'\n{one.name} / {two.name}')
        for ratio, pair in sorted(found):
            print(f'{pair:<28} {ratio:.3f}')
        if found:
            print(f'geometric mean {geomean([ratio for ratio, _ in found]):.3f} of {len(found)} pairs, '
                  f'worst {max(found)[0]:.3f} at {max(found)[1]}')


def print_memory(runner, entries, kerf):
    """What kerf-patch takes beyond what it takes to start."""
    with tempfile.TemporaryDirectory(prefix='kerf-bench-') as folder:
        start = runner.run([kerf[0].apply[0], '--version'], folder)['peak_bytes']
    for tool in kerf:
        peaks = ratios(entries, tool.name, lambda took, entry: took['apply']['peak_bytes'])
        if peaks:
            peak, pair = max(peaks)
            print(f'kerf-patch, deltas of --ram {tool.ram}: at most {(peak - start) // 1024} KiB over its --version '
                  f'({start // 1024} KiB), at {pair}')
    return start


def print_bounds(entries, kerf):
    """What kerf-diff takes of the memory that it keeps to without --memory."""
    for tool in kerf:
        found = ratios(entries, tool.name, lambda took, entry: took['create']['peak_bytes'] / (
            5 * (entry['old_size'] + entry['new_size']) + 64000000))
        if found:
            worst, pair = max(found)
            print(f'kerf-diff --ram {tool.ram}: memory / (5 x (old + new) + 64 MB): at most {worst:.2f}, at {pair}')


def main():
    args = arguments()
    kerf = kerf_tools(args)
    rivals = rival_tools(args)
    peers = read_peers(args)
    pairs = find_pairs(args)
    runner = Runner(args)
    entries = []
    lock = threading.Lock()
    tools = kerf + rivals
    print_head(args, tools)

    def work(pair):
        entry = bench_pair(args, runner, tools, peers, pair)
        with lock:
            entries.append(entry)
            print_pair(args, entry)

    with concurrent.futures.ThreadPoolExecutor(max(1, args.jobs)) as pool:
        for future in [pool.submit(work, pair) for pair in pairs]:
            future.result()
    entries.sort(key=lambda entry: entry['pair'])
    rows = []
    if args.in_place:
        print_in_place(entries, kerf)
    else:
        rows = summarise(entries, kerf, rivals, peers)
        print_summary(rows)
        print_times(entries, kerf, rivals)
        print_bounds(entries, kerf)
    base = print_memory(runner, entries, kerf[::2] if args.in_place else kerf)
    failed = [(entry['pair'], tool.name) for entry in entries for tool in tools if 'failed' in entry['tools'][tool.name]]
    for pair, name in failed:
        print(f'FAILED: {name} on {pair}')
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as f:
            json.dump({'levels': args.level, 'patch_version_peak_bytes': base, 'pairs': entries, 'means': rows}, f,
                      indent=1)
            f.write('\n')
    return 1 if any(name.startswith('kerf ') for _, name in failed) else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
