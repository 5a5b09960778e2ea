# Stores of hardly more than a block: a file that is made smaller.
sed 's/store: [0-9]* kbit/store: 60 kbit/; s/status_period: 1000/status_period: 500/' tests/sim/regressions/fuzz-2729.yaml >small.yaml
echo "  - {id: idle, from: B, to: A, rate: 0.1 /s}" >>small.yaml
qkdn fuzz small.yaml --quiet --shrink '60 s'
code=$?
grep -c idle small.yaml smaller-small.yaml
qkdn fuzz smaller-small.yaml --quiet --shrink 0
exit $code
