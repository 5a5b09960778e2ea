# A deployment: whole or not at all, never over a folder of others; what is in it: unit.emu_render_test.
umask 022
try() {
    echo "== qkdn $*"
    qkdn "$@" 2>&1
    echo "exit $?"
}
try render scenarios/line-3.yaml -o d
(cd d && find . | sort | while read -r f; do ls -ld "$f" | awk '{ print $1, $NF }'; done)
cat d/README d/start.sh d/kmd.B/daemon.yaml d/linkd.AB/daemon.yaml d/deployment.json
sh -n d/start.sh && echo "a script"
qkdn validate d/scenario.yaml
try render scenarios/line-3.yaml -o d
try render scenarios/line-3.yaml -o d --force --base-port 9000 --quiet
sed -n 's/^listen/&/p' d/kmd.A/daemon.yaml
try render scenarios/line-3.yaml -o hosts --host 10.0.0.1 --host B=10.0.0.2 --host C=::1
try render scenarios/line-3.yaml -o hosts --host 10.0.0.1 --host B=10.0.0.2 --json --quiet
cat hosts/README hosts/hosts/10.0.0.2/start.sh
mkdir mine && try render scenarios/line-3.yaml -o mine --force
try render scenarios/line-3.yaml -o no/where
try render scenarios/line-3.yaml
try render -o e
try render scenarios/line-3.yaml -o e --base-port 0
try render scenarios/line-3.yaml -o e --base-port 65500
try render scenarios/line-3.yaml -o e --host X=a
try render scenarios/line-3.yaml -o e --host 'A=a b'
try render scenarios/line-3.yaml -o e --set control.at=X
ls
