#!/usr/bin/env bash
# Everything that only a GPU can tell, in one command of at most eight minutes: `make gpu-check`, or, where torch is
# installed already and nothing can be,  bash scripts/gpu_check.sh
# Writes eight files under $OUT (reports/local/gpu-check without it) and prints a short table last.
set -uo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
out=${OUT:-reports/local/gpu-check}
suites=${SUITES:-suites/conv suites/copies suites/matmul}
tier=${TIER:-standard}
seconds_in_all=${SECONDS_IN_ALL:-480}
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
table=$work/table
failures=0
missing=0
grace=5  # seconds from SIGTERM to SIGKILL
kept=40  # seconds kept for comparing, for the spread, and for packing

# step NAME SECONDS COMMAND…: run it within its time and what is left of all, keep what it says, add a line to the table.
step() {
  local name=$1 limit=$2 begin=$SECONDS status=0 left=$((seconds_in_all - SECONDS - kept - grace)) said
  shift 2
  ((limit < left)) || limit=$left
  echo "== $name, at most $limit s: $*"
  if ((limit > 0)); then
    timeout --signal=TERM --kill-after="$grace" "$limit" "$@" >"$work/$name.out" 2>"$work/$name.err" || status=$?
    said=$(last_words "$name")
    ((status != 124 && status != 137)) || said="CUT OFF after $limit s: $said"
  else
    status=124 said="NOT STARTED: no time is left"
  fi
  touch "$work/$name.out" "$work/$name.err"
  tail -n 60 "$work/$name.out" "$work/$name.err"
  printf '%-10s status %3d %4d s  %s\n' "$name" "$status" $((SECONDS - begin)) "$said" >>"$table"
  ((status == 0)) || failures=$((failures + 1))
}

last_words() { # the last line with a word in it
  cat "$work/$1.err" "$work/$1.out" | grep '[[:alnum:]]' | tail -n 1 | cut -c 1-160
}

# Interrupted by SIGTERM, a run leaves a report of what it has.
measure() { # NAME
  local grace=40
  # shellcheck disable=SC2086  # several suites
  step "$1" 120 "$python" -m bench run $suites --device cuda --tier "$tier" --determinism off --budget 45s \
    --output "$work/$1.report"
}

keep() { # FILE NAME: into $out under this name, or say that it is not there
  rm -f "$out/$2" # an earlier check's
  [[ -s $1 ]] && cp "$1" "$out/$2" && return
  printf 'MISSING    %s\n' "$2" >>"$table"
  missing=$((missing + 1))
}

# shellcheck disable=SC2016
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  echo "gpu-check: $python has no torch that sees a CUDA device; \`$python -m bench doctor\` says why" >&2
  exit 2
fi

step tests 45 "$python" -m pytest -q -m cuda tests/measure
# shellcheck disable=SC2016
step doctor 25 bash -c '"$0" -m bench doctor; status=$?; "$0" -m bench doctor --json >"$1"; exit "$status"' \
  "$python" "$work/doctor.json"
step method 120 "$python" scripts/gpu_method.py --json "$work/method.json"
measure run
measure again
kept=10
step compare 20 "$python" -m bench compare "$work/run.report" "$work/again.report"
step spread 10 "$python" scripts/gpu_method.py --spread "$work/run.report" "$work/again.report"

keep "$work/doctor.json" doctor.json
keep "$work/method.json" method.json
for file in report.csv report.html environment.json; do
  keep "$work/run.report/$file" "$file"
done
keep "$work/again.report/report.csv" again.csv
for name in tests doctor method run again compare spread; do
  printf '\n==== %s\n' "$name"
  tail -c 60000 "$work/$name.out"
  tail -c 20000 "$work/$name.err"
done >"$out/log.txt"
cp "$table" "$out/table.txt"

echo
cat "$table"
echo "$failures of 7 steps did not end with status 0, $missing of 8 files are missing; $out"
((failures == 0 && missing == 0))
