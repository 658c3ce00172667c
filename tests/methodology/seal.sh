# SPDX-License-Identifier: MIT
# For tests: a run's records, changed as whoever writes a program of their own would. Sourced.

# seal: one line of JSON from standard input, with the crc that results/README.md asks for
seal() {
    body=$(jq -cS 'del(.crc)')
    body=${body%\}}
    crc=$(printf '%s' "$body" | gzip -c | tail -c 8 | od -A n -t x4 -N 4 --endian=little)
    printf '%s,"crc":"%s"}\n' "$body" "${crc# }"
}

# edit FROM TO WHERE CHANGE: a copy of a run with CHANGE (jq) made to the lines that are WHERE (jq)
edit() {
    mkdir -p "$2"
    jq -c "if $3 then $4 else null end" "$1/records.jsonl" >"$2/changes"
    while IFS= read -r line && IFS= read -r change <&3; do
        if [ "$change" = null ]; then printf '%s\n' "$line"; else printf '%s\n' "$change" | seal; fi
    done <"$1/records.jsonl" 3<"$2/changes" >"$2/records.jsonl"
    grep -qv '^null$' "$2/changes" || { echo "no line is $3" >&2; return 1; }
    rm "$2/changes"
}
