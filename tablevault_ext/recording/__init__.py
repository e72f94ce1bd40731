"""Recording what runs: notebooks, scripts, commands, forked workers, records. Knows nothing of control or DuckDB."""
