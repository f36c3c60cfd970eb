# What a person needs of the output of go test -v: for every package that failed, what its failed tests said, and what no test said.
function forget() { split("", said); split("", failed); tests = ""; rest = "" }
BEGIN { forget() }
/^=== / { test = $3; next }
/^ *--- FAIL: / { failed[$3] = 1; tests = tests $3 "\n"; test = ""; next }
/^ *--- (PASS|SKIP): / { test = ""; next }
/^(ok  |\?   )/ { forget(); next }
/^FAIL\t/ {
	n = split(tests, names, "\n")
	for (i = 1; i < n; i++) printf "--- FAIL: %s\n%s", names[i], said[names[i]]
	printf "%s%s\n\n", rest, $0
	forget(); next
}
/^(PASS|FAIL)$/ { next }
/^    / && test != "" { said[test] = said[test] $0 "\n"; next }
{ rest = rest $0 "\n" }
