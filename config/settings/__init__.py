"""Settings: `base` is shared; `dev`, `test` and `production` are what DJANGO_SETTINGS_MODULE names."""
