# Compares what was measured, "NAME<tab>CPU SECONDS<tab>SECONDS" a line, with a budget, "CPU SECONDS<tab>NAME" a line; * stands for every
# package that is not listed. The second file is the measurement.
BEGIN { FS = "\t" }
/^#/ || NF < 2 { next }
FNR == NR { budget[$2] = $1; next }
{
	cpu[$1] += $2; wall[$1] += $3
	if (!($1 in order)) { order[$1] = ++n; names[n] = $1 }
}
END {
	for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (cpu[names[j]] > cpu[names[i]]) { t = names[i]; names[i] = names[j]; names[j] = t }
	small = 0
	for (i = 1; i <= n; i++) {
		name = names[i]
		most = (name in budget) ? budget[name] : budget["*"]
		over = cpu[name] > most
		if (!over && !(name in budget)) { small += cpu[name]; smalls++; continue }
		printf "%7.1f of %4d s  %7.1f s  %s%s\n", cpu[name], most, wall[name], name, over ? "   OVER ITS BUDGET" : ""
		if (over) overs = overs (overs ? ", " : "") name
	}
	if (smalls) printf "%7.1f s in %d packages of %d s at most each\n", small, smalls, budget["*"]
	if (overs) printf "over the budget of scripts/budget: %s\n", overs
}
