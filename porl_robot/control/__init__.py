"""Acting: episodes through the safety chain, their evaluation, and the fine-tuning run."""
