"""The WSGI application."""

import gc
import os

from django.core.wsgi import get_wsgi_application

import engine as engine  # before numpy is loaded, for it says how threads wait

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_site.settings")
application = get_wsgi_application()

# What is loaded now stays: looking through it for garbage again and again costs a tenth of the time.
gc.freeze()
gc.set_threshold(50_000, 20, 50)
