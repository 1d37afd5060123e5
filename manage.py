#!/usr/bin/env python
"""Django's command line for the annotation site."""

import os
import sys

import engine as engine  # before numpy is loaded, for it says how threads wait


def main() -> None:
    """Run a management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_site.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
