# Test certificates: whole or not at all, never overwritten; what is in them: unit.emu_pki_test.
umask 022
try() {
    echo "== qkdn $*"
    qkdn "$@" 2>&1
    echo "exit $?"
}
try pki p --sae alice
[ -e p ] || echo absent
try pki p --daemon kmd.A --host localhost --host 127.0.0.1 --sae alice --ca
ls -l p | awk 'NR > 1 { print $1, $NF }'
cp p/kmd.A.key kept.key
try pki p --daemon kmd.A --sae bob
[ -e p/sae.bob.key ] || echo absent
try pki p --sae bob --days 7 --json --quiet
try pki p --daemon kmd.A --force --quiet
cmp -s p/kmd.A.key kept.key || echo replaced
try pki p --ca --json --force
try pki p
try pki --ca
try pki p q --ca
try pki p --host here --daemon a
try pki p --daemon a --host 'no host'
try pki p --daemon ca --sae ''
try pki p --sae a --sae a
try pki p --days 0 --sae a
try pki kept.key --ca
try pki p/x/y --ca
