#!/usr/bin/env python3
"""tests/progress.py CASE - what long work tells of itself: at SIGUSR1, and on a terminal.  Called by the tools' .bats files, in a directory of the case's own.

Nothing here depends on how fast the machine is: a signal is sent once the kernel shows its handler, and again until the line comes; a run that ended too soon is made again.
"""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

PATIENCE = 60                  # seconds, after which a line that does not come is missing


def fail(what):
    sys.exit(what)


def run(*command, data=None):
    return subprocess.run(command, input=data, check=True, stdout=subprocess.PIPE).stdout


def series(name, rows):
    """A file of this many noisy rows, so that it has pages."""
    run('otr-create', name, 'v')
    run('otr-append', '-N', '--any-time', name, data=''.join('%d,%.17g\n' % (i, (i * 0x9e3779b97f4a7c15 % 2**64) / 7) for i in range(1, rows + 1)).encode())


def caught(pid):
    """Whether the process has a handler for SIGUSR1 by now; False too where it is gone."""
    try:
        with open('/proc/%d/status' % pid) as f:
            for line in f:
                if line.startswith('SigCgt:'):
                    return int(line.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1 == 1
    except OSError:
        pass
    return False


def ask_until(process, pattern):
    """Sends SIGUSR1 until a line of stderr matches; what was read, or None if the process ended first."""
    text, until = '', time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is None and caught(process.pid):
            process.send_signal(signal.SIGUSR1)
        if select.select([process.stderr], [], [], 0.0005)[0]:
            got = os.read(process.stderr.fileno(), 65536).decode()
            if got == '':
                return None
            text += got
            if re.search(pattern, text, re.M):
                return text
    fail('no such line: %s\nbut: %s' % (pattern, text))


def until_it_tells(pattern, *command, clean=None):
    """Runs the command until it was asked in time; it must succeed all the same."""
    for _ in range(200):
        if clean is not None and os.path.exists(clean):
            os.unlink(clean)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        text = ask_until(process, pattern)
        rest = process.stderr.read().decode()
        if process.wait() != 0:
            fail('status %d: %s%s' % (process.returncode, text, rest))
        if text is not None:
            return
    fail('200 runs of %s ended before they could be asked' % command[0])


def append():
    """From a pipe that stalls, with its rows so far; from a file, with the part of it that was read; where SIGUSR1 is ignored it stays so."""
    run('otr-create', 'a.otr', 'v')
    process = subprocess.Popen(['otr-append', '-N', 'a.otr'], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b'1700000001,1\n1700000002,2\n')
    process.stdin.flush()
    ask_until(process, r'^otr-append: a\.otr: 2 rows, \d+ rows/s$')
    process.stdin.write(b'1700000003,3\n')
    process.stdin.flush()
    ask_until(process, r'^otr-append: a\.otr: 3 rows, \d+ rows/s$')
    process.stdin.close()
    process.stderr.read()
    if process.wait() != 0 or run('otr-dump', '-N', '-n', '9', 'a.otr').count(b'\n') != 3:
        fail('the rows are not there')
    with open('many.csv', 'w') as f:
        f.writelines('%d,%d\n' % (1700000000 + i, i % 97) for i in range(200000))
    until_it_tells(r'^otr-append: a\.otr: \d{1,3} %, \d+ rows, \d+ rows/s$', 'otr-append', '-N', 'a.otr', 'many.csv', 'many.csv')
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    process = subprocess.Popen(['otr-append', '-v', '-N', 'a.otr'], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.send_signal(signal.SIGUSR1)
    text = process.communicate(b'1800000000,1\n')[1].decode()
    if process.returncode != 0 or 'rows/s' in text:
        fail('ignored, and told: %s' % text)


def verify():
    series('a.otr', 400000)
    until_it_tells(r'^otr-verify: a\.otr: \d{1,3} %, \d+ of \d+ pages$', 'otr-verify', *['a.otr'] * 40)
    until_it_tells(r'^otr-verify: a\.otr: \d{1,3} %, \d+ of \d+ pages$', 'otr-verify', '--salvage', 'b.otr', 'a.otr', clean='b.otr')
    run('otr-verify', 'a.otr', 'b.otr')


def compact():
    series('a.otr', 400000)
    rows = run('otr-dump', 'a.otr')
    until_it_tells(r'^otr-compact: a\.otr: \d{1,3} %, \d+ of \d+ pages$', 'otr-compact', 'a.otr')
    until_it_tells(r'^otr-compact: a\.otr: \d{1,3} %, \d+ of \d+ pages$', 'otr-compact', '--drop-history', '--deflate', 'a.otr')
    if run('otr-dump', 'a.otr') != rows:
        fail('other rows')


def shown(text):
    """What a terminal shows of a text in the end, line by line."""
    lines, at = [[]], 0
    for c in text:
        if c == '\n':
            lines.append([])
            at = 0
        elif c == '\r':
            at = 0
        else:
            lines[-1][at:at + 1] = c
            at += 1
    return [''.join(line).rstrip() for line in lines if ''.join(line).strip()]


def on_terminal(data, want, *command, fifo=False, typed=False, stdout=subprocess.DEVNULL):
    """The command with stderr on a terminal and rows trickling in until `want` is shown (None: for three seconds), then `data`: all that the terminal got.

    The rows come through stdin, a pipe; with fifo through that one, while stdin is the terminal; or, typed, through the terminal."""
    ours, theirs = pty.openpty()
    if typed:
        settings = termios.tcgetattr(theirs)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
    process = subprocess.Popen(command, stdin=theirs if fifo or typed else subprocess.PIPE, stdout=theirs if stdout is None else stdout, stderr=theirs)
    os.close(theirs)
    rows = ours if typed else os.open('rows', os.O_WRONLY) if fifo else process.stdin.fileno()
    text, row, begun = '', 1700000000, time.monotonic()
    while time.monotonic() < begun + (PATIENCE if want is not None else 3):
        row += 1
        os.write(rows, b'%d,1\n' % row)
        if select.select([ours], [], [], 0.05)[0]:
            text += os.read(ours, 65536).decode()
            if want is not None and re.search(want, text):
                break
    else:
        if want is not None:
            fail('not on the terminal: %s\nbut: %r' % (want, text))
    os.write(rows, data + (b'\x04' if typed else b''))
    if fifo:
        os.close(rows)
    elif not typed:
        process.stdin.close()
    while True:
        try:
            got = os.read(ours, 65536).decode()
        except OSError:                                # all writers of a terminal are gone
            break
        if got == '':
            break
        text += got
    os.close(ours)
    return process.wait(), text


def terminal():
    """One line that is replaced, and gone in the end; a message stands alone; too wide a name is left out; nothing with -q or --no-progress,
    over what is typed, or among versions; with --progress also into a pipe."""
    run('otr-create', 'a.otr', 'v')
    status, text = on_terminal(b'', r'\rotr-append: a\.otr: \d+ rows, \d+ rows/s', 'otr-append', '-N', 'a.otr')
    if status != 0 or shown(text) != [] or '\n' in text:
        fail('status %d, and left: %r' % (status, text))
    status, text = on_terminal(b'soon,1\n', r'rows/s.*\r.*rows/s', 'otr-append', '-N', 'a.otr')
    if status != 3 or len(shown(text)) != 2 or any('rows/s' in line or not line.startswith('otr-append: ') for line in shown(text)):
        fail('status %d: %r' % (status, text))
    wide = 'w' * 70 + '.otr'
    run('otr-create', wide, 'v')
    status, text = on_terminal(b'', r'\rotr-append: \d+ rows, \d+ rows/s', 'otr-append', '-N', wide)
    if status != 0 or shown(text) != []:
        fail('status %d, and left: %r' % (status, text))
    for option in '-q', '--no-progress':
        status, text = on_terminal(b'', None, 'otr-append', option, '-N', 'a.otr')
        if status != 0 or text != '':
            fail('status %d, with %s: %r' % (status, option, text))
    os.mkfifo('rows')
    status, text = on_terminal(b'', r'\rotr-append: a\.otr: \d+ rows, \d+ rows/s', 'otr-append', '-N', 'a.otr', 'rows', fifo=True)
    if status != 0 or shown(text) != []:
        fail('status %d, with a fifo: %r' % (status, text))
    status, text = on_terminal(b'', None, 'otr-append', '-N', 'a.otr', typed=True)
    if status != 0 or len(shown(text)) != 1 or 'reading from the terminal' not in text:
        fail('status %d, and over what is typed: %r' % (status, text))
    status, text = on_terminal(b'', None, 'otr-append', '--print-version', '--commit-every', '1', '-N', 'a.otr', stdout=None)
    if status != 0 or not all(line.isdigit() for line in shown(text)):
        fail('status %d, and among versions: %r' % (status, text))
    process = subprocess.Popen(['otr-append', '--progress', '-N', 'a.otr'], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + PATIENCE
    while not select.select([process.stderr], [], [], 0.05)[0] and time.monotonic() < until:
        process.stdin.write(b'1700000000,1\n')
        process.stdin.flush()
    text = process.communicate()[1].decode()
    if process.returncode != 0 or not re.match(r'\rotr-append: a\.otr: \d+ rows, \d+ rows/s', text) or shown(text) != []:
        fail('--progress into a pipe: status %d, %r' % (process.returncode, text))


cases = {f.__name__: f for f in (append, verify, compact, terminal)}
if len(sys.argv) != 2 or sys.argv[1] not in cases:
    sys.exit('usage: tests/progress.py ' + '|'.join(cases))
cases[sys.argv[1]]()
