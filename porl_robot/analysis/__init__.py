"""What a run was worth: statistics, summaries and reports."""
