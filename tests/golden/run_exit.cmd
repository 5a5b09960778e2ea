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
qkdn run scenarios/line-3.yaml --engine fast --until '2 min' --json >/dev/full
echo "exit $?"
ls ./*.db
