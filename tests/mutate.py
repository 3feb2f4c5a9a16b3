#!/usr/bin/env python3
"""mutate.py [-n N] [-m MODULE,...] BUILD: mutants of lib/, one conditional jump of the assembly each: taken always, or never; the quick suite must fail.  TAP comments.

A sample of N (default 20; 0: all) by SEED=n.  BUILD has the sound library and the test programs; the suite is the module's own test, then the shorter ones of the others, stopped at
the first that fails.  What survives is printed with file and line: a test is missing, or the jump is for speed alone (tests/survivors.txt lists those, by function and jump).  The last line
tells how many were killed.  Exit status 1 only if the suite fails without a mutant.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
FLAGS = '-std=c11 -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -ffp-contract=off -fPIC -Ilib -O1 -g -fno-reorder-blocks -fno-if-conversion -w'.split()
# What runs after the module's own test: name, environment, a bound in seconds.
SUITE = [('unit/test_page', {}), ('unit/test_slot', {}), ('unit/test_record', {}), ('unit/test_logpage', {}), ('unit/test_chunk', {}), ('unit/test_leaf', {}), ('unit/test_stats', {}),
         ('unit/test_change', {}), ('unit/test_cursor_rows', {}), ('unit/test_query', {}), ('unit/test_space', {}), ('unit/test_diff', {}), ('unit/test_compact', {}),
         ('unit/test_salvage', {}), ('unit/test_writer', {}), ('model/test_model', {'OPS': '4000', 'SEED': '7'}), ('unit/test_hostile', {'ROUNDS': '10'}),
         ('crash/test_crash', {'FIRST': '1', 'STATES': '500'})]
JUMP = re.compile(r'^\tj(?!mp)([a-z]+)\t(\S+)')


def assembly(module, folder):
    """The lines of lib/MODULE.c in assembly, and [(line, file, line of source, function)] of its conditional jumps."""
    path = os.path.join(folder, module + '.s')
    subprocess.run(['cc', *FLAGS, '-S', '-o', path, 'lib/%s.c' % module], cwd=TOP, check=True)
    with open(path) as f:
        lines = f.read().split('\n')
    jumps, names, at, function = [], {}, ('?', 0), '?'
    for n, line in enumerate(lines):
        m = re.match(r'\t\.file (\d+) (?:"[^"]*" )?"([^"]*)"', line)
        if m:
            names[m[1]] = os.path.basename(m[2])
        m = re.match(r'\t\.loc (\d+) (\d+)', line)
        if m:
            at = names.get(m[1], '?'), int(m[2])
        m = re.match(r'([A-Za-z_]\w*):', line)
        if m:
            function = m[1]
        if JUMP.match(line) and at[0].startswith(module + '.'):
            jumps.append((n, at[0], at[1], function))
    return lines, jumps


def run(folder, library, tests):
    """The first of tests that fails with that library, or None."""
    for name, env in tests:
        program = os.path.join(folder, os.path.basename(name))
        link = subprocess.run(['cc', '-o', program, os.path.join(folder, '..', os.path.basename(name) + '.o'), library, '-lz', '-lm'], cwd=TOP, capture_output=True)
        if link.returncode:
            return name + ' (does not link)'
        try:
            got = subprocess.run([program], cwd=TOP, env={**os.environ, 'SEED': '1', **env, 'TMPDIR': folder}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=90).returncode
        except subprocess.TimeoutExpired:
            got = 'time'
        if got:
            return name
    return None


def main():
    args = sys.argv[1:]
    count, only = 20, None
    while len(args) > 1:
        option, value, *args = args
        count, only = (int(value), only) if option == '-n' else (count, value.split(','))
    build = os.path.join(TOP, args[0])
    modules = sorted(n[:-2] for n in os.listdir(os.path.join(TOP, 'lib')) if n.endswith('.c') and (only is None or n[:-2] in only))
    seed = int(os.environ.get('SEED', '1'))
    print('# SEED=%d' % seed)
    known = set()
    listed = os.path.join(TOP, 'tests/survivors.txt')
    if os.path.exists(listed):
        with open(listed, encoding='utf-8') as f:
            known = {tuple(line.split()[:3]) for line in f if line.strip() and not line.startswith('#')}
    with tempfile.TemporaryDirectory(dir='/dev/shm' if os.access('/dev/shm', os.W_OK) else None) as folder:
        # the tests once, as objects
        for name in {t for t, _ in SUITE} | {'unit/test_' + m for m in modules}:
            source = os.path.join(TOP, 'tests', name + '.c')
            if os.path.exists(source):
                subprocess.run(['cc', *FLAGS, '-O2', '-Itests/unit', '-c', '-o', os.path.join(folder, os.path.basename(name) + '.o'), source], cwd=TOP, check=True)
        texts, all_jumps = {}, []
        for m in modules:
            texts[m], jumps = assembly(m, folder)
            all_jumps += [(m, i, *j, how) for i, j in enumerate(jumps) for how in ('always', 'never')]
        chosen = all_jumps if count == 0 else random.Random(seed).sample(all_jumps, min(count, len(all_jumps)))

        def one(item):
            number, (m, index, n, file, line, function, how) = item
            at = os.path.join(folder, 'm%d' % number)
            os.mkdir(at)
            text = list(texts[m])
            target = JUMP.match(text[n])[2]
            text[n] = '\tjmp\t' + target if how == 'always' else '\tnop'
            with open(os.path.join(at, m + '.s'), 'w') as f:
                f.write('\n'.join(text))
            library = os.path.join(at, 'libotr.a')
            shutil.copy(os.path.join(build, 'libotr.a'), library)
            subprocess.run(['cc', '-c', '-o', os.path.join(at, m + '.o'), os.path.join(at, m + '.s')], check=True)
            subprocess.run(['ar', 'r', library, os.path.join(at, m + '.o')], check=True, capture_output=True)
            own = [('unit/test_' + m, {})] if os.path.exists(os.path.join(folder, 'test_%s.o' % m)) else []
            by = run(at, library, own + [t for t in SUITE if t not in own])
            shutil.rmtree(at)
            return m, file, line, function, index, how, by

        os.mkdir(os.path.join(folder, 'sound'))
        sound = run(os.path.join(folder, 'sound'), os.path.join(build, 'libotr.a'), SUITE)
        if sound:
            print('not ok 1 - the suite without a mutant: %s fails' % sound)
            return 1
        killed = speed = 0
        with ThreadPoolExecutor(2) as pool:
            for m, file, line, function, index, how, by in pool.map(one, enumerate(chosen)):
                if by:
                    killed += 1
                    continue
                of_speed = (m, function, how) in known
                speed += of_speed
                print('# %s: lib/%s:%d %s, jump %s taken' % ('for speed alone' if of_speed else 'SURVIVED', file, line, function, how), flush=True)
    print('# %d mutants of %d: %d killed, %d for speed alone, %d survived: %.1f %%' % (len(chosen), len(all_jumps), killed, speed, len(chosen) - killed - speed,
                                                                                  100 * killed / max(1, len(chosen) - speed)))
    print('ok 1 - a sample of mutants')
    print('1..1')
    return 0


if __name__ == '__main__':
    sys.exit(main())
