s/[0-9][0-9.e+]*/N/g
s/ [kM]bit\b/ bit/g
s/ [mun]s\b/ s/g
s/digest [0-9a-fN]*/digest N/
s/  */ /g
s/^-- exit N/-- exit 0/
