#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The golden driver must accept a right case and reject a wrong text, a wrong exit code and a
# missing expectation. It runs against a stand-in command, not against qkdn.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 3
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cat >"$work/command" <<'END'
#!/bin/sh
echo "hello $1, \"wall_s\": 0.$$"
echo "warning" >&2
exit 4
END
chmod +x "$work/command"
echo 'qkdn world' >"$work/right.cmd"
printf 'hello world, "wall_s": *\n-- stderr\nwarning\n-- exit 4\n' >"$work/right.out"
cp "$work/right.cmd" "$work/text.cmd"
sed 's/hello/hallo/' "$work/right.out" >"$work/text.out"
cp "$work/right.cmd" "$work/code.cmd"
sed 's/exit 4/exit 0/' "$work/right.out" >"$work/code.out"
cp "$work/right.cmd" "$work/missing.cmd"

if ! sh "$here/run.sh" check "$work/command" "$work/right.cmd"; then
    echo "the driver rejects a right case"
    exit 1
fi
for wrong in text code missing; do
    if sh "$here/run.sh" check "$work/command" "$work/$wrong.cmd" >"$work/log" 2>&1; then
        echo "the driver accepts a wrong case: $wrong"
        exit 1
    fi
done
sh "$here/run.sh" update "$work/command" "$work/missing.cmd" || exit 1
cmp "$work/missing.out" "$work/right.out" || exit 1
echo "golden driver: accepts 1 right case, rejects 3 wrong ones"
