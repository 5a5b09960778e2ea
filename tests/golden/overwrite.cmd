# No command writes over what it reads, nor replaces what is no regular file, with or without --force;
# and no two outputs share a file.
{
    echo "scenario: small"
    echo "duration: 10 s"
    echo "engine: fast"
    echo "network:"
    echo "  nodes: [{id: A}, {id: B}]"
    echo "  links: [{id: AB, ends: [A, B], length: 10 km, qkd: {rate: 1 kbit/s}}]"
    echo "applications: [{id: x, from: A, to: B, arrivals: periodic, rate: 1 /s}]"
} >s.yaml
cp s.yaml kept.yaml
ln -s s.yaml link.yaml
ln s.yaml hard.yaml
mkdir folder
mkfifo fifo
try() {
    echo "== $*"
    "$@" 2>&1
    echo "exit $?"
}
qkdn run s.yaml -o r.db --record full --quiet
cp r.db kept.db
for target in s.yaml ./s.yaml link.yaml hard.yaml; do
    try qkdn check s.yaml --junit $target --force
done
try qkdn check s.yaml --save s.yaml --force
try qkdn check . --save kept.yaml --force
try qkdn check s.yaml --baseline r.db --diff x.md --junit r.db --force
try qkdn check s.yaml --junit o --save ./o
try qkdn check s.yaml --save fifo
try qkdn check s.yaml --save fifo --force
try qkdn check s.yaml --save /dev/null --force
try qkdn check s.yaml --save folder --force
try qkdn check s.yaml --junit folder --force
try qkdn run s.yaml -o s.yaml --force
try qkdn run s.yaml -o fifo --force
try qkdn run s.yaml -o o --keep-platform o
try qkdn run s.yaml --keep-platform link.yaml --force
try qkdn graph s.yaml -o s.yaml --format svg --force
try qkdn graph r.db -o r.db --format svg --force
try qkdn graph r.db -o folder --format svg --force
try qkdn trace --request 1 r.db --svg r.db --force
try qkdn trace --request 1 r.db --svg t --mermaid ./t
try qkdn trace --request 1 r.db --svg - --mermaid -
try qkdn export r.db --table requests -o r.db --force
try qkdn export r.db --table requests -o folder --force
mkdir all
ln r.db all/requests.csv
try qkdn export r.db --all -o all --force
# Files that a scenario names count as well, even if it does not load.
printf 'rate (/s),A,B\nA,,1\n' >m.csv
cp m.csv m-kept.csv
sed 's/^applications.*/demands: [{id: m, matrix: m.csv}]/' s.yaml >m.yaml
echo "duratoin: 3 s" | cat m.yaml - >wrong.yaml
echo "extends: m.yaml" >over.yaml
try qkdn run m.yaml -o m.csv --force
try qkdn graph over.yaml --format svg -o m.csv --force
try qkdn graph over.yaml --format svg -o m.yaml --force
try qkdn check s.yaml over.yaml --junit m.csv --force
try qkdn check wrong.yaml --junit m.csv --diff d.md --save m.db --force --baseline r.db
cmp m.csv m-kept.csv
cmp s.yaml kept.yaml && cmp r.db kept.db && [ -p fifo ] && [ -c /dev/null ] && ls
