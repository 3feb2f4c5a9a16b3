#!/usr/bin/env python3
"""Writes the expected outputs and SHA256SUMS anew, from the independent reader (never from the tools under test). A change of either is a change of the format
or of a text: say why in the commit message.
"""
import hashlib
import os
import re
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import spec_check as spec  # noqa: E402

LONG = 65536                    # bytes: from here on the hash stands in its place
WITH_VERSIONS = re.compile('good-(08|09|13[1-9]|140)')


def read(path, *options):
    status, out, err = spec.run(spec.reader.main, [*options, path])
    if status:
        sys.exit('%s %s: %s' % (path, ' '.join(options), err))
    return out


def write(name, text):
    with open(os.path.join(HERE, name), 'w', encoding='utf-8', newline='') as f:
        f.write(text)


def outputs(n, path):
    spec.reader.parsed = {}
    csv = read(path)
    if len(csv.encode()) > LONG:
        write(n + '.csv.sha256', '%s  %s.csv\n' % (hashlib.sha256(csv.encode()).hexdigest(), n))
    else:
        write(n + '.csv', csv)
    write(n + '.stat', read(path, '--stat'))
    if not WITH_VERSIONS.match(n):
        return
    log = read(path, '--log')
    write(n + '.log', log)
    versions = sorted(v for v, _ in spec.commits(n))
    texts = [read(path, '--at', str(v)) for v in versions]
    joined = ''.join('# version %d\n%s' % x for x in zip(versions, texts))
    if len(joined.encode()) > LONG:
        write(n + '.versions.sha256', ''.join('%s  version %d\n' % (hashlib.sha256(text.encode()).hexdigest(), v) for v, text in zip(versions, texts)))
    else:
        write(n + '.versions', joined)
    meta = read(path, '--meta')
    metas = [read(path, '--meta', '--at', str(v)) for v in versions]
    if meta.count('\n') > 1:
        write(n + '.meta', meta)
    if any(text.count('\n') > 1 for text in metas):
        write(n + '.metas', ''.join('# version %d\n%s' % x for x in zip(versions, metas)))


def main():
    for name in os.listdir(HERE):
        if re.fullmatch(r'good-.*\.(csv|csv\.sha256|versions|versions\.sha256|log|meta|metas|stat)', name):
            os.remove(os.path.join(HERE, name))
    with tempfile.TemporaryDirectory() as folder:
        if spec.spec_hexdump.mkotr.main(['-a', HERE, folder]):
            sys.exit(1)
        for n in spec.names('good-'):
            outputs(n, os.path.join(folder, n + '.otr'))
        sums = ''
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), 'rb') as f:
                sums += '%s  %s\n' % (hashlib.sha256(f.read()).hexdigest(), name)
        write('SHA256SUMS', sums)


if __name__ == '__main__':
    main()
