# TAP, exit codes and what a failed check looks like: the scenario of the repository, one whose
# expectation fails, one that does not load, one that does not exist.
{
    echo "scenario: hopeful"
    echo "duration: 1 min"
    echo "engine: fast"
    echo "network:"
    echo "  nodes: [{id: A}, {id: B}]"
    echo "  links: [{id: AB, ends: [A, B], length: 10 km, qkd: {rate: 1 kbit/s}}]"
    echo "applications: [{id: x, from: A, to: B, arrivals: periodic, rate: 5 /s}]"
    echo "expect:"
    echo "  - served_fraction == 1"
    echo "  - requests.total from 30 s to 40 s == 50"
    echo "  - via[AB] == 1"
} >hopeful.yaml
sed 's/duration/durance/; s/served_fraction/served_frction/' hopeful.yaml >wrong.yaml
qkdn check scenarios/line-3.yaml --until '2 min' --engine fast
echo "exit $?"
qkdn check hopeful.yaml wrong.yaml -j 2 --junit report.xml
echo "exit $?"
sed 's/ time="[0-9.]*"/ time=""/; s/timestamp="[^"]*"/timestamp=""/' report.xml
qkdn check hopeful.yaml --set 'expect=[]' --junit report.xml
echo "exit $?"
qkdn check hopeful.yaml --set 'expect=[]' --junit report.xml --force --json | sed -n 's/^  "\(exit\|passed\)": \(.*\),/\1 \2/p'
qkdn check nothing.yaml
echo "exit $?"
mkdir empty
qkdn check empty
echo "exit $?"
mkdir -p many/below
cp hopeful.yaml many/b.yaml
cp hopeful.yaml many/a.yaml
cp hopeful.yaml many/below/c.yaml
touch many/.hidden.yaml many/readme.txt
qkdn check many --set 'expect=[]' -j3
qkdn check many -j0
qkdn check many --jnit report.xml
