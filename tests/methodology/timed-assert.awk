# SPDX-License-Identifier: MIT
# Prints the lines of C tests that assert that something took no longer than so: what a busy machine breaks.
# A clock value is what is assigned from a clock; a duration what is made of a difference of two, or of
# pb_clock_ns of one. A least time, and an order of two moments, hold on every machine. The names are a
# function's. Usage: awk -f timed-assert.awk FILE...
function forget() { split("", moments); split("", durations) }
function has(text, names, name) {
    for (name in names)
        if (match(text, "(^|[^A-Za-z0-9_.>])" name "([^A-Za-z0-9_]|$)")) return 1
    return 0
}
function is_moment(text) { return text ~ /(pb_ticks_(begin|end)|clock_gettime|gettimeofday|[^a-z_]time)[(]/ || has(text, moments) }
function is_duration(text) {
    return has(text, durations) || text ~ /pb_clock_ns[(][^0-9]/ || (text ~ /[^-]-[^->]/ && is_moment(text))
}
FNR == 1 || /^[{}]/ { forget() }
{
    line = $0
    sub(/\/[*].*/, "", line)
}
# name = ...; and clock_gettime(..., &name), whose members are moments too
match(line, /[A-Za-z_][A-Za-z_0-9]* *[-+]?=[^=]/) {
    name = substr(line, RSTART)
    sub(/[^A-Za-z_0-9].*/, "", name)
    value = substr(line, RSTART + RLENGTH - 1)
    if (is_duration(value)) durations[name] = 1
    else if (is_moment(value)) moments[name] = 1
}
match(line, /clock_gettime[(][^&]*&[A-Za-z_0-9]+/) {
    name = substr(line, RSTART, RLENGTH)
    sub(/.*&/, "", name)
    moments[name "[.]tv_(sec|nsec)"] = 1
}
line ~ /assert_[a-z_]+[(]/ {
    text = line
    sub(/.*assert_[a-z_]+[(]/, "", text)
    n = split(text, parts, /&&|[|][|]/)
    for (i = 1; i <= n; i++) {
        part = parts[i]
        gsub(/->|<<|>>/, "  ", part)
        at = match(part, /[<>]/)
        if ((at && substr(part, at, 1) == "<" && is_duration(substr(part, 1, at - 1))) ||
            (at && substr(part, at, 1) == ">" && is_duration(substr(part, at + 1))) ||
            (line ~ /assert_in_range/ && is_duration(part)))
            print FILENAME ":" FNR ":" $0
    }
}
