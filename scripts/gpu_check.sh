#!/usr/bin/env bash
# Everything that only a GPU can tell, in one command of at most eight minutes: `make gpu-check`, or, where torch is
# installed already and nothing can be,  bash scripts/gpu_check.sh
# Writes eight small files under $OUT (reports/local/gpu-check without it) and prints a short table last.
set -uo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
out=${OUT:-reports/local/gpu-check}
suites=${SUITES:-suites/conv suites/copies suites/matmul}
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
table=$work/table
failures=0

# step NAME SECONDS COMMAND…: run it within its time, keep what it says, add a line to the table.  An interrupt comes
# first, so that a run that takes too long still leaves its report.
step() {
  local name=$1 limit=$2 begin=$SECONDS status=0
  shift 2
  echo "== $name: $*"
  timeout --signal=INT --kill-after=15 "$limit" "$@" >"$work/$name.out" 2>"$work/$name.err" || status=$?
  tail -n 60 "$work/$name.out" "$work/$name.err"
  printf '%-10s status %3d %4d s  %s\n' "$name" "$status" $((SECONDS - begin)) "$(last_words "$name")" >>"$table"
  ((status == 0)) || failures=$((failures + 1))
}

last_words() {
  cat "$work/$1.err" "$work/$1.out" | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c 1-90
}

measure() { # NAME
  # shellcheck disable=SC2086  # several suites
  step "$1" 140 "$python" -m bench run $suites --device cuda --tier standard --budget 90s --output "$work/$1.report"
}

# shellcheck disable=SC2016
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  echo "gpu-check: $python has no torch that sees a CUDA device; \`$python -m bench doctor\` says why" >&2
  exit 2
fi

step tests 60 "$python" -m pytest -q -m cuda tests/measure
step doctor 30 "$python" -m bench doctor --json
step method 120 "$python" scripts/gpu_method.py --json "$out/method.json"
measure run
measure again
step compare 20 "$python" -m bench compare "$work/run.report" "$work/again.report"
step spread 10 "$python" scripts/gpu_method.py --spread "$work/run.report" "$work/again.report"

cp "$work/doctor.out" "$out/doctor.json"
cp "$work/run.report/"{report.csv,report.html,environment.json} "$out/" 2>/dev/null
cp "$work/again.report/report.csv" "$out/again.csv" 2>/dev/null
for name in tests method run again compare spread; do
  printf '\n==== %s\n' "$name"
  tail -c 60000 "$work/$name.out"
  tail -c 20000 "$work/$name.err"
done >"$out/log.txt"
cp "$table" "$out/table.txt"

echo
cat "$table"
echo "$failures of 7 steps did not end with status 0; files in $out"
((failures == 0))
