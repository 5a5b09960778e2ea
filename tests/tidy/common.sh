# SPDX-License-Identifier: GPL-3.0-or-later
# Shared by the tidy checks (sourced, POSIX sh). A check is called `<name>.sh ROOT [arguments]`,
# prints one line `file:line: what is wrong` per fault and exits 1 if there is any.
set -u
LC_ALL=C
export LC_ALL
tidy_dir=$(cd "$(dirname "$0")" && pwd) || exit 3
root=$1
shift
cd "$root" || exit 3
faults=$(mktemp) || exit 3
trap 'rm -f "$faults"' EXIT

# Paths below ROOT, sorted, of all regular files whose name matches one of the patterns; without
# what is built, produced or not ours.
files() {
    for pattern in "$@"; do
        find . \( -path ./build -o -path ./out -o -path ./.git -o -path ./.cache \) -prune \
            -o -type f -name "$pattern" -print
    done | sed 's|^\./||' | sort
}

# Ends the check: shows what was collected in $faults.
verdict() {
    if [ -s "$faults" ]; then
        cat "$faults"
        echo "tidy: $(wc -l <"$faults") fault(s) found by $(basename "$0")"
        exit 1
    fi
    echo "tidy: $(basename "$0"): nothing found in $1 file(s)"
    exit 0
}
