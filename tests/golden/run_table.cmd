# The table for people: its words; every number is masked, because it is the simulator's.
qkdn run scenarios/line-3.yaml --engine fast --until '2 min' -o r.db --record full
ls
