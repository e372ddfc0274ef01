"""The console command ``ictrack``: one module a sub-command, each with a function ``run(argv)``."""
