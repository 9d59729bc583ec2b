"""Recipes → records: in this process, in several, on a Slurm cluster."""
