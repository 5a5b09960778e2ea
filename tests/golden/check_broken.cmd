# A process that dies is one failed point; a stopped check says so and ends its processes.
scenario() {
    echo "scenario: $1"
    echo "duration: $2"
    echo "engine: fast"
    echo "network: {nodes: [{id: A}, {id: B}], links: [{id: AB, ends: [A, B], qkd: {rate: 10 Mbit/s}}]}"
    echo "applications: [{id: x, from: A, to: B, arrivals: periodic, rate: $3}]"
}
scenario short '2 s' '1 /s' >short.yaml
scenario long '1000 h' '5000 /s' >long.yaml
(
    ulimit -t 1
    qkdn check short.yaml long.yaml short.yaml -j 2
    echo "exit $?"
)
touch report # grep may come before the shell that opens it
qkdn check short.yaml long.yaml short.yaml -j 1 >>report 2>&1 &
check=$!
until grep -q '^ok 2' report; do sleep 0.1; done
kill -TERM $check
wait $check
echo "exit $?"
cat report
