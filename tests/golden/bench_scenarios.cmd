# The workloads of the benches: the files are what their generators make, and they load.
sh scenarios/bench/ring.sh 10 '21 kbit/s' | cmp - scenarios/bench/ring-10.yaml && echo "ring-10.yaml is current"
sh scenarios/bench/line.sh 10 | cmp - scenarios/bench/line-10.yaml && echo "line-10.yaml is current"
qkdn validate scenarios/bench/ring-10.yaml scenarios/bench/line-10.yaml
sh scenarios/bench/ring.sh 2
echo "exit $?" >&2
