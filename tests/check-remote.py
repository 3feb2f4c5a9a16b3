#!/usr/bin/env python3
"""SPEC.md section 11: the independent reader (otr_reader.py) over HTTP, with ranges, against a server that counts requests; the file changes under it.  TAP.

The server answers a range with 206 and a strong ETag made of inode, time and size, and a range whose If-Range does not fit with 200 and the whole file.
"""
import http.client
import http.server
import io
import json
import os
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import otr_reader as reader  # noqa: E402

failed = number = 0


def result(ok, title, *said):
    global failed, number
    number += 1
    failed += not ok
    print('%sok %d - %s' % ('' if ok else 'not ', number, title))
    for text in said if not ok else ():
        print('#   %s' % (text,))


def tool(*argv, stdin=''):
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True).stdout


class Server(http.server.ThreadingHTTPServer):
    """Serves one file.  asked: the ranges; before: called with the number of the request before it is answered; etags: what the answers carry."""
    daemon_threads = True

    def __init__(self, path, etags='strong'):
        super().__init__(('127.0.0.1', 0), Answer)
        self.path, self.etags, self.asked, self.before = path, etags, [], lambda n: None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = 1 << 20                   # head and body in one piece: two would wait for each other

    def do_GET(self):
        s = self.server
        first, last = (int(x) for x in self.headers['Range'][len('bytes='):].split('-'))
        s.asked.append((first, last))
        s.before(len(s.asked))
        with open(s.path, 'rb') as f:
            body = f.read()
            st = os.fstat(f.fileno())
        etag = '"%x-%x-%x"' % (st.st_ino, st.st_mtime_ns, st.st_size)
        whole = self.headers['If-Range'] not in (None, etag)
        if not whole and first >= len(body):
            self.send_response(416)
            part = b''
        else:
            self.send_response(200 if whole else 206)
            part = body if whole else body[first:last + 1]
        if s.etags == 'strong':
            self.send_header('ETag', etag)
        elif s.etags == 'weak':
            self.send_header('ETag', 'W/' + etag)
        self.send_header('Content-Length', str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *args):
        pass


class Changed(Exception):
    """The file is another one: begin again at 11.1."""


class Remote(reader.Otr):
    """The reader of otr_reader.py, whose bytes come by requests; `ahead` pages are asked for at once (11.4)."""

    def __init__(self, server, ahead=1):
        self.warnings, self.notes, self.say, self.deflate, self.status = [], [], lambda text: None, True, 0
        self.http = http.client.HTTPConnection(*server.server_address)
        self.etag, self.ahead, self.kept, self.end = None, ahead, {}, None
        self.size = 1 << 63             # not known, and not believed: each answer says what is there
        self.open()
        self.end = self.slot.page_count * self.header.page_size

    def get(self, at, n):
        headers = {'Range': 'bytes=%d-%d' % (at, at + n - 1)}
        if self.etag:
            headers['If-Range'] = self.etag
        self.http.request('GET', '/', headers=headers)
        answer = self.http.getresponse()
        body = answer.read()
        if answer.status == 200:
            raise Changed
        if self.etag is None and (answer.headers['ETag'] or 'W/').startswith('"'):
            self.etag = answer.headers['ETag']
        return body if answer.status == 206 else b''

    def read(self, at, n):
        if self.end is None or n != self.header.page_size:
            return self.get(at, n)
        if at not in self.kept:
            if at >= self.end:
                return b''
            body = self.get(at, min(n * self.ahead, self.end - at))
            self.kept = {at + i: body[i:i + n] for i in range(0, len(body), n)}
        return self.kept.get(at, b'')


def dump(server, **options):
    """The text of a dump, begun again when the file has changed; also how often it was begun."""
    for tries in range(1, 20):
        try:
            otr = Remote(server, **options)
            out = io.StringIO()
            reader.dump(otr, otr.slot.version, None, out)
            return out.getvalue(), tries
        except Changed:
            continue
    raise SystemExit('the file never stays the same')


def rows(first, n, noise=False):
    values = ((t * 7919 % 997 + t % 10 / 10, t * 0.6180339887498949 % 1)[noise] for t in range(first, first + n))
    return 'time,v\n' + ''.join('%d,%r\n' % (1700000000 + t, v) for t, v in zip(range(first, first + n), values))


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'a.otr')
        tool('otr-create', '--page-size', '4096', '--duplicates', 'replace', path, 'v')
        tool('otr-append', path, stdin=rows(0, 20))
        server = Server(path)
        otr = Remote(server)
        info = json.loads(tool('otr-stat', '--json', path))
        state = otr.slot
        result(server.asked == [(0, 16383)] and [c.name for c in otr.columns] == ['v'] and state.version == info['version'] and state.rows == info['rows'],
               '10.4-1, 11.1: one request of 16 KiB brings schema, version and counts', server.asked, info)
        result(dump(server)[0] == tool('otr-dump', path) and len(server.asked) == 2, '11.1: and the rows that ride, so that a small series is one request', server.asked)

        tool('otr-append', path, stdin=rows(20, 8000))
        server.asked.clear()
        text, tries = dump(server)
        result(text == tool('otr-dump', path) and tries == 1 and all(b - a < 16384 for a, b in server.asked), '10.4-3: a dump by requests is the dump', len(server.asked))
        alone = len(server.asked)

        tool('otr-compact', path)
        server.asked.clear()
        text, tries = dump(server, ahead=8)
        pages = os.path.getsize(path) // 4096
        result(text == tool('otr-dump', path) and len(server.asked) <= 2 + pages // 8 and 2 * len(server.asked) < alone,
               '11.4: after a compaction neighbouring pages come by one request', '%d requests, %d before, %d pages' % (len(server.asked), alone, pages))
        result(max(b for _, b in server.asked) < os.path.getsize(path), '11.4: and none goes beyond page_count', server.asked[-1])

        for what in ('append', 'late', 'compact'):
            server.asked.clear()
            once = []

            def change(n):
                if n == 4 and not once:
                    once.append(n)
                    if what == 'append':
                        tool('otr-append', path, stdin=rows(40000, 500))
                    elif what == 'late':
                        tool('otr-append', path, stdin=rows(100, 2000).replace('.', '.5'))
                    else:
                        tool('otr-compact', '--drop-history', path)
            server.before = change
            text, tries = dump(server)
            result(tries == 2 and text == tool('otr-dump', path), '11.2: the file changes under it (%s): If-Range tells, and it begins again' % what, tries)
        server.before = lambda n: None

        # without a strong ETag: pages that were written again do not fit their references
        for etags in ('weak', 'none'):
            ring = os.path.join(folder, etags + '.otr')
            tool('otr-create', '--page-size', '4096', '--max-size', '512Ki', '--history', '1', ring, 'v')
            for i in range(14):
                tool('otr-append', ring, stdin=rows(4000 * i, 4000, True))
            server = Server(ring, etags)
            right = answered = refused = 0
            for at in range(2, 42, 8):
                was = tool('otr-dump', ring)
                server.asked.clear()
                server.before = lambda n, at=at: [tool('otr-append', ring, stdin=rows(4000 * (14 + 3 * at + j), 4000, True)) for j in range(3)] if n == at else None
                try:
                    text, tries = dump(server)
                    answered += 1
                    right += text == was and tries == 1
                except reader.OtrError as e:
                    refused += e.kind in ('damaged', 'expired', 'truncated')
                server.before = lambda n: None
            result(answered == right and answered + refused == 5 and refused > 0, '11.2: with %s the references alone protect: right rows, or none' %
                   ('a weak ETag' if etags == 'weak' else 'no ETag'), '%d answered, %d right, %d refused' % (answered, right, refused))

        # a reference beyond page_count is no request
        bad = os.path.join(folder, 'bad.otr')
        subprocess.run([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'mkotr'),
                        os.path.join(os.path.dirname(os.path.abspath(__file__)), 'files/bad-038-beyond.txt'), bad], check=True)
        server = Server(bad)
        try:
            dump(server)
            said = 'nothing'
        except reader.OtrError as e:
            said = e.kind
        result(said == 'truncated' and len(server.asked) <= 2, '11.4: what lies beyond the end is truncated, and not asked for again', said, server.asked)
    print('1..%d' % number)
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
