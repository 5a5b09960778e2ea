# Bad usage and missing places of the commands of the live world; nothing is started.
export XDG_RUNTIME_DIR="$PWD/run"
mkdir run
try() {
    echo "== qkdn $*"
    qkdn "$@" 2>&1
    echo "exit $?"
}
try up
try up a.yaml b.yaml
try up missing.yaml
try up --dir missing
try up --dir missing --set seed=1
try up scenarios/line-3.yaml --timeout 0
try up scenarios/line-3.yaml --base-port none
try up scenarios/line-3.yaml --bin missing --dir d
qkdn render scenarios/line-3.yaml -o d --quiet
try up scenarios/line-3.yaml --bin missing --dir d
try up --dir d --bin missing
qkdn render scenarios/line-3.yaml -o hosts --host A=10.0.0.1 --host B=10.0.0.2 --host C=10.0.0.3 --quiet
try up --dir hosts
try status
try status x
try status --dir missing
try status --dir d
try down
try down --dir d
try logs
try logs --dir d
try logs --dir d kmdA nobody
echo 'a line of another kind' >d/kmd.B/log
printf '{"time":"2026-01-01T00:00:02Z","daemon":"kmd.A"}\n' >d/kmd.A/log
printf '{"time":"2026-01-01T00:00:01Z","daemon":"ctld"}\n{"time":"2026-01-01T00:00:03Z","daemon":"ctld"}' >d/ctld/log
try logs --dir d
try logs --dir d ctld
mkdir run/qkdn && chmod 777 run/qkdn
try up scenarios/line-3.yaml
