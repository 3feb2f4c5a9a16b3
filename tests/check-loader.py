#!/usr/bin/env python3
"""check-loader.py: the fast way of tools/loader.c gives what the general way gives, to the bit and to the word.  TAP; SEED=n, CASES=n.

A line without quotes is read by the fast way, if it is plain enough; the same line with its last field quoted by the general one.  That field is of no column
(--ignore-unknown), so the two must be taken, or refused, alike: rows, status and message.
"""
import os
import random
import subprocess
import sys
import tempfile

TIMES = ['1700000000', '1700000000.5', '-1', '@1700000000.123456789', '2023-11-14T22:13:20Z', '2023-11-14 22:13:20', '2023-11-14t22:13:20.25+01:00', '2023-11-14',
         '2023-11', '20231114T221320Z', '2016-12-31T23:59:60Z', '2023-10-29T02:30:00', '2023-03-26T02:30:00', '1700000000123', 'NaN', '', '0x10', '9223372036854775807']
NUMBERS = ['0', '-0', '1', '-1', '21.5', '1e300', '1e-320', '4.9e-324', '1e400', 'NaN', 'inf', '-Infinity', 'NaN(0x7ff8000000000001)', '9223372036854775807',
           '9223372036854775808', '2147483648', '0.1', '123456789012345678', '17.', '.5', '+3', '1,5', 'true', 'false', '', 'NA', ' 7', '7 ', '\t7', '1_000', '0x10', '007']
ALPHABET = '0123456789.-+eETZ:/ \t,;|#@_nNaAifxtr()\0\r\x7f\xe9'
OPTIONS = [[], ['-z', 'Europe/Berlin'], ['-z', 'Europe/Berlin', '--dst', 'later'], ['--time-unit', 'ms', '--any-time'], ['--null-value', 'NA'], ['--any-time'],
           ['--commit-every', '1'], ['--map', 'q=w']]
DELIMITERS = [(',', []), (',', []), (';', ['-d', ';']), ('|', ['-d', '|']), (' ', ['-d', 'space']), ('\t', ['-d', 'tab'])]


def mutated(rng, line):
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2))):
        at = rng.randrange(len(line) + 1)
        cut = rng.randrange(2)
        line = line[:at] + rng.choice(('', rng.choice(ALPHABET), rng.choice(ALPHABET))) + line[at + cut:]
    return line


def case(rng):
    """The lines, with %s where the last field stands, and the options."""
    mark, options = rng.choice(DELIMITERS)
    names = ['time', 'v', 'w', 'b', 'i', 'f']
    if rng.randrange(3) == 0:
        names.remove(rng.choice(names[1:]))
    head = list(names)
    if rng.randrange(3) == 0:
        rng.shuffle(head)
    options = options + rng.choice(OPTIONS) + ['--ignore-unknown', '-t', 'time']
    if '--map' in options and 'w' in head:
        head[head.index('w')] = 'q'
    elif '--map' in options:
        options = options[:options.index('--map')] + options[options.index('--map') + 2:]
    lines = [mark.join(head) + mark + 'note']
    for k in range(rng.choice((1, 1, 2))):
        good = {'time': str(1700000000 + k), 'v': '1.5', 'w': '7', 'b': '1', 'i': '-3', 'f': '0.25', 'q': '8'}
        fields = [rng.choice(TIMES) if n == 'time' and rng.randrange(4) == 0 else rng.choice(NUMBERS) if n != 'time' and rng.randrange(12) == 0 else good[n] for n in head]
        lines.append(mutated(rng, mark.join(fields)) + mark + '%s')
    return lines, options, rng.choice(('\n', '\n', '\r\n'))


def outcome(data, options):
    with open('in.csv', 'wb') as f:
        f.write(data)
    with open('a.otr', 'wb') as f:
        f.write(EMPTY)
    done = subprocess.run(['otr-append', *options, 'a.otr', 'in.csv'], capture_output=True, check=False)
    rows = subprocess.run(['otr-dump', '--time-format', 'ns', 'a.otr'], capture_output=True, check=True).stdout
    return done.returncode, done.stderr, rows


seed, cases = int(os.environ.get('SEED', 1)), int(os.environ.get('CASES', 1200))
print('# SEED=%d' % seed, flush=True)
bad = taken = refused = 0
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    subprocess.run(['otr-create', 'a.otr', 'v', 'w:i64', 'b:bool', 'i:i32', 'f:f32'], check=True)
    with open('a.otr', 'rb') as f:
        EMPTY = f.read()
    for number in range(cases):
        lines, options, end = case(random.Random(seed * 1000003 + number))
        plain, quoted = [(end.join([lines[0]] + [line.replace('%s', note) for line in lines[1:]]) + end).encode('latin-1') for note in ('x', '"x"')]
        fast, general = outcome(plain, options), outcome(quoted, options)
        taken += fast[0] == 0
        refused += fast[0] != 0
        if fast != general:
            bad += 1
            if bad <= 3:
                print('# case %d: otr-append %s of %r\n#   %r\n#   quoted: %r' % (number, ' '.join(options), plain, fast, general))
    os.chdir('/')
print('%sok 1 - a line is taken, or refused, alike whether the fast way or the general one reads it' % ('not ' if bad else ''))
print('%sok 2 - of the lines many are taken, and many refused' % ('' if taken > cases // 5 and refused > cases // 5 else 'not '))
print('# %d taken, %d refused, %d differences' % (taken, refused, bad))
print('1..2')
sys.exit(bad > 0)
