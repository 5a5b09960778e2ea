# Bad usage: one line, the way to help, exit code 2.
for arguments in "" "rum" "run" "run --sed 3 x.yaml" "run x.yaml y.yaml" "run x.yaml --seed -1" \
    "run x.yaml --until soon" "run x.yaml --record all" "run x.yaml --engine slow" "run x.yaml -o" \
    "run --json=yes x.yaml" "validate" "graph x.yaml" "graph -o x.svg" "trace 12 x.db" "trace"; do
    echo "qkdn $arguments" >&2
    qkdn $arguments
    echo "exit $?" >&2
done
