s/[+][0-9.]* ms/+T ms/
s/[0-9][0-9]* B/N B/
s/asked at.*/asked at .../
s/Request [0-9]*/Request N/
s/"request": [0-9]*/"request": N/
