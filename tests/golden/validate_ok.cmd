# Good files: counts for people, JSON for programs, the resolved scenario that loads to the same.
qkdn validate scenarios/line-3.yaml
qkdn validate --json scenarios/line-3.yaml
qkdn validate --show --set control.routing=fewest-hops scenarios/line-3.yaml
qkdn validate --show scenarios/line-3.yaml >shown.yaml
qkdn validate --json scenarios/line-3.yaml shown.yaml | sed -n 's/.*"hash": "\([0-9a-f]*\)".*/\1/p' | uniq | wc -l
