# Tables for other programs: to standard output, to a file, to a folder; nothing is overwritten.
qkdn run scenarios/line-3.yaml --engine fast --until '30 s' -o r.db --record full --quiet 2>/dev/null
qkdn export r.db --list | cut -c 1-20
qkdn export r.db --table nodes
qkdn export r.db --table links --format jsonl | cut -d , -f 1-7
try() {
    qkdn export "$@"
    echo "exit $?"
}
try r.db --table requests -o requests.json
head -c 2 requests.json
tail -c 2 requests.json
try r.db --table requests -o requests.json
try r.db --all -o all
ls all
try r.db --all -o all
try r.db --all -o all --force --format jsonl
ls all | wc -l
try r.db --table nowhere
try r.db --table run -o r.db --force
try r.db --table run --format xml
try r.db --table run --all
try r.db --all
try nowhere.db --list
try scenarios/line-3.yaml --list
