# What `qkdn fuzz` refuses before it runs anything; and files that do not load.
mkdir folder
echo "scenario: [" >broken.yaml
try() {
    echo "== $*"
    "$@" 2>&1
    echo "exit $?"
}
try qkdn fuzz nope.yaml
try qkdn fuzz folder
try qkdn fuzz --json scenarios/line-3.yaml nope.yaml folder
try qkdn fuzz broken.yaml
try qkdn fuzz --json broken.yaml
for seeds in 9223372036854775808 9223372036854774785 1..9223372036854774785 18446744073709551616 2..1 x; do
    try qkdn fuzz --seeds $seeds
done
try qkdn fuzz --seeds 1 -o nowhere
try qkdn fuzz --seeds 1 -o broken.yaml
qkdn fuzz --seeds 9223372036854774784 --show >last.yaml
qkdn validate last.yaml
