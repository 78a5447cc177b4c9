"""Speed, as ratios against what the formulas literally say, measured side by side in one run."""
