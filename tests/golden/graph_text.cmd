# The network as text: a Mermaid flowchart and JSON, by the ending of the name or --format.
qkdn graph scenarios/line-3.yaml -o line.mmd --applications && cat line.mmd
qkdn graph scenarios/line-3.yaml -o line.json --applications && cat line.json
qkdn run scenarios/line-3.yaml --engine fast --until '2 min' -o r.db --record summary --quiet
qkdn graph r.db -o - --format mmd | grep -c 'pool .*bit'
qkdn graph r.db -o x --format json
grep -c '"level": [0-9.e-]*, "used": [0-9.e-]*' x
try() {
    qkdn graph scenarios/line-3.yaml "$@"
    echo "exit $?"
}
try -o -
try -o - --format json --json
try -o x --format pdf
try -o x --format json
try -o x
