"""The command line: `manage.py hugo ...`."""
