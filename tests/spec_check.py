#!/usr/bin/env python3
"""spec_check.py WHAT FOLDER: checks of SPEC.md and of tests/files, for spec.bats. FOLDER has the assembled files.

    sums       SHA256SUMS has the hash of each file
    minimal    appendix B on all good files
    dump       tests/otr_reader.py on all good files: .csv, .stat, .versions, .log, .meta, .metas
    verify     it finds nothing on good files, or what .expect says
    bad        bad- and unsupported- files: status, answer and rule of .expect
    readme     each file has its sentence in README.md
    registries section 14 beside the headers of lib/ and the bytes of a file
    blocks     the Python blocks of SPEC.md compute what the reader computes
    crc        the checksums that section 3.1 names
    twins      a bad- or unsupported- text differs from its good twin in the line of its fault
    texts      tests/otr2text writes texts from which mkotr makes the good files again
"""
import contextlib
import functools
import hashlib
import io
import os
import random
import re
import struct
import sys
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import spec_hexdump  # noqa: E402
from spec_hexdump import TOP, reader  # noqa: E402

TEXTS = os.path.join(TOP, 'tests/files')
failed = 0


def fail(name, text):
    global failed
    failed += 1
    if failed <= 20:
        print('%s: %s' % (name, text))


CLASS_D = 'good-110', 'good-139'


def names(prefix):
    return sorted(n[:-4] for n in os.listdir(TEXTS) if n.startswith(prefix) and n.endswith('.txt'))


def run(main, argv):
    """(status, stdout, stderr) of a reader, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(argv)
        except SystemExit as e:
            status = e.code
    return status or 0, out.getvalue(), err.getvalue()


def expect(name):
    """(status of a dump, what it says, status of a verification, the rules of which one is to be named)"""
    e = {}
    try:
        with open(os.path.join(TEXTS, name + '.expect')) as f:
            for line in f:
                words = line.rstrip('\n').split(' ', 1)
                e[words[0]] = words[1]
    except FileNotFoundError:
        pass
    dump, _, says = e.get('dump', '0').partition(' ')
    return int(dump), says, int(e.get('verify', '0')), e.get('rule', '').split()


def names_one(rules, text):
    """Whether one of the rules is named, as (SPEC 4.1)."""
    return any('(SPEC %s)' % rule in text for rule in rules)


def places(name):
    """Of .expect, where the fault may be said to lie: [(page, slot, header, file or version, number or '')]; one of them is to be named, with a rule."""
    try:
        m = re.search('^place (.*)$', text_of(name + '.expect'), re.M)
    except FileNotFoundError:
        m = None
    return [tuple((p + ' ').split(' ')[:2]) for p in m[1].split(' or ')] if m else []


def place_of(where):
    """What the reader names, as one of them."""
    m = re.match(r'(?:record of )?(page|version|slot) (\d+)', where)
    return (m[1], m[2]) if m else (next((word for word in ('slot', 'header', 'file') if word in where), where), '')


def told(out):
    """[(place, rule)] of the reader's findings."""
    found = re.findall(r'^.*?\.otr: (?:slot of version \d+: )?(.+?): .*\(SPEC (\S+)\)$', out, re.M)
    return [(place_of(where), rule) for where, rule in found]


def same_place(name, findings):
    """Whether one of the findings [((kind, number), rule)] names a place and a rule of .expect."""
    rules, want = expect(name)[3], places(name)
    return not want or any(rule in rules and kind == k and (not n or not number or number == n) for (kind, number), rule in findings for k, n in want)


def asked(name):
    """Of .expect, what else is asked: [(option or None, version or None, status, what is said)] of lines `at V`, `meta V`, `log`."""
    out = []
    try:
        lines = text_of(name + '.expect').splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        m = re.fullmatch('(at|meta) ([0-9]+) ([0-9])(?: (.*))?', line) or re.fullmatch('(log)() ([0-9])(?: (.*))?', line)
        if m:
            out.append((m[1], m[2], int(m[3]), m[4] or ''))
    return out


def text_of(path):
    with open(os.path.join(TEXTS, path), encoding='utf-8', newline='') as f:
        return f.read()


def same_csv(name, out):
    try:
        return out == text_of(name + '.csv')
    except FileNotFoundError:
        return hashlib.sha256(out.encode()).hexdigest() == text_of(name + '.csv.sha256').split()[0]


class Versions:
    """What NAME.versions or NAME.versions.sha256 says of each version, oldest first."""

    def __init__(self, name):
        self.want = {}
        if os.path.exists(os.path.join(TEXTS, name + '.versions')):
            self.want = {int(v): text for v, text in parts(name + '.versions')}
        elif os.path.exists(os.path.join(TEXTS, name + '.versions.sha256')):
            for line in text_of(name + '.versions.sha256').splitlines():
                digest, _, v = line.split()
                self.want[int(v)] = digest

    def same(self, v, out):
        return self.want[v] in (out, hashlib.sha256(out.encode()).hexdigest())


def parts(path):
    """[(version, text)] of a file with a line `# version V` before each."""
    return [tuple(part.split('\n', 1)) for part in re.split('^# version ', text_of(path), flags=re.M)[1:]]


def commits(name):
    """[(version, time of its commit)] of NAME.log, newest first; a time has nine digits, so texts compare as times do."""
    return [(int(v), t) for v, t in re.findall(r'^(\d+),(\d{4}-\d\d-\d\dT[\d:.]+Z),', text_of(name + '.log'), re.M)]


def as_of(log, time):
    """8.4: the newest version committed by then, sought from the newest back."""
    return next(v for v, t in log if t <= time)


def sums(folder):
    want = dict(reversed(line.split()) for line in text_of('SHA256SUMS').splitlines())
    have = {}
    for n in names(''):
        with open(os.path.join(folder, n + '.otr'), 'rb') as f:
            have[n + '.otr'] = hashlib.sha256(f.read()).hexdigest()
    for n in sorted(set(want) | set(have)):
        if want.get(n) != have.get(n):
            fail(n, 'has the hash %s, SHA256SUMS says %s' % (have.get(n), want.get(n)))


@functools.lru_cache(None)
def code_of(path):
    with open(os.path.join(TOP, path)) as f:
        return compile(f.read(), path, 'exec')


def appendix_b(argv):
    """The main program of examples/otr_dump.py."""
    old, sys.argv = sys.argv, ['otr_dump.py'] + argv
    try:
        exec(code_of('examples/otr_dump.py'), {'__name__': '__main__'})
    finally:
        sys.argv = old


def minimal(folder):
    for n in names('good-'):
        status, out, err = run(appendix_b, [os.path.join(folder, n + '.otr')])
        if n.startswith(CLASS_D):
            if status != 4 or 'unsupported' not in err:
                fail(n, 'no class D, and not said: %d %s' % (status, err))
        elif status or not same_csv(n, out):
            fail(n, 'status %d, or not as the .csv: %s' % (status, err))
    for n in names('bad-') + names('unsupported-'):       # it may read what it does not check, but never die of it
        try:
            status, out, err = run(appendix_b, [os.path.join(folder, n + '.otr')])
        except Exception as e:
            fail(n, 'dies: %r' % e)
            continue
        if status not in (0, 4):
            fail(n, 'status %d' % status)


def dump(folder):
    for n in names('good-'):
        reader.parsed = {}                                      # versions share pages: each is parsed once
        path = os.path.join(folder, n + '.otr')
        status, out, err = run(reader.main, [path])
        says = expect(n)[1]
        if status or not same_csv(n, out) or says not in err or (says == '') != (err == ''):
            fail(n, 'status %d, or not as the .csv, or said: %s' % (status, err))
        if n.startswith(CLASS_D) and run(reader.main, ['--no-deflate', path])[0] != 4:
            fail(n, 'read without class D')
        for option, suffix in (('--stat', '.stat'), ('--log', '.log'), ('--meta', '.meta')):
            if os.path.exists(os.path.join(TEXTS, n + suffix)):
                status, out, err = run(reader.main, [option, path])
                if status or out != text_of(n + suffix):
                    fail(n + suffix, 'differs: %s' % err)
        versions = Versions(n)
        for v in versions.want:
            status, out, err = run(reader.main, ['--at', str(v), path])
            if status or not versions.same(v, out):
                fail(n, 'version %s differs: %s' % (v, err))
        if os.path.exists(os.path.join(TEXTS, n + '.metas')):
            for v, want in parts(n + '.metas'):
                status, out, err = run(reader.main, ['--meta', '--at', v, path])
                if status or out != want:
                    fail(n, 'metadata of version %s differ: %s' % (v, err))
        if not versions.want:
            continue
        log = commits(n)
        if sorted(v for v, _ in log) != list(versions.want):
            fail(n, 'versions of .log are not those of .versions')
        for _, time in log:
            status, out, err = run(reader.main, ['--at', time, path])
            if status or not versions.same(as_of(log, time), out):
                fail(n, 'as of %s differs: %s' % (time, err))
        first = min(versions.want)
        if first and run(reader.main, ['--at', str(first - 1), path])[0] != 2:
            fail(n, 'version %d is read, though it is pruned' % (first - 1))


def registries(folder):
    """The codes of 14.1 to 14.4 are those of lib/, and what 14.6 tells magic(5) is so of a file."""
    with open(os.path.join(TOP, 'SPEC.md'), encoding='utf-8') as f:
        section = f.read().split('\n## 14. ')[1].split('\n## 15. ')[0]
    code = ''
    for h in ('format.h', 'chunk.h', 'otr.h'):
        with open(os.path.join(TOP, 'lib', h), encoding='utf-8') as f:
            code += f.read()

    def enum(name, prefix):
        body = re.search(r'enum %s \{(.*?)\}' % name, code, re.S)[1]
        return {int(n): re.sub('^' + prefix, '', word).lower() for word, n in re.findall(r'(\w+) = (\d+)', body)}

    def listed(rule):
        text = re.search(r'\*\*%s[^*]*\*\*:(.*?)[;.]' % re.escape(rule), section, re.S)[1]
        return {int(n): word.lower() for n, word in re.findall(r'(\d+) ([a-z]+)', text) if int(n) < 100}

    def table(rule, first, second):
        part = section.split('**' + rule)[1].split('\n**14')[0]
        rows = [[c.strip() for c in line.strip('|').split('|')] for line in part.split('\n') if line.startswith('|')]
        return {int(r[first]): r[second].lower() for r in rows if re.fullmatch(r'\d+', r[first]) and r[second] != 'reserved'}

    for rule, said, have in (('14.1', listed('14.1'), {n: {'meta': 'metadata'}.get(w, w) for n, w in enum('otr__page_type', 'OTR__').items()}),
                             ('14.2', listed('14.2'), enum('otr_kind', 'OTR_KIND_')),
                             ('14.3', table('14.3', 0, 1), enum('otr__transform', 'OTR__')),
                             ('14.3', table('14.3', 2, 3), enum('otr__packing', 'OTR__')),
                             ('14.4', {n: w for n, w in table('14.4', 0, 1).items() if n < 6}, enum('otr_type', 'OTR_'))):
        if said != have or not said:
            fail(rule, 'the text has %s, lib/ has %s' % (said, have))

    with open(os.path.join(folder, 'good-002-names.otr'), 'rb') as f:
        b = f.read()
    lines = [re.split(r'  +', line.strip(), maxsplit=3) for line in section.split('**14.6')[1].split('\n') if re.match(r'    [0>]', line)]
    if len(lines) != 4:
        fail('14.6', 'has %d lines for magic(5)' % len(lines))
    told = ''
    for at, kind, value, text in lines:
        at = int(at.lstrip('>'))
        if kind == 'string':
            magic = value.encode().decode('unicode_escape').encode('latin-1')
            if b[at:at + len(magic)] != magic or len(magic) != 8:
                fail('14.6', 'the file begins with %r' % b[:8])
            told = text
        else:
            told += re.sub('^\\\\b', '', text) % int.from_bytes(b[at:at + {'uleshort': 2, 'ubyte': 1}[kind]], 'little')
    if told != 'OTR time series, format 1.0, 5 columns':
        fail('14.6', 'magic(5) says %r' % told)


def verify(folder):
    for n in names('good-'):
        reader.parsed = {}
        status, out, err = run(reader.main, ['--verify', os.path.join(folder, n + '.otr')])
        want = expect(n)
        if status != want[2] or (status and not names_one(want[3], out + err)) or not same_place(n, told(out)):
            fail(n, 'verify is %d: %s%s' % (status, out, err))


def bad(folder):
    for n in names('bad-') + names('unsupported-'):
        path = os.path.join(folder, n + '.otr')
        status, says, verdict, rules = expect(n)
        got, out, err = run(reader.main, [path])
        if got != status or (status and says not in err):
            fail(n, 'status %d, want %d %s: %s' % (got, status, says, err))
        for what, v, status, says in asked(n):
            got, out, err = run(reader.main, {'at': ['--at', v], 'meta': ['--meta', '--at', v], 'log': ['--log']}[what] + [path])
            if got != status or (status and says not in err):
                fail(n, '%s %s: status %d, want %d %s: %s' % (what, v, got, status, says, err))
        got, out, err = run(reader.main, ['--verify', path])
        if got != verdict or not names_one(rules, out + err):
            fail(n, 'verify is %d, want %d and rule %s: %s%s' % (got, verdict, ' or '.join(rules), out, err))
        if verdict == 1 and rules != ['3.2-1'] and not places(n):
            fail(n, 'no place in .expect')
        if not same_place(n, told(out)):
            fail(n, 'verify finds it elsewhere: %s' % out)


def readme(folder):
    text = text_of('README.md')
    for n in names(''):
        if '`%s`' % n not in text:
            fail(n, 'has no sentence in README.md')
    for n in re.findall('`((?:good|bad|unsupported)-[0-9][0-9a-z-]*)`', text):
        if n not in names(''):
            fail(n, 'is in README.md only')


def blocks(folder):
    with open(os.path.join(TOP, 'SPEC.md')) as f:
        spec = f.read()
    spec = spec[:spec.index('## Appendix B')]
    env = {'isfinite': reader.finite, 'NAN': reader.NAN}
    count = 0
    for code in re.findall('^```python\n(.*?)^```', spec, re.M | re.S):
        exec(code, env)
        count += 1
    if count < 3:
        fail('SPEC.md', '%d blocks of Python' % count)
    rnd = random.Random(1)
    special = [0.0, -0.0, 1.0, float('inf'), -float('inf'), reader.NAN, 1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 1e300, 1e-290]

    def number():
        k = rnd.randrange(4)
        if k == 0:
            return rnd.choice(special)
        return rnd.uniform(-1, 1) * 10.0 ** rnd.randrange(-30, 30) if k < 3 else struct.unpack('<d', struct.pack('<Q', rnd.getrandbits(64)))[0]

    def show(x):
        return tuple(map(show, x)) if isinstance(x, (tuple, list)) else 'nan' if x != x else x.hex()
    for _ in range(20000):
        a, b, c, d = number(), number(), number(), number()
        for name, args in (('two_sum', (a, b)), ('fast_sum', (a, b)), ('two_prod', (a, b)), ('dd_norm', ((a, b),)), ('dd_add', ((a, b), (c, d)))):
            if show(env[name](*args)) != show(getattr(reader, name)(*args)):
                fail(name, repr(args))
        dt, step = rnd.getrandbits(rnd.randrange(1, 64)) + 1, rnd.random() < 0.5
        want = reader.pair(0, a, dt, b, step, None)
        if want and show(env['pair_area'](a, b, dt, step)) != show(want[:2]):
            fail('pair_area', repr((a, b, dt, step)))
    for _ in range(500):
        xs = [rnd.getrandbits(rnd.choice((3, 20, 64))) for _ in range(rnd.randrange(3, 30))]
        order, layout = rnd.randrange(3), rnd.randrange(2)
        base = rnd.getrandbits(64)
        d, seeds = xs, []
        for _ in range(order):
            seeds.append(d[0])
            d = [(q - p) % 2 ** 64 for p, q in zip(d, d[1:])]
        r = [(v - base) % 2 ** 64 for v in d]
        if layout:
            r = [(v * 2 % 2 ** 64) ^ (2 ** 64 - 1 if v >> 63 else 0) for v in r]
        if env['pack_values'](r, base, seeds, layout) != xs:
            fail('pack_values', repr((order, layout)))


def crc(folder):
    with open(os.path.join(TOP, 'SPEC.md')) as f:
        spec = ' '.join(f.read().split())
    m = re.search('nine bytes "123456789" give ([0-9A-F]{8}). ([0-9, ]+) zero bytes give ([0-9A-F, ]+),', spec)
    if int(m[1], 16) != zlib.crc32(b'123456789'):
        fail('3.1', m[1])
    for n, want in zip(m[2].split(', '), m[3].split(', ')):
        if zlib.crc32(bytes(int(n))) != int(want, 16):
            fail('3.1', '%s zero bytes' % n)


# Texts whose good twin is no sample: why.
NO_TWIN = {'bad-101-kept-after-riding': 'no sound file has a rewrite behind rows that ride',
           'unsupported-006-type': 'with i64 for the type it is sound, and shows nothing that others do not'}


def sound_lines(text):
    """A text without its fault: the line with `#!` is left out, and lines with `#=` behind a line stand in its place."""
    out, before = [], ''
    for line in text.split('\n'):
        if line.startswith('#='):
            if not before.startswith('#='):
                out.pop()
            out.append(line[2:])
        else:
            out.append(line)
        before = line
    return '\n'.join(line for line in out if '#!' not in line)


def twins(folder):
    mkotr = spec_hexdump.mkotr
    for n in names('bad-') + names('unsupported-'):
        text = text_of(n + '.txt')
        marked = [line for line in text.split('\n') if '#!' in line]
        if len(marked) != 1 or not re.search(r'\S +#! \d[\d.-]*$', marked[0]):
            fail(n, '%d lines are marked as the fault, by `#! RULE`' % len(marked))
        twin = re.findall('^from (good-.*)$', text, re.M)
        if n in NO_TWIN:
            continue
        if len(twin) != 1:
            fail(n, 'has %d good twins' % len(twin))
            continue
        try:
            made = mkotr.Maker(sound_lines(text), TEXTS).file()
        except (mkotr.Text, StopIteration, ValueError) as e:
            fail(n, 'without its fault it does not assemble: %r' % e)
            continue
        with open(os.path.join(folder, twin[0] + '.otr'), 'rb') as f:
            if f.read() != made:
                fail(n, 'without its fault it is not %s' % twin[0])


# What otr2text cannot say in words: how many runs of 512 bytes it pokes.
POKED = {'good-101-torn': 'the torn slot', 'good-102-old-damaged': 'a slot of noise', 'good-103-flipped-stamp': 'a flipped bit', 'good-104-flipped-old-stamp': 'a flipped bit',
         'good-105-header-copy': 'the damaged header', 'good-106-copy-damaged': 'the damaged copy', 'good-108-torn-first': 'the torn slot',
         'good-109-tail': 'bytes behind the last page', 'good-111-cut-whole': 'the stamps that a cut left'}
UNREACHED = {'good-089-all': [10], 'good-090-horizon': [5], 'good-091-horizon-gone': [5], 'good-094-base-row-versions': [4]}


def again(path):
    """What otr2text and mkotr make of a file: (how many runs of bytes were poked, pages that differ, pages that are reached)."""
    texter = otr2text().Texter(path)
    text, pokes = texter.whole()
    made = spec_hexdump.mkotr.Maker(text, '.').file() if '\nfile\n' in text else texter.made
    with open(path, 'rb') as f:
        want = f.read()
    size = texter.h.page_size
    differ = [k for k in range((max(len(want), len(made)) + size - 1) // size) if made[k * size:k * size + size] != want[k * size:k * size + size]]
    return pokes, differ, texter.pages


@functools.lru_cache(None)
def otr2text():
    return spec_hexdump.load('otr2text', 'tests/otr2text')


def texts(folder):
    for n in names('good-'):
        pokes, differ, _ = again(os.path.join(folder, n + '.otr'))
        if bool(pokes) != (n in POKED):
            fail(n, '%d runs of bytes are poked' % pokes)
        if differ != UNREACHED.get(n, []):
            fail(n, 'pages %s differ' % differ)


if __name__ == '__main__':
    globals()[sys.argv[1]](sys.argv[2])
    if failed > 20:
        print('.. and %d more' % (failed - 20))
    sys.exit(1 if failed else 0)
