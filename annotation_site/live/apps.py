from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "annotation_site.live"
