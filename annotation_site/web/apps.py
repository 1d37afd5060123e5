from importlib import import_module

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "annotation_site.web"

    def ready(self) -> None:
        import_module("annotation_site.web.checks")
