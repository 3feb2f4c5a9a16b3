#!/usr/bin/env bash
# Manual pages: clean for mandoc, the same synopsis and options as --help, examples that work, every page named in otr(7).
set -u
n=0
check() {
	local what=$1
	shift
	n=$((n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		printf '%s\n' "$out" | sed 's/^/#   /'
	fi
}

# Synopsis of a page as text: one line a form, `otr-dump [options] FILE`.
man_synopsis() {
	sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "man/$1.1" | sed '/^\.Sh/d' |
		awk -v name="$1" 'BEGIN { print ".Dd $Mdocdate$\n.Dt X 1\n.Os\n.Sh NAME\n.Nm " name "\n.Nd x\n.Sh SYNOPSIS" } { print }' |
		mandoc -T ascii -O width=200 | col -b | sed -n '/^SYNOPSIS/,$p' | sed '1d; /^[^ ]/d; /^ *$/d; s/^ *//; s/  */ /g; s/ *$//'
}
help_synopsis() {
	"$1" --usage | sed 's/^usage: *//; s/^ *//; s/  */ /g; s/ *$//'
}
# Options as "-a --aggregate", each form on a line, sorted.
man_options() {
	sed -n 's/^\.It Fl //p' "man/$1.1" | sed 's/ Ar .*//; s/ , Fl / /g' | tr ' ' '\n' | sed 's/^/-/' | sort -u
}
help_options() {
	# -h, --help and --usage stand in the text of the line of --version, -? nowhere.
	{ printf '%s\n' '-?' -V --version; "$1" --help | sed -n 's/^ *-V.*--version *and /  /p; /^ *-/p'; } | sed 's/^ *//; s/   *.*//' | grep -oE '(^|[ ,])--?[?a-zA-Z][-a-z]*' | tr -d ' ,' | sort -u
}
same_synopsis() { diff <(help_synopsis "$1") <(man_synopsis "$1"); }
same_options() { diff <(help_options "$1") <(man_options "$1"); }
help_begins_with_usage() { "$1" --help | head -n "$("$1" --usage | wc -l)" | diff - <("$1" --usage); }
help_fits() { "$1" --help | awk 'length($0) > 80 { print NR ": longer than 80"; bad = 1 } END { if (NR > 50) { print NR " lines"; bad = 1 } exit bad }'; }
named_in_tour() { grep -q "^\.It Xr $1 1" man/otr.7; }

if command -v mandoc >/dev/null; then
	check 'mandoc has no complaint about the manual pages' mandoc -T lint -W warning man/*.[1-9]
else
	n=$((n + 1))
	echo "ok $n - mandoc has no complaint # SKIP no mandoc"
fi
for source in tools/otr-*.c; do
	tool=$(basename "$source" .c)
	if command -v mandoc >/dev/null && command -v col >/dev/null; then
		check "$tool: the page's synopsis is that of --usage (< tool, > page)" same_synopsis "$tool"
	fi
	check "$tool: the page's options are those of --help (< tool, > page)" same_options "$tool"
	check "$tool: --help begins with what --usage says" help_begins_with_usage "$tool"
	check "$tool: --help fits 80 columns and 50 lines" help_fits "$tool"
	check "$tool: named in otr.7" named_in_tour "$tool"
done
python3 tests/transcript.py man/*.[1-9] | sed '/^1\.\./d' | awk -v n="$n" '
	/^(not )?ok / { k = ($1 == "not") ? 3 : 2; n++; $k = n } { print } END { print "1.." n }'
