# The JSON object: same seed, same digest in two runs; what must be zero is zero; bits balance.
run() {
    qkdn run scenarios/line-3.yaml --engine fast --until '2 min' --json "$@"
}
run >one.json
run >two.json
run --seed 2 >three.json
field() {
    sed -n "s/^  \"$1\": \(.*[^,]\),*\$/\1/p" "$2"
}
for name in schema scenario engine seed interrupted sim_s nodes links_count served_fraction mismatched_pairs; do
    echo "$name: $(field $name one.json)"
done
[ "$(field trace_digest one.json)" = "$(field trace_digest two.json)" ] && echo "same seed, same digest"
[ "$(field trace_digest one.json)" != "$(field trace_digest three.json)" ] && echo "other seed, other digest"
sed -n 's/.*"violations": \([0-9]*\).*/violations: \1/p' one.json
sed -n 's/^  "bits": {\(.*\)},$/\1/p' one.json | tr -d '",:' | awk '{
    balance = 0
    for (i = 1; i < NF; i += 2) {
        balance += ($i == "generated" || $i == "bootstrap") ? $(i + 1) : -$(i + 1)
    }
    print "balance:", balance
}'
