# Everything that is wrong with a file, in one go.
cat >bad.yaml <<'YAML'
scenario: bad
duration: 10 min
sed: 3
network:
  nodes: [{id: A}, {id: B}, {id: A}]
  links:
    - {id: AB, ends: [A, D], qkd: {model: rate, rate: 10 km}}
applications:
  - {id: video, from: A, to: B, arrivals: poisson, rate: -2 /s}
YAML
qkdn validate bad.yaml
echo "exit $?" >&2
sed -e 's/served_fraction/served_fractoin/' -e 's/pool_min_bits/pool_minimum/' scenarios/line-3.yaml >expect.yaml
qkdn validate expect.yaml
