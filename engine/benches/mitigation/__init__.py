"""Does curation by answers mend a classifier? Every route, ablation and curve on one data set."""
