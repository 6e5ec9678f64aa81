#!/usr/bin/env bash
# Everything that is to be known of one GPU, in order of worth, each into a file of its own:
#
#     scripts/gpu.sh FOLDER [STEP...]      steps: tests kernels first second agree timeline soak profile; default: all
#
# A step that has ended well is not run again with the same folder, so what was cut off goes on where it stopped.
# PYTHON names the interpreter (default python3), GPU_FLAGS further settings of the measured server.
set -u
out=${1:?name a folder for the results}
shift
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python3}
export PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1
read -ra settings <<<"--model-path glm-4.6v-flash --load-format dummy ${GPU_FLAGS:-}"
bench() { "$python" -m flashsight bench "$@"; }

run() {
    case $1 in
    tests) # pytest-benchmark, where it is installed, does not bear several workers
        "$python" -m pytest -p no:cacheprovider -p no:benchmark -n 6 --maxfail 8 \
            tests/models/kernels/test_{rows,paged,fused}.py tests/engine/fast tests/models/test_gpu.py tests/engine/test_gpu.py
        ;;
    kernels) "$python" scripts/kernels.py steps products attention pictures rows ;;
    first | second) bench gpu "${settings[@]}" --json "$out/$1.json" --log "$out/serve.log" ;;
    agree) bench agree "$out/first.json" "$out/second.json" ;;
    timeline) bench timeline "$out/request.svg" "${settings[@]}" ;;
    soak) bench soak "${settings[@]}" --kv-memory 512MiB --max-waiting 64 --json "$out/soak.json" --log "$out/serve.log" ;;
    profile) "$python" scripts/kernels.py profile ;;
    *) echo "no step $1" && return 2 ;;
    esac
}

[ $# -gt 0 ] || set -- tests kernels first second agree timeline soak profile
failed=0
for step in "$@"; do
    if grep -qsx "$step" "$out/done.txt"; then
        echo "== $step: done before"
        continue
    fi
    began=$SECONDS
    echo "== $step" | tee -a "$out/report.txt"
    run "$step" 2>&1 | tee -a "$out/report.txt"
    status=${PIPESTATUS[0]}
    echo "== $step: status $status after $((SECONDS - began)) s" | tee -a "$out/report.txt"
    if [ "$status" = 0 ]; then echo "$step" >>"$out/done.txt"; else failed=1; fi
done
exit $failed
