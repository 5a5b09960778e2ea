# Exit codes of a run, and that results are kept with them.
try() {
    qkdn run scenarios/line-3.yaml --engine fast --until '2 min' --quiet "$@"
    echo "exit $?"
}
try
try --set 'expect=[served_fraction > 2]' -o failed.db
try -o failed.db
try -o failed.db --force --record summary
try --set 'control.at=X'
try --set 'expect=[served > 2]'
(ulimit -f 8; try -o small.db) 2>&1 | sed 's/written: .*/written: .../'
# No room for records: nothing new is left, so nothing is said to be there, and old results stay.
before=$(cksum <failed.db)
(
    ulimit -f 400
    qkdn run scenarios/line-3.yaml --engine fast -o failed.db --force --record full >table 2>errors
    echo "exit $?, $(grep -c 'Results in' table) results, $(grep -c 'cannot be written' errors) complaint"
)
[ "$before" = "$(cksum <failed.db)" ] && echo "failed.db is as it was"
qkdn run scenarios/line-3.yaml --engine fast --until '2 min' --json >/dev/full
echo "exit $?"
ls ./*.db*
