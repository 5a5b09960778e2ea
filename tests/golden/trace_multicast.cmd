# One key for three nodes: the ways of its copies, the comparisons with each, and who gets it when.
qkdn run scenarios/conference.yaml --engine fast --until '41 s' --set 'expect=[]' -o r.db --record full --quiet
qkdn trace --request 61 r.db --mermaid - >chart
sed -n 's/: +[0-9.]* ms/:/; /title\|box\|participant\|RELAY\|SUPPLY_NOTIFY\|KEY_SUPPLY\|APP_NOTIFY\|KMI_NEED/p' chart
