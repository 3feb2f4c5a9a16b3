#!/usr/bin/env python3
"""made.py NAME...: has the tools make good-131 to 140, and tests/otr2text their texts: NAME.txt.

The same commands and rows each time; but the file_id is random and commit times come from the clock, so the texts differ. What is in
the repository is kept: files of an older writer are to be read for ever. OTR_BIN is the folder of the tools.
"""
import importlib.machinery
import importlib.util
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get('OTR_BIN', os.path.join(HERE, '../../build/release'))
START = 1700000000


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(HERE, '..', name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
otr2text = load('otr2text')


class File:
    def __init__(self, path, seed, columns, *options):
        self.path, self.columns, self.rnd, self.now = path, columns, random.Random(seed), START
        self.noise = False
        self.tool('otr-create', *options, tail=columns)

    def tool(self, name, *options, text=None, ok=(0,), tail=()):
        author = () if name == 'otr-create' else ('--author', self.rnd.choice(['ann', 'bob', 'Zoë']))
        r = subprocess.run([os.path.join(BIN, name), '-q', *author, *options, self.path, *tail], input=text, capture_output=True, encoding='utf-8')
        if r.returncode not in ok:
            sys.exit('%s %s: %s' % (name, ' '.join(options), r.stderr))

    def append(self, times, *options):
        """Rows at START plus so many seconds; values that pack well, some null. With noise: a column that fills pages, and is an `h` in the text."""
        rows = ['time,' + ','.join(c.split(':')[0] for c in self.columns)]
        for t in times:
            t = round(START + t, 3)
            cells = ['' if self.rnd.random() < .03 else str(self.rnd.randrange(2)) if c.endswith('bool')
                     else str(self.rnd.randrange(-40, 40)) if ':i' in c else '%.1f' % self.rnd.uniform(18, 23) for c in self.columns]
            if self.noise:
                cells = [str(int(t) // 50 % 2), str(otr2text.mkotr.noise(int(t)) - 2 ** 63)]
            rows.append('%s,' % (int(t) if t == int(t) else '%.3f' % t) + ','.join(cells))
        self.tool('otr-append', *options, text='\n'.join(rows) + '\n')
        self.now = max(self.now, START + max(times))

    def at(self, t):
        return '@%d' % (START + t)


def words(rnd, n):
    """A long text that is short in a text of mkotr: a word, again and again."""
    return ('%08x-' % rnd.getrandbits(32)) * n


def many_commits(f, count):
    """Small commits with long messages, so that the log gets many pages: rows in order, a little late, much late; deletions."""
    t = 0
    for i in range(count):
        kind = i % 23
        message = ('-m', words(f.rnd, 26))
        if kind == 9:
            f.append([t - 40 - f.rnd.randrange(30) for _ in range(3)], *message)            # a merge: a kept root
        elif kind == 17:
            f.tool('otr-delete', '-s', f.at(t - 30), '-e', f.at(t - 25), *message)
        elif kind % 5 == 3:
            f.append([t - 1.5, t - 1, t + 1.5], *message)                                  # late among the rows that ride, and one replaced
            t += 2
        elif kind % 7 == 4:
            f.append([t, t + 9], *message)                                                 # a second source that is ahead
        else:
            f.append([t + k for k in range(1 + i % 4)], *message)
            t += 1 + i % 4


def late_history(path):
    f = File(path, 131, ['temp:f64', 'n:i64'], '--page-size', '4Ki', '--duplicates', 'replace')
    f.append(range(-400, 0))
    many_commits(f, 130)


def delete_rollback(path):
    f = File(path, 132, ['temp:f32', 'on:bool'], '--page-size', '4Ki', '--duplicates', 'keep', '--gap', '20s')
    f.append(range(1500))
    f.tool('otr-delete', '-s', f.at(300), '-e', f.at(700), '-m', 'a range')
    f.append([1500, 1501])
    f.tool('otr-delete', '--where', 'temp > 22', '-m', 'by value')
    f.tool('otr-rollback', '-m', 'as before the first deletion', tail=['1'])
    f.append([1500, 1502, 1501])
    f.tool('otr-delete', '--all', '-m', 'everything')
    f.tool('otr-delete', '-s', f.at(0), '-m', 'nothing left', ok=(0, 1))
    f.append(range(2000, 2100))
    f.append([2100])
    f.tool('otr-rollback', '-m', 'in the middle of rows that rode', tail=['3'])
    f.append([1999, 2000, 1999])
    f.tool('otr-rollback', tail=['0'])
    f.append([5, 4, 4])


def metadata(path):
    f = File(path, 133, ['v:i32'], '--page-size', '4Ki', '--meta', 'site=mill')
    f.append(range(10))
    f.tool('otr-meta', tail=['site=Mühle', 'unit.v=°C'])
    f.tool('otr-meta', tail=['note=' + words(f.rnd, 950)])                                 # three pages
    f.append([10])
    f.tool('otr-meta', '--unset', 'note', tail=['site=mill, north'])
    f.tool('otr-meta', tail=['otr.duplicates=keep'])
    f.tool('otr-rollback', tail=['3'])
    f.append([11])
    f.tool('otr-meta', '--unset', 'site', '--unset', 'unit.v', '--unset', 'note')
    f.tool('otr-rollback', tail=['2'])


def retain(path):
    f = File(path, 134, ['temp:f64', 'n:i32'], '--page-size', '4Ki', '--retain', '900s')
    f.append(range(1500))
    f.append([1500, 1503, 1502])
    f.append(range(1100, 1160), '-m', 'late, a kept root')
    f.append(range(1504, 2100))
    f.tool('otr-delete', '-s', f.at(1800), '-e', f.at(1850))
    f.tool('otr-meta', tail=['otr.retain=300s'])
    for k in range(12):                                                                    # the first of these rows expire while they ride
        f.append([2100 + 30 * k, 2099 + 30 * k])


def round_robin(path):
    f = File(path, 135, ['on:bool', 'n:i64'], '--page-size', '4Ki', '--max-size', '400Ki')
    f.noise = True
    t = 0
    for k in range(60):
        if k % 7 == 5:
            f.append([t - 50 - f.rnd.randrange(200) for _ in range(5)], '-m', 'late')
        elif k % 7 == 6:
            f.append([t + i for i in range(3)])
            t += 3
        elif k % 11 == 3:
            f.tool('otr-delete', '-s', f.at(t - 400), '-e', f.at(t - 390))
        else:
            f.append([t + i for i in range(700)], '-m', words(f.rnd, 20))
            t += 700
    f.append([t, t + 1])


def history_count(path):
    f = File(path, 136, ['temp:f64'], '--page-size', '4Ki', '--history', '9')
    f.append(range(-600, 0))
    many_commits(f, 60)


def compact_history(path):
    f = File(path, 137, ['temp:f64', 'n:i64'], '--page-size', '4Ki', '--meta', 'site=mill')
    f.append(range(-900, 0))
    many_commits(f, 40)
    f.tool('otr-meta', tail=['site=north'])
    f.tool('otr-compact', '-m', 'with history')
    f.append([900, 901])
    f.append([100])


def compact_dense(path):
    f = File(path, 138, ['temp:f64', 'on:bool'], '--page-size', '8Ki')
    f.append(range(3000))
    f.tool('otr-delete', '-s', f.at(0), '-e', f.at(500))
    f.tool('otr-compact', '--drop-history', '--page-size', '4Ki')
    f.append([3001])
    f.append(range(2000, 2003))


def compact_deflate(path):
    f = File(path, 139, ['temp:f64', 'n:i64'], '--page-size', '4Ki')
    for k in range(4):
        f.append([k * 700 + i for i in range(700)])
    f.tool('otr-delete', '-s', f.at(100), '-e', f.at(110))
    f.tool('otr-compact', '--drop-history', '--deflate')
    f.append([2801])


def downsample(path):
    f = File(path, 140, ['temp:f64', 'n:i64'], '--page-size', '4Ki')
    f.append(range(1800))
    f.append([1800, 1803, 1801])
    f.tool('otr-compact', '--downsample', '60s', '--older-than', f.at(1200))
    f.append(range(1700, 1710))
    f.tool('otr-rollback', tail=['3'])


FILES = {
    'good-131-late-history': late_history, 'good-132-delete-rollback': delete_rollback, 'good-133-metadata-versions': metadata,
    'good-134-retain': retain, 'good-135-round-robin': round_robin, 'good-136-history-count': history_count,
    'good-137-compact': compact_history, 'good-138-compact-dense': compact_dense, 'good-139-compact-deflate': compact_deflate,
    'good-140-downsample': downsample,
}


def main(argv):
    if not argv or any(n not in FILES for n in argv):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as d:
        for n in argv:
            path = os.path.join(d, n + '.otr')
            FILES[n](path)
            text, pokes = otr2text.Texter(path).whole()
            if pokes:
                sys.exit('%s: the words of mkotr do not say all of it' % n)
            with open(os.path.join(HERE, n + '.txt'), 'w', encoding='utf-8') as f:
                f.write('# %s: by made.py and otr2text\n%s' % (n, text))


if __name__ == '__main__':
    main(sys.argv[1:])
