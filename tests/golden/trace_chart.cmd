# The messages of a request as a Mermaid diagram: one that finds everything ready, element by element.
qkdn run scenarios/line-3.yaml --engine fast --until '30 s' -o r.db --record full --quiet
request=20
until qkdn trace --request $request r.db --mermaid m --force --json | grep -q '"messages": 16' ||
    [ $request = 60 ]; do
    request=$((request + 1))
done
rm m
qkdn trace --request $request r.db --mermaid -
qkdn trace --request $request r.db --svg r.svg --mermaid r.mmd --json
qkdn trace --request $request r.db --svg r.svg
echo "exit $?"
qkdn trace --request 1 r.db
echo "exit $?"
qkdn run scenarios/line-3.yaml --engine fast --until '30 s' -o less.db --quiet
qkdn trace --request 1 less.db --svg less.svg
echo "exit $?"
ls
