# The matrix of X.1712 on a line, the verdict on a random network, one cell at length, cells that cannot
# be run, usage. Exit code 1 is for attacks that succeed or show nothing.
qkdn threats >all
echo "exit $?"
sed -n '3,14p; $p' all
sed -n 's/^  \([EDOSX]-[^ ]*\) *\([^ ]*\) .* \([a-z]*\)$/\1 \2 \3/p' all
qkdn threats --network random --seed 3 E-K2-1 D-K2-1 D-C | tail -n 1
qkdn threats D-K1 | sed 's/[0-9][0-9]* of/N of/; s/ [0-9][0-9]*\([,;]\)/ N\1/g'
qkdn threats X-K1
echo "exit $?"
qkdn threats E-C --json | sed 's/: [0-9.e-]*[0-9]\([,}]\)/: N\1/g' | sed -n '1,20p'
qkdn threats D-K2
echo "exit $?"
qkdn threats --network nothing.yaml
echo "exit $?"
qkdn threats E-C D-K3 --html page.html --junit cells.xml >/dev/null
echo "exit $?"
sed 's/timestamp="[^"]*"/timestamp="T"/' cells.xml | grep -c '<testcase'
grep -c 'class="pass"' page.html
sed -n 's/.*\(<tr><th>Ck<td>.*\)/\1/p' page.html | sed 's/<[^>]*>/ /g'
qkdn threats E-C --html page.html
echo "exit $?"
