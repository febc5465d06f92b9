#!/bin/sh
# Kills runs on 200,000 rows, KILLS (80) times in each case, and prints what came of it as the table of docs/explanation/torture.md, also to
# torture-report.md; PARALLEL (1) cases at a time. Kills transactions over two databases as often, on each pair. Fails when a row is lost or worked on twice, or a run cannot be taken over within two leases.
set -eu

report=$PWD/torture-report.md
rm -f "$report"
status=0
DROVER_TORTURE=${KILLS:-80} DROVER_TORTURE_REPORT=$report.rows \
	go test -count=1 -run '^(TestCrash|TestFault_TheServerIsKilled|TestRecover_AfterRandomKills)$' -parallel "${PARALLEL:-1}" -timeout 4h -v ./batch ./db || status=$?
{
	echo '| database | job | workers | kills | with a batch under way | processes | rows redone | wrong rows | take-overs | mean | longest | time |'
	echo '|---|---|---|---|---|---|---|---|---|---|---|---|'
	sort "$report.rows"
} >"$report"
rm -f "$report.rows"
cat "$report"
exit "$status"
