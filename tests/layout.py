#!/usr/bin/env python3
# layout.py FILE: where the pages of the present tree lie: a line a level from the root down, `level N: pages P, ranges R, first F, ascending yes|no`.
# A range is a run of neighbouring pages in the order in which a reader wants them: what one request of bytes can bring.
import struct
import sys

data = open(sys.argv[1], 'rb').read()
page_bytes, columns = 1 << data[64], data[65]


def body(at):
    return b''.join(data[at + 512 * i:at + 512 * i + 504] for i in range(8))


def stamp(at):
    return struct.unpack_from('<Q', data, at + 504)[0]


slots = [at for at in (4096, 8192) if stamp(at) != 2 ** 64 - 1]
slot = body(max(slots, key=stamp))
root = struct.unpack_from('<Q', slot, 64)[0]
horizon = struct.unpack_from('<q', slot, 200)[0]
pages = [root] if root else []
while pages:
    level = data[pages[0] * page_bytes + 5]
    ranges = 1 + sum(b != a + 1 for a, b in zip(pages, pages[1:]))
    print('level %d: pages %d, ranges %d, first %d, ascending %s' % (level, len(pages), ranges, pages[0],
          'yes' if pages == sorted(pages) else 'no'))
    if level == 0:
        break
    below = []
    for page in pages:
        at = page * page_bytes
        for i in range(struct.unpack_from('<I', data, at + 40)[0]):
            entry = at + 48 + i * (48 + 120 * columns)
            if struct.unpack_from('<q', data, entry + 40)[0] >= horizon:
                below.append(struct.unpack_from('<Q', data, entry)[0])
    pages = below
