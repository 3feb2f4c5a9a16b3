#!/usr/bin/env bats
# cases.bats - behaviour case by case, through the tools: inputs and the answers that OTR must give.
#
# Each case is a function of tests/cases/cases.py, which says what differs; run one alone by `tests/cases/cases.py NAME`.

check() {
	run python3 "${OTR_ROOT:-$BATS_TEST_DIRNAME/..}/tests/cases/cases.py" "$1"
	[ "$status" -eq 0 ] || { printf '%s\n' "$output"; return 1; }
}

@test "A: five rows: ranges, nearest, windows, points" { check a_five; }
@test "A: five rows: every aggregate of the whole" { check a_whole; }
@test "A: five rows, in seconds: area, covered, time-weighted mean, gaps" { check a_area; }
@test "A: five rows: a range deleted, and the version before" { check a_delete; }
@test "B: 4096 rows: windows of every power of two" { check b_powers; }
@test "C: nearest: far apart, over page boundaries, at time 0, in an empty series" { check c_nearest; }
@test "C: every pair of children at every level, all else deleted" { check c_pairs; }
@test "D: the limits of time" { check d_limits; }
@test "D: times in text, leap seconds, negative times" { check d_text; }
@test "E: floats in text: the shortest digits that give the bits back" { check e_text; }
@test "E: bits are kept through csv, tsv, jsonl, binary, and through every encoding" { check e_bits; }
@test "E: zeros with a sign, infinities, overflow of sums, sums beyond 64 bits" { check e_sums; }
@test "F: windows at odd bounds" { check f_rounding; }
@test "G: holes" { check g_holes; }
@test "H: ten thousand rows: dump, aggregates, windows" { check h_rows; }
@test "M: the order of arrival does not matter" { check m_order; }
@test "I: standard deviation and cancellation" { check i_deviation; }
@test "K: duplicate times under each policy" { check k_policies; }
@test "K: thousands of rows of one time" { check k_many; }
@test "K: thousands of rows of one time deleted; keep changed to replace" { check k_changes; }
@test "L: every version stays exact" { check l_versions; }
@test "L: small commits out of order, resent and corrected rows: each version exact before and after the spill" { check l_riding; }
@test "L: append, delete, merge, rollback: every version at every later time" { check l_changes; }
@test "L: nothing deleted, everything deleted, rolled back" { check l_all; }
@test "L: random commits of every kind: each version stays what it was" { check l_random; }
@test "N: several files" { check n_files; }
@test "O: creating: what is refused leaves nothing behind" { check o_create; }
@test "O: create --like, dump, append: no difference" { check o_round_trip; }
@test "P: single bits flipped: none silent" { check p_bits; }
@test "P: a file cut at any length, junk behind it" { check p_cut; }
@test "P: torn and damaged slots" { check p_slots; }
@test "P: a bad page is met where it is; pages not read do not matter" { check p_pages; }
@test "P: killed at any moment: the old version or the new one, and what was acknowledged is there" { check p_kill; }
@test "P: no room on the disk: status 5, the version before is intact, the next append works" { check p_full; }
@test "P: four writers, a held lock, a copy taken beside a writer" { check p_writers; }
@test "R: counters" { check r_counters; }
@test "S: time-weighted means" { check s_twa; }
@test "T: a duty cycle" { check t_duty; }
@test "V: a feed replayed" { check v_replay; }
@test "V: NaN and null in statistics" { check v_nan; }
@test "V: clocks that are wrong" { check v_clocks; }
@test "V: round robin: a fixed size, and rows that expire by time" { check v_round_robin; }

@test "each case of cases.py is run here" {
	for name in $(python3 "$BATS_TEST_DIRNAME/cases/cases.py" --list | cut -f1); do
		grep -q "check $name;" "$BATS_TEST_FILENAME" || { echo "$name is not"; return 1; }
	done
}
