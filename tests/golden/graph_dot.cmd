# A picture as DOT, without the numbers that the layout computes.
qkdn graph scenarios/line-3.yaml --applications -o line.dot --json
grep -o '\(A -- B\|B -- C\|A -- C\|style=[a-z]*\|shape=[a-z]*\)' line.dot
