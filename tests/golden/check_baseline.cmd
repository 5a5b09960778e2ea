# Topologies and baselines: one load on three networks, stored, and compared with a poorer key rate.
mkdir nets
{
    echo "scenario: load"
    echo "duration: 2 min"
    echo "engine: fast"
    echo "network: {nodes: [{id: A}, {id: C}], links: [{id: AC, ends: [A, C], qkd: {rate: 1 Mbit/s}}]}"
    echo "applications: [{id: video, from: A, to: C, arrivals: periodic, rate: 5 /s}]"
    echo "expect: ['served_fraction from 1 min >= 0.9']"
} >load.yaml
{
    echo "network:"
    echo "  nodes: [{id: A}, {id: B}, {id: C}]"
    echo "  links:"
    echo "    - {id: AB, ends: [A, B], length: 45 km, qkd: {rate: 20 kbit/s}}"
    echo "    - {id: BC, ends: [B, C], length: 12 km, qkd: {rate: 20 kbit/s}}"
} >nets/line.yaml
sed 's/C/D/g' nets/line.yaml >nets/no-c.yaml
printf 'id,lat,lon\nA,1,2\nB,2,2\nC,3,3\n' >nets/three-nodes.csv
printf 'id,a,b,length (km),qkd.rate (kbit/s)\nAB,A,B,20,90\nBC,B,C,30,90\nAC,A,C,40,90\n' >nets/three-links.csv
qkdn check load.yaml --topology nets --save base.db
echo "exit $?"
rm nets/no-c.yaml
qkdn check load.yaml --topology nets --baseline base.db
echo "exit $?"
qkdn check load.yaml --topology nets --baseline base.db --set 'network.links[AB].qkd.rate=5 kbit/s' \
    --tolerance 10% --tolerance 'link[AB].pool_end_bits=10%' --tolerance relay.hops_mean=off \
    --tolerance 'latency_s.p95=1' --tolerance 'application[*].latency_s.p95=off' \
    --tolerance latency_s.mean=off --tolerance latency_s.p50=off --tolerance latency_s.p99=off \
    --tolerance fetch_latency_s.mean=off --tolerance fetch_latency_s.p50=off \
    --tolerance fetch_latency_s.p95=off --tolerance fetch_latency_s.p99=off --diff diff.md
echo "exit $?"
head -3 diff.md
# A load that fits every network: all pairs.
{
    echo "scenario: all pairs"
    echo "duration: 1 min"
    echo "engine: fast"
    echo "demands: [{id: all, pairs: all, application: {rate: 1 /s}}]"
    echo "expect: ['min(application[all:*].served_fraction) from 40 s >= 0.9']"
} >all.yaml
qkdn check all.yaml --topology nets
echo "exit $?"
qkdn check load.yaml --baseline base.db --until '1 min' --set 'expect=[]' --diff none.md
echo "exit $?"
cat none.md
# A baseline that is renewed stays as it is when a run is worse; a run's own results are not replaced.
cp base.db kept.db
inode=$(ls -i base.db)
qkdn check load.yaml --topology nets --baseline base.db --save base.db --force \
    --set 'network.links[AB].qkd.rate=5 kbit/s' | grep -c '^not ok'
cmp base.db kept.db && [ "$inode" = "$(ls -i base.db)" ] && echo as it was
qkdn check load.yaml --topology nets --baseline base.db --save base.db --force | tail -1
[ "$inode" = "$(ls -i base.db)" ] || echo renewed
qkdn run load.yaml -o run.db --quiet
qkdn check load.yaml --baseline run.db --save run.db --force
qkdn check load.yaml --baseline run.db --tolerance 'link[A*].pool_end_bits=5%' | tail -1
for name in 'link[ZZ].pool_end_bits' 'application[nobody].latency_s.p95' 'link[AC].nothing' 'nothing'; do
    qkdn check load.yaml --baseline run.db --tolerance "$name=5%" | tail -1
done
qkdn check load.yaml --baseline run.db --tolerance 'link[ZZ].pool_end_bits=5%' >out.tap
echo "exit $?"
qkdn check load.yaml --baseline base.db --json | grep '^  "exit"'
qkdn check load.yaml --tolerance 3%
qkdn check load.yaml --baseline base.db --diff diff.txt
qkdn check load.yaml --baseline base.db --diff diff.md
qkdn check load.yaml --baseline load.yaml
