# Files that are missing or wrong: exit code 2, nothing written.
fail() {
    "$@"
    echo "exit $?" >&2
}
fail qkdn run nowhere.yaml
fail qkdn validate nowhere.yaml scenarios/line-3.yaml
fail qkdn graph nowhere.db -o x.svg
echo 'no database' >text.db
fail qkdn graph text.db -o x.svg
fail qkdn trace 00000000000000000000000000000000 text.db
fail qkdn graph scenarios/line-3.yaml -o x.pdf
: >taken.svg
fail qkdn graph scenarios/line-3.yaml -o taken.svg
fail qkdn run scenarios/line-3.yaml -o taken.svg
fail qkdn graph scenarios/line-3.yaml -o missing/x.svg
fail qkdn run scenarios/line-3.yaml -o missing/x.db
cp scenarios/line-3.yaml own.yaml
fail qkdn run own.yaml -o own.yaml --force
fail qkdn run own.yaml --keep-platform own.yaml --force
fail qkdn run own.yaml --keep-platform taken.svg
fail qkdn run own.yaml -o one.db --keep-platform one.db
fail qkdn run own.yaml -o /dev/null
printf '%s\n' 'seed: [1' >broken.yaml
fail qkdn run broken.yaml -o x.db
ls
