#!/usr/bin/env python3
"""Files whose past the tools change: late rows, deletions, rollbacks, metadata, policies, pruning, expiry, compaction, in random order.

The independent reader (tests/otr_reader.py, written from SPEC.md alone) must give every kept version as otr-dump --at does, by number and by
time, the log as otr-log, the metadata of each version, and find no fault; appendix B the newest version; tests/otr2text a text that gives the
same bytes. SEEDS=1,2,3 or FROM=a TO=b (b not included) chooses the runs, STEPS=n their length; KEEP=DIR keeps the file and the commands of a
run that fails.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import spec_check as spec  # noqa: E402

BIN = os.environ.get('OTR_BIN', os.path.join(spec.TOP, 'build/release'))
START = 1700000000
TYPES = ['f64', 'f64', 'f32', 'i64', 'i32', 'bool']


def tool(name, *argv, text=None):
    return subprocess.run([os.path.join(BIN, name)] + list(argv), input=text, capture_output=True, encoding='utf-8')


def foreign(*argv):
    """(status, stdout, stderr) of the independent reader."""
    return spec.run(spec.reader.main, list(argv))


def value(rnd, typ):
    if rnd.random() < .05:
        return ''
    if typ == 'bool':
        return str(rnd.randrange(2))
    if typ == 'i32':
        return str(rnd.randrange(-2 ** 31, 2 ** 31))
    if typ == 'i64':
        return str(rnd.randrange(-2 ** 63, 2 ** 63))
    if rnd.random() < .02:
        return rnd.choice(['NaN', 'inf', '-0', '-inf'])
    return repr(rnd.gauss(0, 10)) if typ == 'f64' else '%.6g' % rnd.gauss(0, 10)


class Series:
    def __init__(self, seed, path):
        self.seed, self.rnd, self.path = seed, random.Random(seed), path
        self.commands = []
        rnd = self.rnd
        self.cols = [('c%d' % i, rnd.choice(TYPES)) for i in range(rnd.choice([1, 1, 2, 3]))]
        self.now = START
        argv = ['--page-size', '4Ki', '--duplicates', rnd.choice(['replace', 'keep', 'first'])]
        if rnd.random() < .4:
            argv += ['--max-size', rnd.choice(['420Ki', '460Ki', '600Ki'])]
        if rnd.random() < .35:
            argv += ['--retain', '%ds' % rnd.choice([50, 300, 1000, 4000])]
        r = rnd.random()
        if r < .25:
            argv += ['--history', str(rnd.randrange(0, 12))]
        elif r < .3:
            argv += ['--history', '1d']
        if rnd.random() < .3:
            argv += ['--gap', '20s']
        if rnd.random() < .3:
            argv += ['--meta', 'site=mill']
        self.must('otr-create', *argv, path, *['%s:%s' % c for c in self.cols])

    def must(self, name, *argv, text=None, ok=(0,)):
        self.commands.append(' '.join([name] + list(argv)) + (' # %d lines' % text.count('\n') if text else ''))
        r = tool(name, *argv, text=text)
        if r.returncode not in ok:
            raise Fault('%s: status %d: %s' % (self.commands[-1], r.returncode, r.stderr.strip()))
        return r

    def rows(self, n, order):
        rnd, out = self.rnd, []
        for _ in range(n):
            if order == 'late' and self.now > START + 10:
                t = rnd.randrange(max(START, self.now - rnd.choice([20, 400, 5000])), self.now + 5)
            elif order == 'jitter':
                self.now += 1
                t = self.now - (rnd.randrange(6) if rnd.random() < .3 else 0)
            else:
                self.now += rnd.choice([0, 1, 1, 1, 1, 1, 1, 2, 30]) if rnd.random() < .2 else 1
                t = self.now
            frac = '' if rnd.random() < .9 else '.%03d' % rnd.randrange(1000)
            out.append('%d%s,' % (t, frac) + ','.join(value(rnd, typ) for _, typ in self.cols))
        return 'time,' + ','.join(n for n, _ in self.cols) + '\n' + '\n'.join(out) + '\n'

    def a_time(self):
        return '@%d' % self.rnd.randrange(max(START, self.now - self.rnd.choice([30, 500, 4000, 20000])), self.now + 5)

    def step(self):
        rnd = self.rnd
        r = rnd.random()
        msg = ['-m', rnd.choice(['a', 'a longer message, with a comma', 'zwei\nZeilen'])] if rnd.random() < .3 else []
        if r < .30:
            self.must('otr-append', '-q', *msg, self.path, text=self.rows(rnd.choice([1, 2, 3, 5, 20]), rnd.choice(['plain', 'jitter', 'late'])),
                      ok=(0, 1))
        elif r < .50:
            self.must('otr-append', '-q', *msg, self.path, text=self.rows(rnd.choice([200, 500, 1000, 2500]), rnd.choice(['plain', 'plain', 'jitter'])),
                      ok=(0, 1))
        elif r < .56:
            self.must('otr-append', '-q', *msg, self.path, text=self.rows(rnd.choice([3, 50, 300]), 'late'), ok=(0, 1))
        elif r < .66:
            a, b = sorted([self.a_time(), self.a_time()])
            argv = rnd.choice([['-s', a, '-e', b], ['-e', a], ['-s', b], ['--all'], ['-s', a, '-e', b, '--where', '%s > %d' % (self.cols[0][0], 0 if self.cols[0][1] == 'bool' else 3)]]) \
                if rnd.random() < .8 else ['-s', b]
            self.must('otr-delete', '-q', *msg, *argv, self.path, ok=(0, 1))
        elif r < .76:
            versions = self.versions()
            self.must('otr-rollback', '-q', *msg, self.path, str(rnd.choice(versions)), ok=(0, 1))
        elif r < .88:
            argv = rnd.choice([['k%d=%d' % (rnd.randrange(4), rnd.randrange(9))], ['site=%s' % ('x' * rnd.choice([1, 3000, 9000]))],
                               ['--unset', 'site'], ['otr.duplicates=%s' % rnd.choice(['replace', 'keep', 'first'])],
                               ['otr.history=%s' % rnd.choice(['all', '0', '3', '10'])], ['otr.retain=%s' % rnd.choice(['none', '200s', '2000s'])],
                               ['otr.max-size=%s' % rnd.choice(['none', '450Ki'])]])
            self.must('otr-meta', '-q', *msg, self.path, *argv, ok=(0, 1, 2))
        elif r < .92:
            argv = rnd.choice([[], [], [], ['--drop-history'], ['--drop-history', '--deflate'], ['--drop-history', '--page-size', '8Ki'],
                               ['--downsample', '10s', '--older-than', self.a_time()]])
            if rnd.random() < .3:                       # beside it: what is compared, and goes on, is the copy
                self.must('otr-compact', '-q', *msg, *argv, self.path, self.path + '.new', ok=(0, 1))
                if os.path.exists(self.path + '.new'):
                    os.replace(self.path + '.new', self.path)
            else:
                self.must('otr-compact', '-q', *msg, *argv, self.path, ok=(0, 1))
        else:
            for _ in range(rnd.randrange(5, 40)):
                self.must('otr-append', '-q', self.path, text=self.rows(1, rnd.choice(['plain', 'plain', 'jitter'])), ok=(0, 1))

    def versions(self):
        return [int(x) for x in re.findall(r'^(\d+),', tool('otr-log', self.path).stdout, re.M)]

    def same(self, what, theirs, mine):
        """otr-dump and the reader gave the same status and the same rows."""
        if bool(theirs.returncode) != bool(mine[0]) or theirs.stdout != mine[1]:
            a, b = theirs.stdout.split('\n'), mine[1].split('\n')
            k = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            raise Fault('%s: otr-dump %d (%s), %d lines; reader %d (%s), %d lines; line %d:\n%s\n%s' % (
                what, theirs.returncode, theirs.stderr.strip()[:300], len(a), mine[0], mine[2].strip()[:300], len(b), k, a[k:k + 3], b[k:k + 3]))

    def check(self, deep):
        """Compares what can be asked of the file; the number of versions that were."""
        p = self.path
        spec.reader.parsed = {}                                 # versions share pages
        status, out, err = foreign('--verify', p)
        if status:
            raise Fault('--verify: ' + (out + err)[:1500])
        r = tool('otr-verify', p)
        if r.returncode:
            raise Fault('otr-verify: ' + (r.stdout + r.stderr)[:1500])
        log, mine = tool('otr-log', p), foreign('--log', p)
        if log.stdout != mine[1]:
            raise Fault('--log differs: %s\n%s\n%s' % (mine[2], log.stdout[:800], mine[1][:800]))
        versions = self.versions()
        if not deep:
            versions = versions[:1] + self.rnd.sample(versions, min(2, len(versions)))
        for v in versions:
            theirs, mine = tool('otr-dump', '-q', '--at', str(v), p), foreign('--at', str(v), p)
            if theirs.returncode:
                raise Fault('otr-dump --at %d: %s' % (v, theirs.stderr.strip()[:300]))
            self.same('version %d' % v, theirs, mine)
            theirs, mine = tool('otr-meta', '-q', '--at', str(v), p), foreign('--meta', '--at', str(v), p)
            a = re.sub(r'^otr\..*\n', '', theirs.stdout, flags=re.M)
            if theirs.returncode or mine[0] or a != mine[1]:
                raise Fault('metadata of version %d: %d %s; %d %s\n%s\n%s' % (v, theirs.returncode, theirs.stderr, mine[0], mine[2], a[:300], mine[1][:300]))
        times = re.findall(r'^\d+,(\d{4}-[^,]+Z),', log.stdout, re.M)
        for t in times if deep and len(times) < 20 else self.rnd.sample(times, min(3, len(times))):
            self.same('as of ' + t, tool('otr-dump', '-q', '--at', t, p), foreign('--at', t, p))
        oldest = min(self.versions())
        if oldest:
            theirs, mine = tool('otr-dump', '--at', str(oldest - 1), p), foreign('--at', str(oldest - 1), p)
            if not theirs.returncode or not mine[0]:
                raise Fault('version %d is pruned: otr-dump %d, reader %d' % (oldest - 1, theirs.returncode, mine[0]))
        if deep and not any('--deflate' in c for c in self.commands):
            pokes, differ, reached = spec.again(p)
            if pokes or set(differ) & set(reached):
                raise Fault('otr2text: %d runs of bytes are poked, pages %s differ' % (pokes, differ))
        newest = tool('otr-dump', '-q', p).stdout
        status, out, err = spec.run(spec.appendix_b, [p])
        if out != newest and 'flags 2' not in err and 'flags 3' not in err:
            raise Fault('appendix B: %s %s' % (status, err.strip()[:300]))
        return len(versions)


class Fault(Exception):
    pass


def run(seed, steps, path):
    """(what was wrong or '', versions compared, commands)"""
    versions, s = 0, None
    try:
        s = Series(seed, path)
        for i in range(steps):
            s.step()
            if i % 8 == 7 and i < steps - 1:
                versions += s.check(False)
        versions += s.check(True)
        return '', versions, []
    except Fault as e:
        return str(e), versions, s.commands if s else []


def main():
    if 'SEEDS' in os.environ:
        seeds = [int(x) for x in os.environ['SEEDS'].split(',')]
    else:
        seeds = range(int(os.environ.get('FROM', 1)), int(os.environ.get('TO', 6)))
    steps, keep = int(os.environ.get('STEPS', 30)), os.environ.get('KEEP')
    print('1..%d' % len(seeds))
    bad = 0
    with tempfile.TemporaryDirectory(prefix='otr-history-', dir='/dev/shm' if os.path.isdir('/dev/shm') else None) as d:
        for n, seed in enumerate(seeds, 1):
            path = os.path.join(d, '%d.otr' % seed)
            wrong, versions, commands = run(seed, steps, path)
            print('%s %d - a changed past read by a reader from SPEC.md alone (seed %d, %d versions)' % ('not ok' if wrong else 'ok', n, seed, versions), flush=True)
            if wrong:
                bad += 1
                print('#   ' + wrong.replace('\n', '\n#   '))
                for line in commands[-6:]:
                    print('#   ' + line[:200])
                if keep:
                    os.makedirs(keep, exist_ok=True)
                    with open(os.path.join(keep, '%d.txt' % seed), 'w') as f:
                        f.write('\n'.join(commands) + '\n')
                    if os.path.exists(path):
                        shutil.copy(path, keep)
            if os.path.exists(path):
                os.unlink(path)
    return bad != 0


if __name__ == '__main__':
    sys.exit(main())
