#!/usr/bin/env python3
"""mutate.py [-n N] [-m MODULE,...] [-j JOBS] BUILD: mutants of lib/, each one conditional jump of the assembly: taken always, or never.  The quick suite must fail then.  TAP.

A sample of N (12; 0: all) by SEED=n.  BUILD has the sound objects of lib/.  The suite is the module's own test, then those of SUITE, up to the first that fails.
What survives is told with file, line and source: a test is missing there, or the jump is for speed alone, or nothing can tell it.  Such jumps are in tests/survivors.txt, by file,
function, jump and the text of the line, and do not count.  It fails if the suite fails without a mutant, if it kills fewer than a share of LEAST explains, or if survivors.txt names a line that is gone.
"""
import os
import platform
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
LIB = os.path.join(TOP, 'lib')
KNOWN = os.path.join(TOP, 'tests/survivors.txt')
LEAST = 0.6
DEFINES = '-std=c11 -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -ffp-contract=off -fPIC -Ilib -w'.split()
# As few jumps as possible that the source has not: a mutant then is a condition of a line.
MUTANT = ['-O1', '-g', '-fno-reorder-blocks', '-fno-if-conversion', '-fno-if-conversion2', '-S']
# Asked of every mutant, after its module's own test and what OWN has for modules without one, the quickest first.
SUITE = {'unit/test_change': {}, 'unit/test_record': {}, 'unit/test_cursor_rows': {}, 'unit/test_space': {}, 'unit/test_salvage': {}, 'unit/test_compact': {}, 'unit/test_query': {},
         'model/test_model': {'OPS': '3000', 'SEED': '7'}, 'unit/test_hostile': {'ROUNDS': '5', 'SEED': '7'}}
OWN = {'bits': 'pack', 'run': 'transforms', 'decimal': 'transforms', 'dict': 'transforms', 'fbits': 'transforms', 'deflate': 'chunk', 'choose': 'chunk', 'scratch': 'chunk',
       'commit': 'writer', 'store': 'db', 'log': 'history', 'reach': 'verify', 'walk': 'verify', 'scan': 'verify', 'metadata': 'writer', 'create': 'writer', 'copy': 'compact'}
JUMP = re.compile(r'^\tj(?!mp)([a-z]+)\t(\S+)')


def assembly(module, folder):
    """The lines of lib/MODULE.c in assembly, and (line, line of the source, function, kind) of each of its conditional jumps."""
    path = os.path.join(folder, module + '.s')
    subprocess.run(['cc', *DEFINES, *MUTANT, '-o', path, 'lib/%s.c' % module], cwd=TOP, check=True)
    with open(path) as f:
        lines = f.read().split('\n')
    jumps, names, at, function = [], {}, ('?', 0), '?'
    for n, line in enumerate(lines):
        if m := re.match(r'\t\.file (\d+) (?:"[^"]*" )?"([^"]*)"', line):
            names[m[1]] = os.path.basename(m[2])
        elif m := re.match(r'\t\.loc (\d+) (\d+)', line):
            at = names.get(m[1], '?'), int(m[2])
        elif m := re.match(r'([A-Za-z_]\w*)(?:\.\w+)*:', line):
            function = m[1]
        elif JUMP.match(line) and at[0] == module + '.c':
            jumps.append((n, at[1], function, 'j' + JUMP.match(line)[1]))
    return lines, jumps


def run(program, env, seconds, library, folder):
    """Whether a test passes with the libotr.so in library, within so many seconds of the processor; what it starts ends with it."""
    child = subprocess.Popen(['sh', '-c', 'ulimit -t %d; ulimit -v 4194304; ulimit -c 0; exec "$0"' % seconds, program], cwd=TOP, start_new_session=True,
                             env={**os.environ, 'SEED': '1', **env, 'TMPDIR': folder, 'LD_LIBRARY_PATH': library}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return child.wait(20 * seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()


def known_survivors():
    """{(file, function, jump and way, text of the line)}, and the lines of survivors.txt whose source is gone."""
    known, stale = set(), []
    with open(KNOWN, encoding='utf-8') as f:
        for entry in f:
            m = re.match(r'(\S+\.c) (\S+) (j\w+ (?:always|never)): (.*)', entry)
            if m and not entry.startswith('#'):
                known.add(m.groups())
                with open(os.path.join(LIB, m[1]), encoding='utf-8') as source:
                    if m[4] not in {line.strip() for line in source}:
                        stale.append(entry.strip())
    return known, stale


def link(folder, objects):
    """A libotr.so in which the tests find all functions, also those that are not exported."""
    subprocess.run(['cc', '-shared', '-Wl,-Bsymbolic', '-Wl,-soname,libotr.so', '-o', os.path.join(folder, 'libotr.so'), *objects, '-lz', '-lm'], check=True)


def seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    args, count, only, jobs = sys.argv[1:], 12, None, os.cpu_count() or 1
    while len(args) > 1:
        option, value, *args = args
        if option == '-n':
            count = int(value)
        elif option == '-j':
            jobs = int(value)
        else:
            only = value.split(',')
    if platform.machine() != 'x86_64':
        print('1..0 # SKIP the jumps of the assembly are known for x86-64 alone')
        return 0
    build = os.path.join(TOP, args[0])
    seed = int(os.environ.get('SEED', '1'))
    print('# SEED=%d' % seed)
    every = sorted(n[:-2] for n in os.listdir(LIB) if n.endswith('.c'))
    modules = [m for m in every if only is None or m in only]
    source = {m: ['', *open(os.path.join(LIB, m + '.c'), encoding='utf-8').read().split('\n')] for m in modules}
    known, stale = known_survivors()
    with tempfile.TemporaryDirectory(dir='/dev/shm' if os.access('/dev/shm', os.W_OK) else None) as folder, ThreadPoolExecutor(jobs) as pool:
        sound = {m: os.path.join(build, 'lib', m + '.o') for m in every}
        link(folder, sound.values())

        def build_test(name):
            program = os.path.join(folder, os.path.basename(name))
            subprocess.run(['cc', *DEFINES, '-O1', '-Itests/unit', '-o', program, 'tests/%s.c' % name, '-L' + folder, '-lotr', '-lz', '-lm'], cwd=TOP, check=True)
            return name, program

        texts, mutants = {}, []
        for m, (texts[m], jumps) in zip(modules, pool.map(lambda m: assembly(m, folder), modules)):
            mutants += [(m, *jump, way) for jump in jumps for way in ('always', 'never')]
        chosen = mutants if count == 0 else random.Random(seed).sample(mutants, min(count, len(mutants)))
        own = {m: next((t for t in ('unit/test_' + m, 'unit/test_' + OWN.get(m, '')) if os.path.exists(os.path.join(TOP, 'tests', t + '.c'))), None) for m in modules}
        names = {**{own[m]: {} for m, *_ in chosen if own[m]}, **SUITE}
        programs = dict(pool.map(build_test, names))
        spent, fails = {}, []
        for name, program in programs.items():
            before = seconds_of_children()
            if not run(program, names[name], 100, folder, folder):
                fails.append(name)
            spent[name] = seconds_of_children() - before
        print('%sok 1 - the suite passes without a mutant%s' % ('not ' if fails else '', ': not so ' + ' '.join(fails) if fails else ''), flush=True)
        if fails:
            print('1..1')
            return 1
        suite = sorted(SUITE, key=spent.get)
        print('# %d tests, %.1f s, of every mutant after its own' % (len(suite), sum(spent[n] for n in suite)))

        def one(item):
            number, (m, n, _, _, _, way) = item
            at = os.path.join(folder, 'm%d' % number)
            os.mkdir(at)
            text = list(texts[m])
            text[n] = '\tjmp\t' + JUMP.match(text[n])[2] if way == 'always' else '\tnop'
            with open(os.path.join(at, m + '.s'), 'w') as f:
                f.write('\n'.join(text))
            subprocess.run(['cc', '-c', '-o', os.path.join(at, m + '.o'), os.path.join(at, m + '.s')], check=True)
            link(at, [*(o for k, o in sound.items() if k != m), os.path.join(at, m + '.o')])
            by = next((t for t in ([own[m]] if own[m] else []) + [t for t in suite if t != own[m]]
                       if not run(programs[t], names[t], int(5 * spent[t]) + 2, at, at)), None)
            shutil.rmtree(at, ignore_errors=True)
            return by

        killers, speed, survived = Counter(), 0, 0
        for (m, _, line, function, kind, way), by in zip(chosen, pool.map(one, enumerate(chosen))):
            if by:
                killers[by] += 1
                continue
            text = source[m][line].strip()
            of_speed = (m + '.c', function, kind + ' ' + way, text) in known
            speed, survived = speed + of_speed, survived + (not of_speed)
            print('# %s: lib/%s.c:%d %s %s %s: %s' % ('known' if of_speed else 'SURVIVED', m, line, function, kind, way, text), flush=True)
    killed, counted = sum(killers.values()), max(1, len(chosen) - speed)
    print('# killed by: ' + ', '.join('%s %d' % (t.replace('test_', ''), k) for t, k in killers.most_common()))
    print('# %d mutants of %d: %d killed, %d known not to be told, %d survived: %.1f %% killed' % (len(chosen), len(mutants), killed, speed, survived, 100 * killed / counted))
    # three standard deviations: another sample is no failure
    few = killed < LEAST * counted - 3 * (LEAST * (1 - LEAST) * counted) ** 0.5
    print('%sok 2 - the suite kills about %d in a hundred of a sample of mutants' % ('not ' if few else '', 100 * LEAST))
    print('%sok 3 - what survivors.txt names is there' % ('not ' if stale else ''))
    for entry in stale:
        print('#   gone: ' + entry)
    print('1..3')
    return few or bool(stale)


if __name__ == '__main__':
    sys.exit(main())
